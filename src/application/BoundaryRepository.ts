/**
 * Boundaries and the log: read what a decision depends on, decide, append while nothing else has happened, and decide again
 * after a lost race.
 *
 * The idea is Sara Pellegrini's "dynamic consistency boundary" (dcb.events).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Boundary, Scope } from "../domain/Boundary.ts"
import type { Decide, ErrorOf } from "../domain/Decider.ts"
import type * as Decoding from "../domain/Decoding.ts"
import type * as Event from "../domain/Event.ts"
import * as Fold from "../domain/Fold.ts"
import * as Position from "../domain/Position.ts"
import type { StreamName } from "../domain/StreamName.ts"
import * as EventStore from "../ports/EventStore.ts"
import type { Condition } from "../ports/EventStoreDriver.ts"
import { type EventStoreError, isConflict } from "../ports/EventStoreError.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import * as Decoded from "./internal/decoding.ts"
import { pause } from "./internal/pause.ts"

/**
 * What a decision depends on, and the condition that it is all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Loaded<out State> {
  readonly state: State
  readonly condition: Condition
}

/**
 * What followed from a decision, and where it stands: version and position are 0 when nothing followed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Committed<out State, out E> {
  readonly state: State
  readonly events: ReadonlyArray<E>
  readonly stream: StreamName
  readonly version: number
  readonly position: Position.Position
}

/**
 * How to execute a decision.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often to decide again when something happened in between; 10 when absent, 0 for never. */
  readonly retries?: number | undefined
  /** Where the events go; a stream named after the boundary and its tags when absent. */
  readonly stream?: StreamName | undefined
}

/**
 * Loads what a decision depends on.
 *
 * @category loading
 * @since 0.1.0
 */
export const load = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  boundary: Boundary<Name, State, E, K>,
  scope: Scope
): Effect.Effect<Loaded<State>, EventStoreError, EventStore.EventStore | TenantContext | Decoding.Services<K>> =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.flatMap(store.readMatching(boundary.query(scope)), ({ condition, events }) =>
      Decoded.andThen(Decoded.foldStream(boundary, events), (state) => Effect.succeed({ state, condition }))
    )
  )

/**
 * Reads what a command depends on, decides, and appends what follows; the caller learns the new state.
 *
 * **Details**
 *
 * The append is bound to what was read: when another event that fits was appended in between, wherever it was, all is read and
 * decided again, up to `retries` times with growing, jittered pauses; then the `AppendConditionFailed` is the caller's. A
 * decision of no events appends nothing.
 *
 * **Gotchas**
 *
 * The new events count for later decisions by their tags alone. One that does not carry the tags that it was decided over is
 * not seen by the next.
 *
 * **Example** (The last seat of a course)
 *
 * ```ts
 * import { Boundary, BoundaryRepository, Event, Memory, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Result from "effect/Result"
 * import * as Schema from "effect/Schema"
 *
 * class Enrolled extends Event.Class<Enrolled>()(
 *   "Enrolled",
 *   { course: Schema.String, student: Schema.String },
 *   { tags: ({ course, student }) => [`course:${course}`, `student:${student}`] }
 * ) {}
 *
 * const Seats = Boundary.make("Seats", { events: [Enrolled], initial: 0 }).evolve({ Enrolled: (taken) => taken + 1 })
 *
 * const enrol = ({ course, student }: { course: string; student: string }) =>
 *   BoundaryRepository.execute(Seats, [`course:${course}`], { course, student }, (command, taken) =>
 *     taken === 1 ? Result.fail("full") : Result.succeed([new Enrolled(command)])
 *   )
 *
 * const both = Effect.all([enrol({ course: "1", student: "7" }), Effect.flip(enrol({ course: "1", student: "8" }))])
 * const program = Effect.map(both, ([{ state }, refused]) => ({ state, refused }))
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))
 * // => { state: 1, refused: "full" }
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
  boundary: Boundary<Name, State, E, K>,
  scope: Scope,
  command: Command,
  decide: (command: Command, state: NoInfer<State>) => Decision,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | ErrorOf<Decision>,
  EventStore.EventStore | TenantContext | Decoding.Services<K>
>
export function execute<Name extends string, State, E extends Event.Any, K extends Decoding.Kind, Command, Error>(
  boundary: Boundary<Name, State, E, K>,
  scope: Scope,
  command: Command,
  decide: Decide<Command, State, E, Error>,
  options?: Options
): Effect.Effect<
  Committed<State, E>,
  EventStoreError | Error,
  EventStore.EventStore | TenantContext | Decoding.Services<K>
> {
  const stream = options?.stream ?? boundary.stream(scope)
  const retries = options?.retries ?? 10
  type Attempt = Effect.Effect<
    Committed<State, E>,
    EventStoreError | Error,
    EventStore.EventStore | TenantContext | Decoding.Services<K>
  >

  const attempt = (store: EventStore.EventStore["Service"], tried: number): Attempt =>
    Effect.flatMap(load(boundary, scope), ({ condition, state }): Attempt => {
      const decision = decide(command, state)
      if (Result.isFailure(decision)) return Effect.fail(decision.failure)
      const events = decision.success
      if (events.length === 0) return Effect.succeed({ state, events, stream, version: 0, position: Position.start })
      return store.append({ stream, expected: "any", events, condition }).pipe(
        Effect.map(({ position, version }) => ({
          state: Fold.run({ initial: state, evolve: boundary.evolve }, events),
          events,
          stream,
          version,
          position
        })),
        Effect.catch(
          (error): Attempt =>
            isConflict(error) && tried < retries
              ? Effect.andThen(pause(tried), attempt(store, tried + 1))
              : Effect.fail(error)
        )
      )
    })

  return Effect.flatMap(EventStore.EventStore, (store) => attempt(store, 0))
}
