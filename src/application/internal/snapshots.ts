/** Loading with snapshots: the newest usable one and the events since; and taking new ones, at no command's risk. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Aggregate } from "../../domain/Aggregate.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import type { Join } from "../../domain/Join.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import type { Standing } from "../../domain/SnapshotPolicy.ts"
import type { Snapshots, Unusable as Because } from "../../domain/Snapshots.ts"
import type { StreamName } from "../../domain/StreamName.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import {
  InvalidSnapshot,
  type NeededBy,
  type Snapshot,
  SnapshotError,
  SnapshotStore
} from "../../ports/SnapshotStore.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import * as Decoded from "./decoding.ts"

/** Why a snapshot is not used, and for a corrupt one what is wrong with it. */
export interface Unusable {
  readonly because: Because
  readonly issues: ReadonlyArray<FieldIssue.FieldIssue>
}

/** A loaded state, and what it was made of. */
export interface Read<State> {
  readonly state: State
  readonly version: number
  /** Where the fold began: at a snapshot, or at nothing. */
  readonly base: Snapshot | undefined
  readonly from: State
  /** The events that were folded after it. */
  readonly stored: ReadonlyArray<Stored>
  /** Whether a snapshot of another history stands in the way of a new one. */
  readonly isBarred: boolean
}

type Store = EventStore["Service"]
type Reading<State, E, K> = Effect.Effect<State, E, TenantContext | Decoding.Services<K>>

/** The state after a whole stream, folded from its first event. */
const readAll = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  store: Store,
  stream: StreamName
): Reading<Read<State>, EventStoreError, K> =>
  Effect.flatMap(store.readStream(stream, Decoded.whole), (stored) => {
    const version = stored.at(-1)?.version ?? 0
    return Decoded.andThen(Decoded.foldStream(aggregate, stored), (state) =>
      Effect.succeed({ state, version, base: undefined, from: aggregate.initial, stored, isBarred: false })
    )
  })

/** The state of a stream: from its newest usable snapshot where the aggregate keeps them. */
export function read<
  Name extends string,
  State,
  E extends Event.Any,
  K extends Decoding.Kind,
  S extends Snapshots<State> | undefined
>(
  aggregate: Aggregate<Name, State, E, K, S>,
  store: Store,
  stream: StreamName
): Effect.Effect<Read<State>, EventStoreError, TenantContext | Decoding.Services<K> | NeededBy<S>>
export function read<Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  store: Store,
  stream: StreamName
): Effect.Effect<Read<State>, EventStoreError, TenantContext | Decoding.Services<K> | SnapshotStore> {
  const { name, snapshots } = aggregate
  const all = readAll(aggregate, store, stream)
  if (snapshots === undefined) return all
  return Effect.flatMap(find(name, stream), (base) => {
    if (base === undefined) return Effect.andThen(counted(name, "absent"), all)
    return Effect.flatMap(resume(aggregate, snapshots, store, base), (resumed) =>
      "state" in resumed
        ? Effect.as(counted(name, "used"), resumed)
        : Effect.andThen(
            told(name, base, resumed),
            Effect.map(all, (read) => ({
              ...read,
              isBarred: resumed.because === "history" || base.version > read.version
            }))
          )
    )
  })
}

/** A snapshot that cannot be loaded is as good as none. */
const find = (
  name: string,
  stream: StreamName
): Effect.Effect<Snapshot | undefined, never, SnapshotStore | TenantContext> =>
  Effect.flatMap(SnapshotStore, (snapshots) => snapshots.load(stream)).pipe(
    Effect.map(Option.getOrUndefined),
    harmless(name, "unread", `The snapshot of ${stream} cannot be loaded; all its events are folded`)
  )

/** The state after the events since a snapshot, or why it cannot be used. */
export const resume = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  snapshots: Snapshots<State>,
  store: Store,
  base: Snapshot
): Reading<Read<State> | Unusable, EventStoreError, K> => {
  if (base.schema !== snapshots.schema) return unusable("schema")
  const decoded = snapshots.decode(base.state)
  if (Result.isFailure(decoded)) return unusable("corrupt", decoded.failure)
  const from = decoded.success
  // The snapshot's own event is read once more: only the history that it was taken of has it there.
  return Effect.flatMap(
    store.readStream(base.stream, { ...Decoded.whole, fromVersion: base.version }),
    ([last, ...stored]) => {
      if (last?.version !== base.version || last.id !== base.event) return unusable("history")
      if (isOpen(aggregate.joins, last)) return unusable("joined")
      const version = stored.at(-1)?.version ?? base.version
      return Decoded.andThen(Decoded.foldStream({ ...aggregate, initial: from }, stored), (state) =>
        Effect.succeed<Read<State> | Unusable>({ state, version, base, from, stored, isBarred: false })
      )
    }
  )
}

const unusable = (because: Because, issues: Unusable["issues"] = []): Effect.Effect<Unusable> =>
  Effect.succeed({ because, issues })

