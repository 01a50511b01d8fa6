/** What is published, who wants it, and what is done with it. */
import type * as Effect from "effect/Effect"
import type * as Event from "../../../domain/Event.ts"
import type { Metadata } from "../../../domain/Metadata.ts"
import type { TenantId } from "../../../domain/TenantId.ts"

/**
 * An event as it travels: its own id, whose it is, and what it belongs to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Published<out E = Event.Any> {
  readonly id: string
  readonly tenant: TenantId
  readonly event: E
  readonly metadata: Metadata
}

/**
 * Which events a subscriber wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Selector<out E> {
  readonly name: string
  readonly accepts: (event: Event.Any) => boolean
  /** The types that it names, where it names some: a bus that reads none of such a type refuses it. */
  readonly types?: ReadonlyArray<string> | undefined
  /** Nothing at run time: the type of the accepted events. */
  readonly "~event"?: E | undefined
}

/**
 * What a subscriber does with an event. It runs as the event's tenant, caused by the event.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<in E, out Error, out R> = (published: Published<E>) => Effect.Effect<unknown, Error, R>
