/**
 * States of streams that were folded before, so that loading one folds only what came since.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import * as StreamName from "../domain/StreamName.ts"
import type { TenantId } from "../domain/TenantId.ts"
import * as Journal from "./internal/Journal.ts"
import { nameIssue, tenantIssue } from "./internal/text.ts"
import { StorageFailure } from "./StorageFailure.ts"
import { StreamAdmin } from "./StreamAdmin.ts"
import type { EventRef } from "./StreamAdminDriver.ts"
import { TenantContext } from "./TenantContext.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * A snapshot that no store can keep; every wrong field is listed.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidSnapshot extends Schema.TaggedError<InvalidSnapshot>("effect-cqrs/InvalidSnapshot")(
  "InvalidSnapshot",
  { stream: Schema.String, issues: Schema.Array(FieldIssue.FieldIssue) }
) {
  override get message(): string {
    return `Invalid snapshot of ${JSON.stringify(this.stream.slice(0, 100))}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of `SnapshotStore`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SnapshotError extends Schema.TaggedError<SnapshotError>("effect-cqrs/SnapshotError")("SnapshotError", {
  reason: Schema.Union([InvalidSnapshot, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * The state that a stream had at one of its versions.
 *
 * **Details**
 *
 * `event` is the id of the event at that version. It ties the snapshot to one history: a log that was restored from a
 * backup, or a stream that was tombstoned, has another event there or none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly stream: StreamName.StreamName
  readonly version: number
  readonly event: string
  /** What wrote the state: another schema, or another version of it, cannot read it. */
  readonly schema: string
  /** When it was taken, in milliseconds since 1970. */
  readonly takenAt: number
  /** The state as JSON. */
  readonly state: unknown
}

/**
 * Where snapshots are kept: at most one for each stream of a tenant, the newest.
 *
 * **Details**
 *
 * - `load` answers with the snapshot of a stream, if there is one.
 * - `save` keeps a snapshot in place of an older one. One of a lower version than the kept one is dropped without a word:
 *   of many that are saved at the same time the highest stays.
 * - `remove` forgets it; the next fold reads the whole stream.
 *
 * `StreamAdmin.skip` and `unskip` of the same storage forget a snapshot that the event is in.
 *
 * Writes take part in a unit of work of the same storage. A snapshot is never needed for an answer to be right: whoever
 * reads one must be able to do without.
 *
 * @category services
 * @since 0.1.0
 */
export class SnapshotStore extends Context.Service<
  SnapshotStore,
  {
    readonly load: (
      stream: StreamName.StreamName
    ) => Effect.Effect<Option.Option<Snapshot>, SnapshotError, TenantContext>
    readonly save: (snapshot: Snapshot) => Effect.Effect<void, SnapshotError, TenantContext>
    readonly remove: (stream: StreamName.StreamName) => Effect.Effect<void, SnapshotError, TenantContext>
  }
>()("effect-cqrs/ports/SnapshotStore") {}

/**
 * What loading an aggregate needs beside the event store: the snapshot store, where `S` is what it declares of snapshots.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type NeededBy<S> = S extends undefined ? never : SnapshotStore

/**
 * A snapshot ready to be written: checked, and its state as JSON text, which may hold any escape that JSON has.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Prepared extends Omit<Snapshot, "state"> {
  readonly state: string
}

/**
 * What an adapter implements: storage alone. `make` adds checks and tenants.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  readonly load: (
    tenant: TenantId,
    stream: StreamName.StreamName
  ) => Effect.Effect<Option.Option<Snapshot>, SnapshotError>
  /** Writes unless one of a higher version is there. */
  readonly save: (tenant: TenantId, snapshot: Prepared) => Effect.Effect<void, SnapshotError>
  readonly remove: (tenant: TenantId, stream: StreamName.StreamName) => Effect.Effect<void, SnapshotError>
}

