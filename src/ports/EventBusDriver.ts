/**
 * What an adapter of an event bus implements.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import type { Actor } from "../domain/Actor.ts"
import * as IntegrationEvent from "../domain/IntegrationEvent.ts"
import type { Metadata } from "../domain/Metadata.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { EventBusError } from "./EventBusError.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * What a bus promises, as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Promises {
  /** How often a subscriber that listens is handed an event. */
  readonly delivery: "at most once" | "at least once"
  /** Among which events everybody hears the order of publishing: all, those of one tenant, or those of one key. */
  readonly order: "all" | "tenant" | "key"
  /** Who hears: this process, or all that are connected. */
  readonly reach: "process" | "processes"
  /** Whether what was published is kept for who does not listen now. */
  readonly durable: boolean
  /** Whether an event leaves with the commit itself; otherwise right after it, and a process that ends in between loses it. */
  readonly transactional: boolean
}

/**
 * Where a driver hands what comes.
 *
 * **Details**
 *
 * - `take`: an envelope as a value of JSON, in the order of publishing; each once, however many interests it meets. What came
 *   and is none goes here as well, as it came: it is reported.
 * - `up`: from here on everything is heard that {@link Driver.listen} asked for. `down`: from here on events may be missed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Receiver {
  readonly take: (received: unknown) => void
  readonly up: () => void
  readonly down: () => void
}

/**
 * What an adapter implements. It moves envelopes, and knows nothing of classes of events; selecting, reading, tenants and
 * handlers are the bus's: `EventBus.layerDriver`.
 *
 * **Details**
 *
 * - `publish` sends envelopes of one tenant in this order; nobody overtakes them who publishes after it has completed. When
 *   there is no connection it fails at once.
 * - `listen` has the events of a tenant, or of all, come to the receiver until the scope closes. Once it has completed they are
 *   heard, unless the bus is down: then from when it is up. It is asked once for each tenant at a time.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver<out P extends Promises = Promises> {
  /** What the bus is called in errors, logs and metrics. */
  readonly name: string
  readonly promises: P
  readonly publish: (
    envelopes: Arr.NonEmptyReadonlyArray<IntegrationEvent.Envelope>
  ) => Effect.Effect<void, EventBusError>
  readonly listen: (tenant: TenantId | undefined) => Effect.Effect<void, EventBusError, Scope.Scope>
}

/**
 * The same driver, for a broker that knows nothing of the program's transactions: what a unit of work publishes leaves after
 * its commit, in the order of publishing, or never.
 *
 * **Gotchas**
 *
 * Whoever published is gone by then: what the broker does not take after a commit is logged with types and ids, and counted in
 * `effect_cqrs_bus_lost_total`. What must not be lost goes through an outbox, or is read from the log.
 *
 * @category adapters
 * @since 0.1.0
 */
export const afterCommit = <P extends Promises>(driver: Driver<P>): Effect.Effect<Driver<P>, never, UnitOfWork> =>
  Effect.map(UnitOfWork, (unit) => {
    const lost = Metric.withAttributes(losses, { bus: driver.name })
    return {
      ...driver,
      publish: (envelopes) =>
        Effect.flatMap(unit.isOpen, (isOpen) =>
          isOpen
            ? unit.afterCommit(
                Effect.catchCause(driver.publish(envelopes), (cause) =>
                  Effect.logError("Events were lost after their commit", cause).pipe(
                    Effect.annotateLogs({ bus: driver.name, events: envelopes.map(({ id, type }) => `${type} ${id}`) }),
                    Effect.andThen(Metric.update(lost, envelopes.length))
                  )
                )
              )
            : driver.publish(envelopes)
        )
    }
  })

const losses = Metric.counter("effect_cqrs_bus_lost_total", {
  description: "Events that the broker did not take after their commit",
  incremental: true
})

/**
 * An event in the envelope it travels in among processes of one program: with its actor and attributes, which others are
 * never told.
 *
 * @category conversions
 * @since 0.1.0
 */
export const envelope = (
  source: string,
  message: Parameters<typeof IntegrationEvent.envelope>[1]
): IntegrationEvent.Envelope => {
  const { actor, attributes } = message.metadata
  const made = IntegrationEvent.envelope(source, message)
  return Object.assign(
    made,
    actor !== undefined && { actor: `${actor.kind}:${actor.id}` },
    attributes !== undefined && { attributes: new URLSearchParams(attributes).toString() }
  )
}

/**
 * All the metadata of an envelope that {@link envelope} has made.
 *
 * @category conversions
 * @since 0.1.0
 */
export const metadata = ({
  envelope: { actor, attributes },
  metadata
}: IntegrationEvent.Received<unknown>): Metadata => {
  if (actor === undefined && attributes === undefined) return metadata
  return Object.assign(
    {},
    metadata,
    actor !== undefined && { actor: actorOf(actor) },
    attributes !== undefined && { attributes: Object.fromEntries(new URLSearchParams(attributes)) }
  )
}

/**
 * What came as text, as a value of JSON; the text itself when it is none.
 *
 * @category conversions
 * @since 0.1.0
 */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const actorOf = (text: string): Actor => {
  const at = text.indexOf(":")
  const kind = text.slice(0, at)
  const id = text.slice(at + 1)
  return { id, kind: kind === "user" || kind === "service" ? kind : "system" }
}
