import { Result } from "effect"
import { Event, Position, type RecordedEvent, StreamName, TenantId } from "../../src/index.ts"

/** What a store gives for an event that some code has written, in the version of that code. */
export const stored = (event: Event.Any, version = 1): RecordedEvent.Stored => {
  const writer = event[Event.TypeId]
  return {
    position: Position.make(10 + version),
    tenant: TenantId.make("acme"),
    stream: StreamName.make("Order", "1"),
    version,
    id: `e-${version}`,
    type: writer.tag,
    schemaVersion: writer.version,
    tags: [],
    metadata: { correlationId: "r-1", occurredAt: 5 },
    recordedAt: 6,
    data: JSON.parse(JSON.stringify(Result.getOrThrow(writer.encode(event))))
  }
}

/** Everything that was read at once, or undefined when it was refused or needs services. */
export const values = <A>(
  read: { readonly _tag: string } & (
    | { readonly _tag: "Success"; readonly success: A }
    | { readonly _tag: "Several"; readonly values: ReadonlyArray<A> }
    | { readonly _tag: "Failure" | "Pending" }
  )
): ReadonlyArray<A> | undefined =>
  read._tag === "Success" ? [read.success] : read._tag === "Several" ? read.values : undefined
