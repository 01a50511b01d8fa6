import { Position, type RecordedEvent, StreamName, TenantId } from "../../src/index.ts"

/** An event as a store would give it, with what a test says of it. */
export const stored = (parts: Partial<RecordedEvent.Stored>): RecordedEvent.Stored => ({
  position: Position.make(7),
  tenant: TenantId.make("acme"),
  stream: StreamName.make("Cart", "c-1"),
  version: 2,
  id: "e-1",
  type: "ItemAdded",
  schemaVersion: 1,
  tags: ["cart:c-1"],
  metadata: { correlationId: "r-1", occurredAt: 5 },
  recordedAt: 6,
  data: {},
  ...parts
})
