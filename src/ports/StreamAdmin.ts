/**
 * The life of streams beside their events: metadata, retention, archive, and single events that readers pass over.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FieldIssue from "../domain/FieldIssue.ts"
import type { StreamName } from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { ExpectedVersion } from "./EventStoreError.ts"
import * as Journal from "./internal/Journal.ts"
import * as MemoryLog from "./internal/memoryLog.ts"
import { makeMemory } from "./internal/memoryStreamAdmin.ts"
import * as Prepare from "./internal/prepare.ts"
import * as Rules from "./internal/retention.ts"
import { MessageContext } from "./MessageContext.ts"
import type {
  Driver,
  EventRef,
  ListSkipped,
  ListStreams,
  NameRange,
  RetentionInput,
  Scavenged,
  SkippedEvent,
  StreamInfo,
  StreamMetadata
} from "./StreamAdminDriver.ts"
import { InvalidMetadata, StreamAdminError } from "./StreamAdminError.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * What a stream's metadata is to become; what is left out is unset.
 *
 * @category models
 * @since 0.1.0
 */
export interface SetMetadata<in out A = unknown> {
  /** Which version the metadata must have: a number, `"none"` or 0 when it must not have been set yet, or `"any"`. */
  readonly expected: ExpectedVersion
  readonly retention?: RetentionInput | undefined
  readonly data?: A | undefined
}

/**
 * The administration of the tenant's streams.
 *
 * **Details**
 *
 * - `metadata` and `setMetadata` read and replace what is known of a stream beside its events; a `typed` pair knows its schema.
 *   It belongs to the name: a stream that does not exist yet can have it, and keeps it when it is tombstoned.
 * - Its `retention` hides events at once and from every reader: of the stream, of the log, subscriptions and projections. The
 *   newest event of a stream always stays, versions never move and none is used again. Lifting a rule shows again what was not
 *   scavenged yet.
 * - `scavenge` removes from the storage what retention hides, in batches that are transactions of their own, as it is pulled.
 *   Whoever stops pulling can begin again at any time.
 * - `archive` takes a stream out of the log: readers of the log do not get its events unless they ask for archived ones, it is
 *   still read by its name, and it takes no appends, which fail with `StreamArchived`. `restore` puts it back where it was:
 *   every event has the position it had. Both may be called again.
 * - `skip` makes readers of a stream and of the log pass over one event, for a reason that is kept with the actor and the time;
 *   who asks for skipped events reads it with its `skip`. Skipping again gives a new reason; `unskip` undoes it.
 * - `skipped` lists the skipped events, `list` the streams, `info` tells of one.
 *
 * **Gotchas**
 *
 * - A reader of the log that is behind does not get what was hidden, archived or skipped before it came there; wait for it with
 *   `CheckpointStore.passed` first. A reader that has passed an event does not get it again when it comes back.
 * - Scavenging is not for inside a unit of work: what it removes is held up, and with it the mark of the log, until the commit.
 *
 * @category services
 * @since 0.1.0
 */
export class StreamAdmin extends Context.Service<
  StreamAdmin,
  {
    readonly metadata: (stream: StreamName) => Effect.Effect<StreamMetadata, StreamAdminError, TenantContext>
    /** Answers with the new version of the metadata; fails with `MetadataConflict` when it is not at `expected`. */
    readonly setMetadata: (
      stream: StreamName,
      metadata: SetMetadata
    ) => Effect.Effect<number, StreamAdminError, TenantContext>
    /** Fails with `VersionConflict` when the stream is not at `expected` (`"exists"` when absent). */
    readonly archive: (
      stream: StreamName,
      expected?: number | "exists"
    ) => Effect.Effect<void, StreamAdminError, TenantContext>
    readonly restore: (stream: StreamName) => Effect.Effect<void, StreamAdminError, TenantContext>
    /** Fails with `EventNotFound` when there is no such event. The actor is that of the call's `MessageContext`. */
    readonly skip: (event: EventRef, reason: string) => Effect.Effect<void, StreamAdminError, TenantContext>
    readonly unskip: (event: EventRef) => Effect.Effect<void, StreamAdminError, TenantContext>
    readonly skipped: (
      options?: ListSkipped
    ) => Effect.Effect<ReadonlyArray<SkippedEvent>, StreamAdminError, TenantContext>
    readonly info: (stream: StreamName) => Effect.Effect<StreamInfo, StreamAdminError, TenantContext>
    readonly list: (options?: ListStreams) => Effect.Effect<ReadonlyArray<StreamInfo>, StreamAdminError, TenantContext>
    /** One element for each batch of at most `batchSize` events, 1,000 when absent; from the first stream after `after` on. */
    readonly scavenge: (options?: {
      readonly batchSize?: number | undefined
      readonly after?: StreamName | undefined
    }) => Stream.Stream<Scavenged, StreamAdminError, TenantContext>
  }
