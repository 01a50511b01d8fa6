import type { ImportedEvent } from "../../src/domain/EventLine.ts"
import * as StreamName from "../../src/domain/StreamName.ts"

const events = 6_000

/** The history of another system: seventeen streams in turns. */
export const source: ReadonlyArray<ImportedEvent> = Array.from({ length: events }, (_, n) => ({
  tenant: "default",
  stream: StreamName.make("Account", String(n % 17)),
  version: Math.floor(n / 17) + 1,
  id: `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`,
  type: "Noted",
  schemaVersion: 1,
  tags: [],
  metadata: { correlationId: `c${n}`, occurredAt: n },
  recordedAt: 1_000_000_000_000 + n,
  data: { n }
}))
