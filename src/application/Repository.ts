/**
 * Aggregates and the log: load, decide, append, and decide again after a lost race.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Aggregate } from "../domain/Aggregate.ts"
import type { Decide, ErrorOf } from "../domain/Decider.ts"
import type * as Decoding from "../domain/Decoding.ts"
import type * as Event from "../domain/Event.ts"
import * as Fold from "../domain/Fold.ts"
import * as Position from "../domain/Position.ts"
import type { StreamName } from "../domain/StreamName.ts"
import * as EventStore from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import * as Decoded from "./internal/decoding.ts"

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
}

/**
 * Loads an aggregate by folding its stream.
 *
 * @category loading
 * @since 0.1.0
 */
export const load = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  id: string
): Effect.Effect<Loaded<State>, EventStoreError, EventStore.EventStore | TenantContext | Decoding.Services<K>> => {
  const stream = aggregate.stream(id)
  return Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.flatMap(store.readStream(stream), (stored) =>
      Decoded.andThen(Decoded.foldStream(aggregate, stored), (state) =>
        Effect.succeed({ stream, state, version: versionOf(stored) })
      )
    )
  )
}

/**
 * Loads an aggregate, decides on a command, and appends what follows; the caller learns the new state and version.
 *
 * **Details**
 *
 * The append expects the version that was loaded. When somebody else was faster, the aggregate is loaded and the decision
 * made again, up to `retries` times with growing, jittered pauses; then the `VersionConflict` is the caller's. A decision of
 * no events appends nothing.
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
  Command,
  Decision extends Result.Result<ReadonlyArray<E>, unknown>
>(
  aggregate: Aggregate<Name, State, E, K>,
  id: string,
  command: Command,
  decide: (command: Command, state: NoInfer<State>) => Decision,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | ErrorOf<Decision>,
  EventStore.EventStore | TenantContext | Decoding.Services<K>
>
export function execute<Name extends string, State, E extends Event.Any, K extends Decoding.Kind, Command, Error>(
  aggregate: Aggregate<Name, State, E, K>,
  id: string,
  command: Command,
  decide: Decide<Command, State, E, Error>,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | Error,
  EventStore.EventStore | TenantContext | Decoding.Services<K>
> {
  const stream = aggregate.stream(id)
  const retries = options?.retries ?? 10
  type Services = TenantContext | Decoding.Services<K>
  type Attempt = Effect.Effect<Committed<State, E>, EventStoreError | Error, Services>

  const attempt = (store: EventStore.EventStore["Service"], tried: number): Attempt =>
    Effect.flatMap(store.readStream(stream), (stored) =>
      Decoded.andThen(Decoded.foldStream(aggregate, stored), (state) =>
        attemptAt(store, state, versionOf(stored), tried)
      )
    )

  const attemptAt = (
    store: EventStore.EventStore["Service"],
    state: State,
    version: number,
    tried: number
  ): Attempt => {
    const decision = decide(command, state)
    if (Result.isFailure(decision)) return Effect.fail(decision.failure)
    const events = decision.success
    if (events.length === 0) return Effect.succeed({ stream, state, version, events, position: Position.start })
    return store.append({ stream, expected: version, events }).pipe(
      Effect.map((receipt) => ({
        stream,
        events,
        state: Fold.run({ initial: state, evolve: aggregate.evolve }, events),
        version: receipt.version,
        position: receipt.position
      })),
      Effect.catch(
        (error): Attempt =>
          error.reason._tag === "VersionConflict" && tried < retries
            ? Effect.andThen(pause(tried), attempt(store, tried + 1))
            : Effect.fail(error)
      )
    )
  }

  return Effect.flatMap(EventStore.EventStore, (store) => attempt(store, 0))
}

const versionOf = (stored: ReadonlyArray<{ readonly version: number }>): number => stored.at(-1)?.version ?? 0

// The first two tries follow at once: most races have one winner. Then up to 1, 2, 4 ... 64 ms.
const pause = (tried: number): Effect.Effect<void> =>
  tried < 2
    ? Effect.yieldNow
    : Effect.flatMap(Random.next, (random) => Effect.sleep(random * 2 ** Math.min(tried - 2, 6)))