>()("effect-cqrs/ports/StreamAdmin") {}

/**
 * Metadata of one schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface Typed<A> {
  readonly get: (stream: StreamName) => Effect.Effect<StreamMetadata<A>, StreamAdminError, StreamAdmin | TenantContext>
  readonly set: (
    stream: StreamName,
    metadata: SetMetadata<A>
  ) => Effect.Effect<number, StreamAdminError, StreamAdmin | TenantContext>
}

/**
 * Reads and sets the metadata's `data` through a schema; what does not fit is `InvalidMetadata`, with every field that is wrong.
 *
 * **Example** (Who owns a stream)
 *
 * ```ts
 * import { Memory, StreamAdmin, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Ownership = StreamAdmin.typed(Schema.Struct({ owner: Schema.String }))
 *
 * const program = Effect.gen(function* () {
 *   const stream = StreamName.make("Sensor", "1")
 *   yield* Ownership.set(stream, { expected: "none", retention: { maxCount: 100 }, data: { owner: "Ada" } })
 *   const { data, retention, version } = yield* Ownership.get(stream)
 *   return { owner: data?.owner, maxCount: retention.maxCount, version }
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))
 * // => { owner: "Ada", maxCount: 100, version: 1 }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const typed = <A, I>(schema: Schema.Codec<A, I>): Typed<A> => {
  const json = Schema.toCodecJson(schema)
  const decode = Schema.decodeUnknownResult(json, { errors: "all" })
  const encode = Schema.encodeUnknownResult(json, { errors: "all" })
  const fit = <B>(stream: StreamName, result: Result.Result<B, Schema.SchemaError>) =>
    Effect.fromResult(
      Result.mapError(result, ({ issue }) =>
        invalid(
          stream,
          FieldIssue.fromIssue(issue).map(({ message, path }) => ({
            path: path === "" ? "data" : `data.${path}`,
            message
          }))
        )
      )
    )
  return {
    get: Effect.fnUntraced(function* (stream) {
      const { data, ...rest } = yield* (yield* StreamAdmin).metadata(stream)
      return { ...rest, data: data === undefined ? undefined : yield* fit(stream, decode(data)) }
    }),
    set: Effect.fnUntraced(function* (stream, { data, ...rest }) {
      const encoded = data === undefined ? undefined : yield* fit(stream, encode(data))
      return yield* (yield* StreamAdmin).setMetadata(stream, { ...rest, data: encoded })
    })
  }
}

/**
 * The administration over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): StreamAdmin["Service"] => {
  const inTenant = <A>(
    f: (tenant: TenantId) => Effect.Effect<A, StreamAdminError>
  ): Effect.Effect<A, StreamAdminError, TenantContext> => Effect.flatMap(TenantContext, ({ id }) => f(id))

  /** For what changes something: a name that can be kept, and nothing else wrong. */
  const checked = <A>(
    stream: StreamName,
    expected: ExpectedVersion,
    issues: ReadonlyArray<FieldIssue.FieldIssue>,
    f: (tenant: TenantId) => Effect.Effect<A, StreamAdminError>
  ) =>
    inTenant((tenant) => {
      const all = [...Prepare.targetIssues(tenant, stream, expected), ...issues]
      return all.length > 0 ? Effect.fail(invalid(stream, all)) : f(tenant)
    })

  /** For what reads: what could never be written is not there. */
  const known = <A>(stream: StreamName, otherwise: A, f: (tenant: TenantId) => Effect.Effect<A, StreamAdminError>) =>
    inTenant((tenant) => (Prepare.readable(tenant, stream) ? f(tenant) : Effect.succeed(otherwise)))

  const ifKnown = <A>(otherwise: A, f: (tenant: TenantId) => Effect.Effect<A, StreamAdminError>) =>
    inTenant((tenant) => (Prepare.tenantReadable(tenant) ? f(tenant) : Effect.succeed(otherwise)))

  const batches = (after: string, batchSize: number) =>
    Stream.paginate({ after, at: Option.none<StreamName>() }, ({ after, at }) =>
      ifKnown([[], Option.none()], (tenant) =>
        Effect.gen(function* () {
          const [next] = Option.isSome(at) ? [at.value] : yield* driver.retaining(tenant, after, 1)
          if (next === undefined) return [[], Option.none()]
          const removed = yield* driver.remove(tenant, next, batchSize)
          const rest = removed < batchSize ? { after: next, at: Option.none() } : { after, at: Option.some(next) }
          return [[{ stream: next, removed }], Option.some(rest)]
        })
      )
    )

  return {
    metadata: (stream) =>
      known(stream, { version: 0, retention: {}, data: undefined }, (tenant) =>
        Effect.map(driver.metadata(tenant, stream), ({ data, retention, version }) => ({
          version,
          retention: Rules.toRetention(retention),
          data
        }))
      ),
    setMetadata: (stream, { data, expected, retention }) => {
      const kept = Rules.prepare(retention ?? {}, data)
      return checked(stream, expected, kept.issues, (tenant) =>
        driver.setMetadata(tenant, stream, expected, kept.metadata)
      )
    },
    archive: (stream, expected = "exists") =>
      checked(stream, expected, [], (tenant) => driver.archive(tenant, stream, expected)),
    restore: (stream) => known(stream, undefined, (tenant) => driver.restore(tenant, stream)),
    skip: (event, reason) =>
      Effect.flatMap(MessageContext, ({ actor }) => {
        const issues = [...Rules.reasonIssues(reason), ...Rules.actorIssues(actor)]
        return checked(event.stream, event.version, issues, (tenant) => driver.skip(tenant, event, reason, actor))
      }),
    unskip: (event) => known(event.stream, undefined, (tenant) => driver.unskip(tenant, event)),
    skipped: ({ after, limit, stream } = {}) =>
      ifKnown([], (tenant) =>
        driver.skipped(tenant, {
          stream: stream === undefined ? undefined : Rules.keepable(stream),
          after: after === undefined ? Rules.beforeAll : { ...after, stream: Rules.keepable(after.stream) },
          limit: limit ?? defaultLimit
        })
      ),
    info: (stream) =>
      known(stream, Rules.missing(stream), (tenant) =>
        Effect.map(driver.list(tenant, { ...everything, from: stream, to: `${stream}\u0001`, limit: 1 }), ([found]) =>
          found === undefined ? Rules.missing(stream) : found
        )
      ),
    list: (options) => ifKnown([], (tenant) => driver.list(tenant, rangeOf(options ?? {}))),
    scavenge: (options) =>
      batches(Rules.keepable(options?.after ?? ""), Math.max(1, Math.floor(options?.batchSize ?? 1000)))
  }
}

/**
 * The administration in memory, of the streams of `EventStore.layerMemory`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<StreamAdmin> = Layer.effect(
  StreamAdmin,
  Effect.gen(function* () {
    return make(makeMemory(yield* Journal.MemoryJournal, yield* MemoryLog.SharedLog))
  })
).pipe(Layer.provide([Journal.layer, MemoryLog.layer]))

const defaultLimit = 100

const everything: NameRange = { from: "", to: undefined, after: "", category: undefined, limit: defaultLimit }

const invalid = (stream: StreamName, issues: ReadonlyArray<FieldIssue.FieldIssue>) =>
  new StreamAdminError({ reason: new InvalidMetadata({ stream, issues }) })

const rangeOf = ({ after, category, limit, prefix }: ListStreams): NameRange => {
  const from = Rules.keepable(prefix ?? category ?? "")
  return {
    from,
    to: Rules.successor(from),
    after: Rules.keepable(after ?? ""),
    category: category === undefined ? undefined : Rules.keepable(category),
    limit: Math.max(1, Math.floor(limit ?? defaultLimit))
  }
}