/** Takes a snapshot of what a command was decided on, if it is time. Whatever becomes of it, the command is done. */
export function takeIfDue<
  Name extends string,
  State,
  E extends Event.Any,
  K extends Decoding.Kind,
  S extends Snapshots<State> | undefined
>(
  aggregate: Aggregate<Name, State, E, K, S>,
  stream: StreamName,
  read: Read<State>
): Effect.Effect<void, never, TenantContext | Decoding.Services<K> | NeededBy<S>>
export function takeIfDue<Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  stream: StreamName,
  read: Read<State>
): Effect.Effect<void, never, TenantContext | Decoding.Services<K> | SnapshotStore> {
  const { name, snapshots } = aggregate
  const events = snapshots === undefined ? 0 : closed(aggregate.joins, read.stored)
  if (snapshots === undefined || events === 0) return Effect.void
  return Effect.flatMap(Clock.currentTimeMillis, (now) =>
    snapshots.policy.isDue(standing(read, events, now))
      ? take(aggregate, snapshots, stream, read).pipe(
          Effect.timeout(patience),
          harmless(name, "unsaved", `No snapshot of ${stream} could be taken; the command is done`),
          Effect.asVoid
        )
      : Effect.void
  )
}

// A command waits no longer than this for what only makes the next one faster.
const patience = "2 seconds"

/** Keeps the state of the last version at which nothing can be joined any more; answers with the version, 0 for none. */
export const take = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  snapshots: Snapshots<State>,
  stream: StreamName,
  { base, from, isBarred, state, stored }: Read<State>
): Effect.Effect<number, SnapshotError | EventStoreError, SnapshotStore | TenantContext | Decoding.Services<K>> => {
  const events = closed(aggregate.joins, stored)
  const last = stored[events - 1]
  if (last === undefined) return Effect.succeed(base?.version ?? 0)
  const { id: event, version } = last
  const folded: Decoded.Folded<State, Decoding.Services<K>> = events === stored.length
    ? Result.succeed(state)
    : Decoded.foldStream({ ...aggregate, initial: from }, stored.slice(0, events))
  return Effect.gen(function* () {
    const store = yield* SnapshotStore
    const encoded = snapshots.encode(yield* Decoded.andThen(folded, (kept) => Effect.succeed(kept)))
    if (Result.isFailure(encoded)) {
      const issues = encoded.failure.map(({ message, path }) => ({ path, message }))
      return yield* new SnapshotError({ reason: new InvalidSnapshot({ stream, issues }) })
    }
    if (isBarred) yield* store.remove(stream)
    const takenAt = yield* Clock.currentTimeMillis
    yield* store.save({ stream, version, event, schema: snapshots.schema, takenAt, state: encoded.success })
    yield* counted(aggregate.name, "taken")
    return version
  })
}

/** Whether an event can become one with what follows it. */
const isOpen = (joins: ReadonlyArray<Join<unknown>>, stored: Stored): boolean =>
  joins.some(({ parts }) => parts.some(({ tag }) => tag === stored.type))

/** How many of these events, from the first on, no later event can change any more. */
const closed = (joins: ReadonlyArray<Join<unknown>>, stored: ReadonlyArray<Stored>): number =>
  joins.length === 0 ? stored.length : stored.findLastIndex((one) => !isOpen(joins, one)) + 1

const standing = ({ base, stored }: Read<unknown>, events: number, now: number): Standing => {
  const since = base?.takenAt ?? stored[0]?.recordedAt ?? now
  return {
    version: stored[events - 1]?.version ?? 0,
    events,
    get size() {
      return stored.slice(0, events).reduce((sum, { data }) => sum + JSON.stringify(data).length, 0)
    },
    age: Math.max(0, now - since)
  }
}

/** Goes on without what failed or died, and says so. */
const harmless =
  (name: string, outcome: string, message: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | undefined, never, R> =>
    Effect.catchCause(self, (cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.interrupt
        : Effect.as(Effect.andThen(counted(name, outcome), Effect.logWarning(message, cause)), undefined)
    )

/** Says of a snapshot why it is ignored: loudly where it should not happen. */
const told = (name: string, { stream, version }: Snapshot, { because, issues }: Unusable): Effect.Effect<void> => {
  const line = `The snapshot of ${stream} at version ${version} is ignored: ${reasons[because]}`
  const log = because === "corrupt" ? Effect.logWarning(`${line}: ${FieldIssue.format(issues)}`) : Effect.logDebug(line)
  return Effect.andThen(counted(name, because), log)
}

const reasons: Record<Because, string> = {
  schema: "another schema wrote it",
  corrupt: "its state does not fit its schema",
  history: "the stream has another event at this version, or none",
  joined: "its last event can be joined with the next"
}

const outcomes = Metric.counter("effect_cqrs_snapshots", {
  description: "Snapshots that loads looked for and commands took, by aggregate and outcome",
  incremental: true
})

const counted = (aggregate: string, outcome: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(outcomes, { aggregate, outcome }), 1)
