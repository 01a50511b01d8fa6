/**
 * Events as the log holds them: what happened, where, in which order, and why.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Actor } from "./Actor.ts"
import * as Decoding from "./Decoding.ts"
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
 * Why readers pass over an event, who decided that, and when, in milliseconds since 1970.
 *
 * @category models
 * @since 0.1.0
 */
export interface Skip {
  readonly reason: string
  readonly actor?: Actor | undefined
  readonly skippedAt: number
}

/**
 * An event with its contents as the JSON that is stored. `skip` is there only for who reads skipped events as well.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored extends Envelope {
  readonly data: unknown
  readonly skip?: Skip | undefined
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
 * An event with the envelope of what was stored.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromStored = <E>(stored: Stored, event: E): RecordedEvent<E> => ({
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

/**
 * Decodes stored events of the given classes; anything else is refused with the reason.
 *
 * **Details**
 *
 * Where a history may make several events of one, or none, or needs services, what is read is a `Decoding` of them. All
 * have the same envelope: that of the stored event.
 *
 * **Gotchas**
 *
 * Two classes of one tag cannot both read the log: this throws, naming the tag, when it is called. So do two classes that
 * both had a tag formerly, and two parts of one place.
 *
 * @category conversions
 * @since 0.1.0
 */
export function decoder<Classes extends ReadonlyArray<Event.AnyClass>>(
  classes: Classes
): (stored: Stored) => Result.Result<RecordedEvent<Event.Of<Classes>>, ReadonlyArray<FieldIssue.FieldIssue>>
export function decoder<Classes extends ReadonlyArray<Event.AnyClass<Decoding.Kind>>>(
  classes: Classes
): (
  stored: Stored
) => Decoding.Decoding<
  RecordedEvent<Event.Of<Classes>>,
  ReadonlyArray<FieldIssue.FieldIssue>,
  Event.ServicesOf<Classes>
>
export function decoder(classes: ReadonlyArray<Event.AnyClass<Decoding.Kind>>): (stored: Stored) => unknown {
  const sources = sourcesOf(classes)
  return (stored) => {
    const source = sources.get(stored.type)
    if (source === undefined) {
      const known = [...sources.keys()].join(", ")
      return Result.fail([{ path: "", message: `Unknown event type "${stored.type}", expected one of: ${known}` }])
    }
    const read = readFrom(source, stored)
    switch (read._tag) {
      case "Success":
        return Result.succeed(fromStored(stored, read.success))
      case "Failure":
        return Result.fail(FieldIssue.fromIssue(read.failure))
      default:
        return Decoding.mapError(
          Decoding.map(read, (event) => fromStored(stored, event)),
          FieldIssue.fromIssue
        )
    }
  }
}

interface Part {
  readonly tag: string
  readonly place: number
  readonly versions: number
  readonly read: Event.Reader<unknown, Decoding.Kind>
}

/** Who reads a type: the class it is all of, and those that have a part of its older versions. */
interface Source {
  readonly whole: Part | undefined
  /** By place, with the whole among them. */
  readonly parts: ReadonlyArray<Part>
  /** The newest version that has parts. */
  readonly split: number
}

const readFrom = (source: Source, { data, schemaVersion, type }: Stored) =>
  source.whole !== undefined && schemaVersion > source.split
    ? source.whole.read(data, schemaVersion, type)
    : Decoding.collect(source.parts, (part) => part.read(data, schemaVersion, type))

const sourcesOf = (classes: ReadonlyArray<Event.AnyClass<Decoding.Kind>>): ReadonlyMap<string, Source> => {
  const sources = new Map<string, Source>()
  const add = (type: string, part: Part, isWhole: boolean) => {
    const before = sources.get(type)
    const other = before?.parts.find(({ place }) => place === part.place)
    if (other !== undefined) throw new Error(clash(type, other.tag, part.tag, isWhole))
    sources.set(type, {
      whole: isWhole ? part : before?.whole,
      parts: [...(before?.parts ?? []), part].sort((a, b) => a.place - b.place),
      split: Math.max(before?.split ?? 0, isWhole ? 0 : part.versions)
    })
  }
  for (const self of classes) {
    const { history, tag } = self
    const read = self[Event.TypeId]
    add(tag, { tag, place: 0, versions: 0, read }, true)
    for (const { place, tag: former, versions } of history) {
      if (former !== undefined) add(former, { tag, place: place ?? 0, versions, read }, place === undefined)
    }
  }
  return sources
}

const clash = (type: string, first: string, second: string, isWhole: boolean): string => {
  if (first === second) return `Two event classes are named "${type}": a log cannot tell them apart`
  return isWhole
    ? `The events "${first}" and "${second}" both read what was stored as "${type}": give one of them a part of it`
    : `The events "${first}" and "${second}" have the same place among the parts of "${type}"`
}
