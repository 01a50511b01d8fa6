/**
 * Aggregates and the log: load, decide, append, and decide again after a lost race.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Aggregate } from "../domain/Aggregate.ts"
import type { Decide, ErrorOf } from "../domain/Decider.ts"
import type * as Decoding from "../domain/Decoding.ts"
import type * as Event from "../domain/Event.ts"
import * as Fold from "../domain/Fold.ts"
import * as Position from "../domain/Position.ts"
import type { Snapshots, Verification } from "../domain/Snapshots.ts"
import type { StreamName } from "../domain/StreamName.ts"
import * as EventStore from "../ports/EventStore.ts"
import { EventStoreError } from "../ports/EventStoreError.ts"
import * as Precondition from "../ports/Precondition.ts"
import * as Receipt from "../ports/Receipt.ts"
import type { NeededBy, SnapshotError, SnapshotStore } from "../ports/SnapshotStore.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import * as Merging from "./internal/merging.ts"
import { pause } from "./internal/pause.ts"
import { repeated } from "./internal/repeated.ts"
import * as Loading from "./internal/snapshots.ts"
import * as Verifying from "./internal/verifying.ts"

/**
 * An aggregate as it stands: version 0 and the initial state when nothing ever happened to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded<out State> {
  readonly stream: StreamName
  readonly state: State
  readonly version: number
}

/**
 * An aggregate after a decision: the events that followed, and where the last one stands (0 when there were none).
 *
 * @category models
 * @since 0.1.0
 */
export interface Committed<out State, out E> extends Loaded<State> {
  readonly events: ReadonlyArray<E>
  readonly position: Position.Position
}

/**
 * How to execute a decision.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often to decide again when somebody else appended in between; 10 when absent, 0 for never. */
  readonly retries?: number | undefined
  /**
   * What follows when somebody else appended in between; `"retry"` when absent.
   *
   * - `"retry"`: load and decide again.
   * - `"fail"`: the `VersionConflict` is the caller's at once.
   * - `"merge"`: where every event in between commutes with every new one, by what the aggregate declares in `commutes`, the
   *   events are appended after them as they were decided; otherwise as with `"retry"`. The decision is not asked again, so
   *   it is for decisions that the commuting events cannot change.
   */
  readonly onConflict?: "fail" | "retry" | "merge" | undefined
  /**
   * What this execution is called, for instance the id of its command or the key that a client sends with each of its tries. An
   * aggregate appends under an id once: executed again, nothing is decided, and the result is that of the first time. A
   * decision that refused, or of no events, leaves its id free.
   */
  readonly id?: string | undefined
}

/**
 * Loads an aggregate by folding its stream: from its newest usable snapshot on, where it declares snapshots.
 *
 * @category loading
 * @since 0.1.0
 */
export const load = <
  Name extends string,
  State,
  E extends Event.Any,
  K extends Decoding.Kind,
  S extends Snapshots<State> | undefined
>(
  aggregate: Aggregate<Name, State, E, K, S>,
  id: string
): Effect.Effect<
  Loaded<State>,
  EventStoreError,
  EventStore.EventStore | TenantContext | Decoding.Services<K> | NeededBy<S>
> => {
  const stream = aggregate.stream(id)
  return Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.map(Loading.read(aggregate, store, stream), ({ state, version }) => ({ stream, state, version }))
  )
}

/**
 * Loads an aggregate, decides on a command, and appends what follows; the caller learns the new state and version.
 *
 * **Details**
 *
 * The append expects the version that was loaded. When somebody else was faster, the aggregate is loaded and the decision
 * made again, up to `retries` times with growing, jittered pauses; then the `VersionConflict` is the caller's. A decision of
 * no events appends nothing. Where the command's sender expects a version (see `CommandBus.Options`), another is a
 * `VersionConflict` at once, before and after the decision.
 *
 * **Example** (A counter)
 *
 * ```ts
 * import { Aggregate, Event, Memory, Repository, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Result from "effect/Result"
 * import * as Schema from "effect/Schema"
 *
 * class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
 * const Counter = Aggregate.make("Counter", { events: [Added], initial: 0 }).evolve({ Added: (sum, { n }) => sum + n })
 * const add = (n: number, sum: number) => (sum + n > 10 ? Result.fail("full") : Result.succeed([new Added({ n })]))
 *
 * const program = Effect.gen(function* () {
 *   yield* Repository.execute(Counter, "c-1", 4, add)
 *   const { state, version } = yield* Repository.execute(Counter, "c-1", 5, add)
 *   return { state, version }
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => { state: 9, version: 2 }
 * ```
 *
 * @category executing
 * @since 0.1.0
 */
export function execute<
  Name extends string,
  State,
  E extends Event.Any,
  K extends Decoding.Kind,
  S extends Snapshots<State> | undefined,
  Command,
  Decision extends Result.Result<ReadonlyArray<E>, unknown>
