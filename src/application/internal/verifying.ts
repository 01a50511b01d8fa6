/** A snapshot beside a fold of all events: whether they agree, and where they do not. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Aggregate } from "../../domain/Aggregate.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import type { Snapshots, Verification } from "../../domain/Snapshots.ts"
import type { StreamName } from "../../domain/StreamName.ts"
import { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import { type SnapshotError, SnapshotStore } from "../../ports/SnapshotStore.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import * as Decoded from "./decoding.ts"
import * as Loading from "./snapshots.ts"

export const verify = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K, Snapshots<State>>,
  stream: StreamName
): Effect.Effect<
  Verification,
  EventStoreError | SnapshotError,
  EventStore | SnapshotStore | TenantContext | Decoding.Services<K>
> =>
  Effect.gen(function* () {
    const { snapshots } = aggregate
    const store = yield* EventStore
    const found = yield* (yield* SnapshotStore).load(stream)
    if (Option.isNone(found)) return { _tag: "Absent" }
    const base = found.value
    const resumed = yield* Loading.resume(aggregate, snapshots, store, base)
    if (!("state" in resumed)) return { _tag: "Ignored", version: base.version, ...resumed }
    // Both are of the same events, whatever is appended meanwhile.
    const stored = yield* store.readStream(stream, { ...Decoded.whole, toVersion: resumed.version })
    const kept = stored.findIndex(({ version }) => version > base.version)
    const before = kept === -1 ? stored : stored.slice(0, kept)
    const at = yield* Decoded.andThen(Decoded.foldStream(aggregate, before), (state) => Effect.succeed(state))
    const full = yield* Decoded.andThen(Decoded.foldStream(aggregate, stored), (state) => Effect.succeed(state))
    return (
      compare(snapshots, base.version, resumed.from, at) ??
      compare(snapshots, resumed.version, resumed.state, full) ?? { _tag: "Same", version: base.version }
    )
  })

const compare = <State>(
  snapshots: Snapshots<State>,
  version: number,
  one: State,
  other: State
): Verification | undefined => {
  const [snapshot, full] = [snapshots.encode(one), snapshots.encode(other)]
  if (Result.isFailure(full)) return { _tag: "Unfit", version, issues: full.failure }
  if (Result.isFailure(snapshot)) return { _tag: "Unfit", version, issues: snapshot.failure }
  const difference = firstDifference("", snapshot.success, full.success)
  return difference === undefined ? undefined : { _tag: "Different", version, ...difference }
}

interface Difference {
  readonly path: string
  readonly snapshot: unknown
  readonly full: unknown
}

/** The first place in which two JSON values are not the same; the order of an object's keys is nobody's. */
const firstDifference = (path: string, snapshot: unknown, full: unknown): Difference | undefined => {
  if (Object.is(snapshot, full) || (snapshot === 0 && full === 0)) return undefined
  if (Array.isArray(snapshot) && Array.isArray(full)) {
    const length = Math.max(snapshot.length, full.length)
    for (let index = 0; index < length; index++) {
      const found = firstDifference(`${path}[${index}]`, snapshot[index], full[index])
      if (found !== undefined) return found
    }
    return undefined
  }
  const [some, others] = [entriesOf(snapshot), entriesOf(full)]
  if (some === undefined || others === undefined) return { path, snapshot, full }
  for (const key of new Set([...some.keys(), ...others.keys()].sort())) {
    const found = firstDifference(path === "" ? key : `${path}.${key}`, some.get(key), others.get(key))
    if (found !== undefined) return found
  }
  return undefined
}

const entriesOf = (value: unknown): ReadonlyMap<string, unknown> | undefined =>
  Predicate.isObject(value) && !Array.isArray(value) ? new Map(Object.entries(value)) : undefined
