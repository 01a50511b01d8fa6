/** What a projection is declared with. */
import type * as Arr from "effect/Array"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type * as RecordedEvent from "../../../domain/RecordedEvent.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { SideEffects } from "../../../ports/SideEffects.ts"
import type { Handler } from "../../CommandBus.ts"

/**
 * One function per event; each may use whatever takes part in the transaction it runs in.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<E extends Event.Any> = {
  readonly [Tag in E["_tag"]]: (
    event: Extract<E, { readonly _tag: Tag }>,
    recorded: RecordedEvent.RecordedEvent<Extract<E, { readonly _tag: Tag }>>
  ) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * What a projection is beside its handlers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never, out R = never> {
  /**
   * Counts the versions of this definition; 1 when absent. Raise it when handlers change what they write: what is read is
   * then built anew, beside what there is.
   */
  readonly version?: number | undefined
  /** The collections that belong to this projection alone: those a rebuild builds anew. */
  readonly collections?: ReadonlyArray<{ readonly name: string }> | undefined
  /**
   * The tables that belong to this projection alone, each before what depends on it; the names of views, materialized views
   * and indexes as well. Handlers and `setup` name them through `Projection.table`.
   */
  readonly tables?: ReadonlyArray<string> | undefined
  /** Creates what is not there of `tables`. It runs whenever the projection starts, and for each new version. */
  readonly setup?: Effect.Effect<unknown, E, R> | undefined
  /** At most so many events are handled in one transaction; 500 when absent. */
  readonly batchSize?: number | undefined
  /** How long to wait for a batch to fill once there is something to handle; not at all when absent. */
  readonly linger?: Duration.Input | undefined
  /** How often a batch that failed is tried again before the projection stops; 5 times when absent. */
  readonly retries?: number | undefined
}

/**
 * What a projection does to the world outside.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reacting<in E extends Event.Any, out XE, out X> {
  /**
   * Gets each event of the projection that is recorded after the projection was first started, once what is read holds it, and
   * never again for a rebuild: at least once, with `recorded.id` to tell a repetition by. It has a checkpoint of its own.
   */
  readonly react?: ((recorded: RecordedEvent.RecordedEvent<E>) => Effect.Effect<unknown, XE, X>) | undefined
}

/**
 * A function for a batch of events: at least one, in the order of the log, all of one tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchHandler<E extends Event.Any> = (
  batch: Arr.NonEmptyReadonlyArray<RecordedEvent.RecordedEvent<E>>
) => Effect.Effect<unknown, unknown, unknown>

/**
 * How the handlers of a projection can fail.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ErrorOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => Effect.Effect<infer _A, infer E, infer _R> ? E : never
}[keyof H]

/**
 * What the handlers of a projection require.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ServicesOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof H]

/**
 * The read side cannot write the log, and its handlers run again in a rebuild: those that could do harm are no handlers.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadOnly<H> =
  Extract<ServicesOf<H>, EventStore | { readonly [K in keyof Handler<string>]: unknown }> extends never
    ? Extract<ServicesOf<H>, SideEffects> extends never
      ? unknown
      : "A projection's handlers must not require SideEffects, because a rebuild runs them again: do it in `react`"
    : "A projection's handlers must not require EventStore or a command's handler: the read side cannot write the log"

/**
 * A reaction that could write the log is none either.
 *
 * @category models
 * @since 0.1.0
 */
export type ReadOnlyReaction<X> =
  Extract<X, EventStore | { readonly [K in keyof Handler<string>]: unknown }> extends never
    ? unknown
    : {
        readonly react: "A projection's reaction must not require EventStore or a command's handler: use a Subscription"
      }