>(
  aggregate: Aggregate<Name, State, E, K, S>,
  id: string,
  command: Command,
  decide: (command: Command, state: NoInfer<State>) => Decision,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | ErrorOf<Decision>,
  EventStore.EventStore | TenantContext | Decoding.Services<K> | NeededBy<S>
>
export function execute<
  Name extends string,
  State,
  E extends Event.Any,
  K extends Decoding.Kind,
  S extends Snapshots<State> | undefined,
  Command,
  Error
>(
  aggregate: Aggregate<Name, State, E, K, S>,
  id: string,
  command: Command,
  decide: Decide<Command, State, E, Error>,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | Error,
  EventStore.EventStore | TenantContext | Decoding.Services<K> | NeededBy<S>
> {
  const stream = aggregate.stream(id)
  const retries = options?.onConflict === "fail" ? 0 : (options?.retries ?? 10)
  type Attempt = Effect.Effect<
    Committed<State, E>,
    EventStoreError | Error,
    TenantContext | Decoding.Services<K> | NeededBy<S>
  >

  const attempt = (store: EventStore.EventStore["Service"], tried: number): Attempt =>
    options?.id === undefined
      ? decided(store, tried)
      : Effect.flatMap(repeated(aggregate, store, stream, options.id), (before) =>
          before === undefined
            ? decided(store, tried)
            : Effect.as(
                Receipt.note({ stream, version: before.version, position: before.position, repeated: true }),
                before
              )
        )

  const decided = (store: EventStore.EventStore["Service"], tried: number): Attempt =>
    Effect.flatMap(Loading.read(aggregate, store, stream), (read) =>
      Effect.withFiber((fiber): Attempt => {
        const { state, version } = read
        const check = Precondition.of(fiber, stream, id)
        const refused = check?.(version)
        if (refused !== undefined) return Effect.fail(new EventStoreError({ reason: refused }))
        const decision = decide(command, state)
        if (Result.isFailure(decision)) return Effect.fail(decision.failure)
        const events = decision.success
        if (events.length === 0) return Effect.succeed({ stream, state, version, events, position: Position.start })
        const committed = append(store, events, { state, version }, check === undefined ? tried : retries)
        return aggregate.snapshots === undefined
          ? committed
          : Effect.tap(committed, Loading.takeIfDue(aggregate, stream, read))
      })
    )

  const append = (
    store: EventStore.EventStore["Service"],
    events: ReadonlyArray<E>,
    { state, version }: Merging.Merged<State>,
    tried: number
  ): Attempt =>
    store.append({ stream, expected: version, events, id: options?.id }).pipe(
      Effect.map((receipt) =>
        // Somebody else has executed it at the same time, and was faster.
        receipt.repeated === true
          ? attempt(store, tried)
          : Effect.succeed({
              stream,
              events,
              state: Fold.run({ initial: state, evolve: aggregate.evolve }, events),
              version: receipt.version,
              position: receipt.position
            })
      ),
      Effect.catch((error) => {
        if (error.reason._tag !== "VersionConflict" || tried >= retries) return Effect.fail(error)
        const again = attempt(store, tried + 1)
        return Effect.succeed(
          Effect.andThen(
            pause(tried),
            options?.onConflict !== "merge"
              ? again
              : Effect.flatMap(Merging.merge(aggregate, store, stream, { state, version }, events), (merged) =>
                  merged === undefined ? again : append(store, events, merged, tried + 1)
                )
          )
        )
      }),
      Effect.flatten
    )

  return Effect.flatMap(EventStore.EventStore, (store) => attempt(store, 0))
}

/**
 * Takes a snapshot of an aggregate as it stands, whatever its policy says; answers with the version that it is of.
 *
 * **Details**
 *
 * It is 0 when there is nothing to keep: no event, or only events that can still be joined with what follows. Unlike a
 * snapshot that a command takes, one that cannot be kept is a failure.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const snapshot = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K, Snapshots<State>>,
  id: string
): Effect.Effect<
  number,
  EventStoreError | SnapshotError,
  EventStore.EventStore | SnapshotStore | TenantContext | Decoding.Services<K>
> => {
  const stream = aggregate.stream(id)
  return Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.flatMap(Loading.read(aggregate, store, stream), (read) =>
      Loading.take(aggregate, aggregate.snapshots, stream, read)
    )
  )
}

/**
 * Compares the snapshot of an aggregate with a fold of all its events.
 *
 * **Details**
 *
 * It finds what a schema cannot: a snapshot that was taken with another `evolve`, or with an upcaster that has been corrected
 * since. The way out is another `version` of the aggregate's snapshots. It reads the whole stream.
 *
 * @category snapshots
 * @since 0.1.0
 */
export const verify = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K, Snapshots<State>>,
  id: string
): Effect.Effect<
  Verification,
  EventStoreError | SnapshotError,
  EventStore.EventStore | SnapshotStore | TenantContext | Decoding.Services<K>
> => Verifying.verify(aggregate, aggregate.stream(id))
