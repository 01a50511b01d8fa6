/** What the parts of a group's worker share. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type * as IntegrationEvent from "../../../domain/IntegrationEvent.ts"
import type { Metadata } from "../../../domain/Metadata.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { Name } from "../../EventGroupsDriver.ts"

interface Delivery<out E> {
  readonly id: string
  readonly tenant: TenantId
  readonly event: E
  readonly metadata: Metadata
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
