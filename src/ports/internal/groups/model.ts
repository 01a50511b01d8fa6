/** What the parts of a group's worker share. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type * as IntegrationEvent from "../../../domain/IntegrationEvent.ts"
import type { Name } from "../../EventGroupsDriver.ts"
import type { Published } from "../eventBus/model.ts"

/**
 * An event as a handler gets it.
 *
 * **Details**
 *
 * - `key` is what orders it: events of one key are handled one after the other.
 * - `position` is its place in the sender's log.
 * - `idempotencyKey` is `tenant/group/id`: the same each time this event is delivered to this group. Effects elsewhere happen
 *   once if whoever has them remembers it, as an `Inbox` does.
 * - `token` grows with every change of the `segment`'s owner: a system that refuses a smaller token than one it has seen for
 *   this segment refuses what a former owner still does.
 * - `attempt` counts from 1.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery<out E> extends Published<E> {
  readonly group: string
  readonly key: string
  readonly position: number
  readonly segment: number
  readonly token: number
  readonly attempt: number
  readonly idempotencyKey: string
}

export type AnyDelivery = Delivery<Event.Any>

export interface Definition<R> extends Name {
  readonly types: ReadonlySet<string>
  readonly registry: IntegrationEvent.Registry<Event.Any>
  readonly unknown: "pass" | "park"
  readonly where: ((delivery: AnyDelivery) => boolean) | undefined
  readonly handle: (delivery: AnyDelivery) => Effect.Effect<unknown, unknown, R>
  /** Nothing where events are handled one by one. */
  readonly handleBatch: ((deliveries: ReadonlyArray<AnyDelivery>) => Effect.Effect<unknown, unknown, R>) | undefined
  readonly lease: Duration.Duration
  readonly poll: Duration.Duration
  readonly batchSize: number
  readonly concurrency: number
  readonly timeout: Duration.Duration | undefined
  readonly retry: {
    readonly times: number
    readonly base: Duration.Duration
    readonly later: ReadonlyArray<Duration.Duration>
  }
  /** So many entries of one segment may be parked before nothing more is taken of it. */
  readonly maxParked: number
}