/**
 * The snapshot store over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): SnapshotStore["Service"] => {
  const inTenant = <A>(f: (tenant: TenantId) => Effect.Effect<A, SnapshotError>) =>
    Effect.flatMap(TenantContext, (tenant) => f(tenant.id))
  // What could never be written is not there.
  const known = (tenant: TenantId, stream: StreamName.StreamName) =>
    tenantIssue(tenant) === undefined && streamIssue(stream) === undefined

  return {
    load: (stream) => inTenant((tenant) => (known(tenant, stream) ? driver.load(tenant, stream) : Effect.succeedNone)),
    save: (snapshot) =>
      inTenant((tenant) => {
        const prepared = prepare(tenant, snapshot)
        return Result.isSuccess(prepared)
          ? driver.save(tenant, prepared.success)
          : Effect.fail(new SnapshotError({ reason: prepared.failure }))
      }),
    remove: (stream) => inTenant((tenant) => (known(tenant, stream) ? driver.remove(tenant, stream) : Effect.void))
  }
}

const streamIssue = (stream: StreamName.StreamName) => nameIssue("stream", stream, StreamName.maxBytes)

const maxSchemaBytes = 512
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

const prepare = (tenant: TenantId, snapshot: Snapshot): Result.Result<Prepared, InvalidSnapshot> => {
  const { event, schema, stream, takenAt, version } = snapshot
  const state = toText(snapshot.state)
  const issues = [
    tenantIssue(tenant),
    streamIssue(stream),
    Number.isSafeInteger(version) && version >= 1
      ? undefined
      : { path: "version", message: "must be a whole number of 1 or more" },
    uuid.test(event) ? undefined : { path: "event", message: "must be a UUID" },
    nameIssue("schema", schema, maxSchemaBytes),
    Number.isSafeInteger(takenAt) && takenAt >= 0 && takenAt <= maxTime
      ? undefined
      : { path: "takenAt", message: "must be a time in whole milliseconds" },
    state === undefined ? { path: "state", message: "must be JSON" } : undefined
  ].filter((issue) => issue !== undefined)
  return state === undefined || issues.length > 0
    ? Result.fail(new InvalidSnapshot({ stream, issues }))
    : Result.succeed({ stream, version, event, schema, takenAt, state })
}

/** The last millisecond of the year 9999: every database knows it. */
const maxTime = 253_402_300_799_999

// A function or `undefined` has no text, a `bigint` and what holds itself make `stringify` throw.
const toText = (state: unknown): string | undefined =>
  Result.getOrUndefined(Result.try((): string | undefined => JSON.stringify(state)))

/**
 * Snapshots in memory, kept as the JSON text that a database would keep.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<SnapshotStore> = Layer.effect(
  SnapshotStore,
  Effect.map(Journal.MemoryJournal, (journal) => {
    const snapshots = new Journal.JournalMap<string, Prepared>()
    const keyOf = (tenant: string, stream: string) => `${tenant}\0${stream}`
    journal.folding.add((transaction, tenant, stream, version) => {
      const key = keyOf(tenant, stream)
      const kept = snapshots.get(transaction, key)
      if (kept !== undefined && kept.version >= version) snapshots.set(transaction, key, undefined)
    })
    return make({
      load: (tenant, stream) =>
        journal.read((transaction) => {
          const found = snapshots.get(transaction, keyOf(tenant, stream))
          return found === undefined ? Option.none() : Option.some({ ...found, state: JSON.parse(found.state) })
        }),
      save: (tenant, snapshot) =>
        journal.write((transaction) => {
          const key = keyOf(tenant, snapshot.stream)
          const kept = snapshots.get(transaction, key)
          if (kept === undefined || kept.version <= snapshot.version) snapshots.set(transaction, key, snapshot)
          return Exit.void
        }),
      remove: (tenant, stream) =>
        journal.write((transaction) => {
          snapshots.set(transaction, keyOf(tenant, stream), undefined)
          return Exit.void
        })
    })
  })
).pipe(Layer.provide(Journal.layer))

/**
 * `StreamAdmin` over a snapshot store of another storage: skipping an event, or undoing it, forgets the snapshot that the event is
 * in, once it is committed.
 *
 * **Gotchas**
 *
 * The two storages do not commit together: when the snapshot cannot be forgotten, the log says so, as an error. Remove it then, or
 * `Repository.verify` the aggregate.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerForgetting: Layer.Layer<StreamAdmin, never, StreamAdmin | SnapshotStore | UnitOfWork> = Layer.effect(
  StreamAdmin,
  Effect.gen(function* () {
    const admin = yield* StreamAdmin
    const store = yield* SnapshotStore
    const unit = yield* UnitOfWork
    const forget = ({ stream, version }: EventRef) =>
      Effect.flatMap(TenantContext, (tenant) =>
        store.load(stream).pipe(
          Effect.flatMap((found) =>
            Option.isSome(found) && found.value.version >= version ? store.remove(stream) : Effect.void
          ),
          Effect.catch((error) => Effect.logError(`A snapshot of ${stream} knows nothing of what was skipped`, error)),
          Effect.provideService(TenantContext, tenant),
          unit.afterCommit
        )
      )
    return {
      ...admin,
      skip: (event, reason) => Effect.andThen(admin.skip(event, reason), forget(event)),
      unskip: (event) => Effect.andThen(admin.unskip(event), forget(event))
    }
  })
)
