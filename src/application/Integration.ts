/**
 * Telling others what has happened, and learning it from them: translations on the way out, an inbox on the way in.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Event from "../domain/Event.ts"
import type * as IntegrationEvent from "../domain/IntegrationEvent.ts"
import type { RecordedEvent } from "../domain/RecordedEvent.ts"
import * as EventBus from "../ports/EventBus.ts"
import type { EventBusError } from "../ports/EventBusError.ts"
import * as Inbox from "../ports/Inbox.ts"
import type { InboxError } from "../ports/InboxError.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import * as Outbox from "../ports/Outbox.ts"
import type { OutboxError } from "../ports/OutboxError.ts"
import * as TenantContext from "../ports/TenantContext.ts"
import type { UnitOfWork, UnitOfWorkError } from "../ports/UnitOfWork.ts"
import * as Subscription from "./Subscription.ts"

/**
 * Translates every event as it comes, and enqueues what others may know of it.
 *
 * **Details**
 *
 * Run it with `Subscription.layer`, and a `Relay.forward` of the queue that hands `IntegrationEvent.envelope` to a broker. The
 * id of a public event is that of its event (with a number, where there are several), its key the stream, its cause the
 * event: it is the same however often it is sent.
 *
 * @category sending
 * @since 0.1.0
 */
export const throughOutbox = (
  translation: IntegrationEvent.Translation,
  options?: { readonly queue?: string | undefined; readonly batchSize?: number | undefined }
): Subscription.Subscription<OutboxError, Outbox.Outbox> =>
  Subscription.make(`integration/${translation.source}`, {
    events: translation.from,
    batchSize: options?.batchSize,
    handle: (recorded) => Outbox.enqueueAll(outgoing(translation, recorded, options?.queue ?? translation.source))
  })

/**
 * Translates every event as it comes, and announces what others may know of it to whoever listens. Who did it is not told.
 *
 * @category sending
 * @since 0.1.0
 */
export const throughBus = (
  translation: IntegrationEvent.Translation
): Subscription.Subscription<EventBusError, EventBus.EventBus> =>
  Subscription.make(`integration/${translation.source}/bus`, {
    events: translation.from,
    handle: (recorded) =>
      Effect.flatMap(EventBus.EventBus, (bus) => {
        const events = translation.translate(recorded)
        return events.length === 0
          ? Effect.void
          : Effect.updateService(bus.publish(events), MessageContext.MessageContext, told)
      })
  })

/**
 * Handles what came from others: read by its contract, once, as its tenant, with the public event as cause.
 *
 * **Details**
 *
 * `handle` runs in a unit of work with the note in the inbox; `None` means that it was handled before. What cannot be read is
 * given to `unread`, which has to keep it: nothing that came is dropped without a word. The sender's tenant is taken for
 * ours unless `tenant` says otherwise; `undefined` there means that the event is none of ours.
 *
 * **Example** (Twice the same, and one that nobody knows)
 *
 * ```ts
 * import { Event, IntegrationEvent, Integration, Memory } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("shop.order-placed", { order: Schema.String }) {}
 *
 * const log: Array<string> = []
 * const receive = Integration.receiver("billing", {
 *   registry: IntegrationEvent.registry([OrderPlaced]),
 *   handle: ({ event }) => Effect.sync(() => log.push(`bill ${event.order}`)),
 *   unread: (problem) => Effect.sync(() => log.push(problem.message))
 * })
 *
 * const from = (id: string, type: string, data: unknown) =>
 *   IntegrationEvent.envelope("shop", {
 *     id,
 *     tenant: "acme",
 *     key: undefined,
 *     metadata: { correlationId: "c", occurredAt: 0 },
 *     message: { type, version: 1, data }
 *   })
 * const placed = from("1", "shop.order-placed", { order: "o-1" })
 * const all = [placed, placed, from("2", "shop.closed", {})]
 * await Effect.runPromise(Effect.forEach(all, receive).pipe(Effect.provide(Memory.layer)))
 * log // => ["bill o-1", "No contract reads shop.closed in version 1 (2 of shop)"]
 * ```
 *
 * @category receiving
 * @since 0.1.0
 */
export const receiver = <P, A, E, R, A2, E2, R2>(
  consumer: string,
  options: {
    readonly registry: IntegrationEvent.Registry<P>
    readonly handle: (received: IntegrationEvent.Received<P>) => Effect.Effect<A, E, R>
    readonly unread: (problem: IntegrationEvent.Unread) => Effect.Effect<A2, E2, R2>
    readonly tenant?: ((envelope: IntegrationEvent.Envelope) => string | undefined) | undefined
  }
): ((
  received: unknown
) => Effect.Effect<
  Option.Option<A>,
  E | E2 | InboxError | UnitOfWorkError,
  Exclude<R | Inbox.Inbox | UnitOfWork, TenantContext.TenantContext> | R2
>) => {
  const once = Inbox.once(consumer, ({ envelope }: IntegrationEvent.Received<P>) => ({
    id: `${envelope.source}/${envelope.id}`
  }))(options.handle)
  return (received) => {
    const decoded = options.registry.decode(received)
    if (Result.isFailure(decoded)) return Effect.as(options.unread(decoded.failure), Option.none<A>())
    const { envelope, metadata } = decoded.success
    const tenant = options.tenant === undefined ? envelope.tenant : options.tenant(envelope)
    if (tenant === undefined) return Effect.succeed(Option.none<A>())
    return once(decoded.success).pipe(
      TenantContext.provide(tenant),
      Effect.provideService(MessageContext.MessageContext, MessageContext.ofEvent(envelope.id, metadata))
    )
  }
}

/** Actors and attributes are a program's own. */
const told = ({
  causationId,
  correlationId,
  messageId
}: MessageContext.MessageContext): MessageContext.MessageContext => ({
  messageId,
  correlationId,
  causationId,
  actor: undefined,
  attributes: undefined
})

const outgoing = (translation: IntegrationEvent.Translation, recorded: RecordedEvent<Event.Any>, queue: string) =>
  translation.translate(recorded).map((message, index) => ({
    message,
    queue,
    id: index === 0 ? recorded.id : `${recorded.id}/${index}`,
    key: recorded.stream,
    headers: { sequence: String(recorded.position) }
  }))
