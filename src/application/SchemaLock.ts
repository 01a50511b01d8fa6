/**
 * The lock of the log's schema: every shape that events were ever stored in, in a file that is committed, so that a change
 * of code that could no longer read them is found before it is deployed.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Decoding from "../domain/Decoding.ts"
import type * as Event from "../domain/Event.ts"
import * as FieldIssue from "../domain/FieldIssue.ts"
import type * as Join from "../domain/Join.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import type * as Shape from "../domain/Shape.ts"
import type { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import type * as Decoded from "./internal/decoding.ts"
import * as Check from "./internal/lockCheck.ts"
import * as Model from "./internal/lockModel.ts"
import * as Stored from "./internal/lockStored.ts"

/**
 * What reads the log: event classes, and the joins of folds.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = Event.AnyClass<Decoding.Kind> | Join.Join<Event.Any>

/**
 * The services that reading needs.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ServicesOf<Sources extends ReadonlyArray<Source>> = Decoding.Services<
  Sources[number] extends infer One
    ? One extends { readonly [Event.TypeId]: Event.Reader<infer _, infer K> }
      ? K
      : never
    : never
>

/**
 * The fields of each version, by its number.
 *
 * @category models
 * @since 0.1.0
 */
export type Versions = { readonly [version: string]: Shape.FieldShapes }

/**
 * How a type that stands in the log is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  /** As the event it is, as another event (`former`), as a part of a `joined` one, as nothing, or only in parts. */
  readonly is: "event" | "former" | "joined" | "retired" | "part"
  /** The event that a former or joined type is read as. */
  readonly event?: string
  readonly versions: Versions
  /** The events that have a part of older versions. */
  readonly parts?: { readonly [event: string]: Versions }
}

/**
 * All types that stand in the log, in all versions.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lock {
  readonly format: 1
  readonly events: { readonly [type: string]: Entry }
}

/**
 * A lock as JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Lock: Schema.Codec<Lock> = Model.Lock

/**
 * One thing that has changed since the lock was written, in a sentence, and for what breaks, what to do.
 *
 * @category models
 * @since 0.1.0
 */
export const Finding: typeof Model.Finding = Model.Finding

/**
 * @category models
 * @since 0.1.0
 */
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

/**
 * Stored events that code cannot read, by type and version: how many were seen, where the first of them are, and what was
 * wrong with the first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Undecodable extends Stored.Undecodable {}

/**
 * What was read of the log, up to its mark, and what of that could not be decoded. `isComplete` tells that it was all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report extends Stored.Report {}

/**
 * The lock of what these classes and joins read.
 *
 * **Details**
 *
 * It is the same for the same schemas, whatever the order of classes, fields and members of unions; names, descriptions and
 * brands of schemas are not in it.
 *
 * **Gotchas**
 *
 * Classes that cannot read one log together make this throw, like `RecordedEvent.decoder`.
 *
 * **Example** (What is locked)
 *
 * ```ts
 * import { Event, SchemaLock } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
 *
 * SchemaLock.lock([TaskCreated])
 * // => {
 * //   format: 1,
 * //   events: { TaskCreated: { is: "event", versions: { 1: { title: "string" } } } }
 * //   }
 * ```
 *
 * @category locking
 * @since 0.1.0
 */
export const lock = (sources: ReadonlyArray<Source>): Lock => Model.lock(sources)

/**
 * What has changed since a lock was written, what breaks and what does not.
 *
 * **Details**
 *
 * It breaks when something that was stored could not be read, or would lose something: an event or a version is gone, a
 * field is gone, is required now, or is another type, or must pass a check that it did not have to. It does not when
 * everything is read as before: new events, new versions with their upcasters, new optional fields, a wider type.
 *
 * **Gotchas**
 *
 * It compares shapes. What an upcaster, a transformation or a custom check does cannot be seen; {@link checkStored} tries
 * them on stored events.
 *
 * **Example** (A field whose type has changed)
 *
 * ```ts
 * import { Event, SchemaLock } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class Priced extends Event.Class<Priced>()("Priced", { cents: Schema.Int }) {}
 * const locked = SchemaLock.lock([Priced])
 *
 * class PricedNow extends Event.Class<PricedNow>()("Priced", { cents: Schema.BigInt }) {}
 *
 * SchemaLock.check(locked, [PricedNow]).map(({ breaking, kind, message }) => ({ breaking, kind, message }))
 * // => [{
 * //   breaking: true,
 * //   kind: "field-changed",
 * //   message: "Priced version 1: cents was number that passes isInt, is string as bigint that passes isStringBigInt"
 * //   }]
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export const check = (locked: Lock, sources: ReadonlyArray<Source>): ReadonlyArray<Finding> =>
  Check.compare(locked, Model.lock(sources))

/**
 * Reads events of all tenants, and reports those that the classes cannot decode.
 *
 * **Details**
 *
 * About `sample` events (10,000 when absent), in pages spread evenly over the log; `Infinity` reads all of it. Nothing is
 * written, and nothing is handled. Upcasters that need services get them.
 *
 * **Example** (An event that nobody knows)
 *
 * ```ts
 * import { Event, EventStore, Memory, SchemaLock, StreamName, SystemContext, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class Known extends Event.Class<Known>()("Known", {}) {}
 * class Forgotten extends Event.Class<Forgotten>()("Forgotten", {}) {}
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const events = [new Known(), new Forgotten()]
 *   yield* store.append({ stream: StreamName.make("Thing", "1"), expected: "none", events })
 *   const { read, undecodable } = yield* SchemaLock.checkStored([Known])
 *   return { read, types: undecodable.map(({ type }) => type) }
 * })
 *
 * const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("checking"))
 * await Effect.runPromise(program.pipe(Effect.provide(Live))) // => { read: 2, types: ["Forgotten"] }
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export function checkStored<const Sources extends ReadonlyArray<Source>>(
  sources: Sources,
  options?: { readonly sample?: number | undefined }
): Effect.Effect<Report, EventStoreError, EventStore | SystemContext | Exclude<ServicesOf<Sources>, TenantContext>>
export function checkStored(
  sources: ReadonlyArray<Source>,
  options?: { readonly sample?: number | undefined }
): unknown {
  const decode: Decoded.Decode<unknown, unknown> = RecordedEvent.decoder(Model.classesOf(sources))
  return Stored.check(decode, sources, options?.sample ?? 10_000)
}

/**
 * A lock as the text of a file, with a line for each field.
 *
 * @category converting
 * @since 0.1.0
 */
export const format = (self: Lock): string => `${JSON.stringify(ordered(self), null, 2)}\n`

// Of objects the keys, so that two branches that add an event each change other lines.
const ordered = (json: unknown): unknown => {
  if (Array.isArray(json)) return json.map(ordered)
  if (typeof json !== "object" || json === null) return json
  const entries = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, value]) => [key, ordered(value)]))
}

/**
 * The lock in the text of a file, or what is wrong with it.
 *
 * @category converting
 * @since 0.1.0
 */
export const parse = (text: string): Result.Result<Lock, ReadonlyArray<FieldIssue.FieldIssue>> =>
  Result.mapError(decode(text), (error) => FieldIssue.fromIssue(error.issue))

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Model.Lock), { errors: "all" })
