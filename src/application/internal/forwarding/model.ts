/** What the parts of a forwarder share. */
import type * as Effect from "effect/Effect"
import type { Envelope } from "../../../domain/IntegrationEvent.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"

export interface Definition<E, R> {
  readonly log: string
  readonly groups: ReadonlyArray<string>
  readonly types: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string> | undefined
  readonly tags: ReadonlyArray<string> | undefined
  readonly wants: (stored: Stored) => boolean
  readonly key: (stored: Stored) => string
  readonly batchSize: number
  readonly envelopes: (stored: Stored) => ReadonlyArray<Envelope> | Effect.Effect<ReadonlyArray<Envelope>, E, R>
}
