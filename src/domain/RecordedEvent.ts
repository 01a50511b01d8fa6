/**
 * Events as the log holds them: what happened, where, in which order, and why.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Event from "./Event.ts"
import * as FieldIssue from "./FieldIssue.ts"
import type { Metadata } from "./Metadata.ts"
import type { Position } from "./Position.ts"
import type { StreamName } from "./StreamName.ts"
import type { TenantId } from "./TenantId.ts"

/**
 * What the log knows of an event apart from its contents.
 *
 * **Details**
 *
 * `version` counts from 1 within the stream without holes; `position` grows over the whole log, with holes. `recordedAt` is
 * the store's clock, in milliseconds since 1970; `metadata.occurredAt` is the caller's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Envelope {
  readonly position: Position
  readonly tenant: TenantId
  readonly stream: StreamName
  readonly version: number
  readonly id: string
  readonly type: string
  readonly schemaVersion: number
  readonly tags: ReadonlyArray<string>
  readonly metadata: Metadata
  readonly recordedAt: number
}

/**
 * An event with its contents as the JSON that is stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored extends Envelope {
  readonly data: unknown
}

/**
 * An event decoded to an instance of its class, upcast to today's version.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordedEvent<out E> extends Envelope {
  readonly event: E
}

/**
 * Decodes stored events of the given classes; anything else is refused with the reason.
 *
 * **Gotchas**
 *
 * Two classes of one tag cannot both read the log: this throws, naming the tag, when it is called.
 *
 * @category conversions
 * @since 0.1.0
 */
export function decoder<Classes extends ReadonlyArray<Event.AnyClass>>(
  classes: Classes
): (stored: Stored) => Result.Result<RecordedEvent<Event.Of<Classes>>, ReadonlyArray<FieldIssue.FieldIssue>>
export function decoder(classes: ReadonlyArray<Event.AnyClass>): (stored: Stored) => unknown {
  const readers = new Map<string, Event.Reader<unknown>>()
  for (const self of classes) {
    if (readers.has(self.tag))
      throw new Error(`Two event classes are named "${self.tag}": a log cannot tell them apart`)
    readers.set(self.tag, self[Event.TypeId])
  }
  return (stored) => {
    const read = readers.get(stored.type)
    if (read === undefined) {
      const known = classes.map((self) => self.tag).join(", ")
      return Result.fail([{ path: "", message: `Unknown event type "${stored.type}", expected one of: ${known}` }])
    }
    const event = read(stored.data, stored.schemaVersion)
    return Result.isFailure(event)
      ? Result.fail(FieldIssue.fromIssue(event.failure))
      : Result.succeed(withEvent(stored, event.success))
  }
}

const withEvent = (stored: Stored, event: unknown): RecordedEvent<unknown> => ({
  position: stored.position,
  tenant: stored.tenant,
  stream: stored.stream,
  version: stored.version,
  id: stored.id,
  type: stored.type,
  schemaVersion: stored.schemaVersion,
  tags: stored.tags,
  metadata: stored.metadata,
  recordedAt: stored.recordedAt,
  event
})
