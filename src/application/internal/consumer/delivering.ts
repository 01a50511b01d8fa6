/** From stored events to calls of a consumer's handlers, and from how those end to what a consumer does about it. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Decoding from "../../../domain/Decoding.ts"
import * as Event from "../../../domain/Event.ts"
import type { RecordedEvent, Stored } from "../../../domain/RecordedEvent.ts"
import { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { Category } from "../../../ports/ParkedStoreDriver.ts"
import { TenantContext } from "../../../ports/TenantContext.ts"
import * as Decoded from "../decoding.ts"
import * as Flow from "../flow.ts"
import { asEvents } from "../reader.ts"
import type { Failed, Item, Outcome, Round } from "./model.ts"

/** An event as it is delivered to a handler. */
export interface Delivery<out E> extends RecordedEvent<E> {
  readonly consumer: string
  readonly key: string
  readonly segment: number
  readonly token: number
  readonly attempt: number
  readonly idempotencyKey: string
}

export interface Decoder<R> {
  readonly decode: Decoded.Decode<Event.Any, R>
  readonly classes: ReadonlyArray<Event.AnyClass<Decoding.Kind>>
  readonly where: ((recorded: RecordedEvent<Event.Any>) => boolean) | undefined
}

type Handle<A, R> = (of: A) => Effect.Effect<unknown, unknown, R>
type Handling<R> = (items: ReadonlyArray<Item>, round: Round) => Effect.Effect<Outcome, never, R>

const handled = { _tag: "Handled" } as const

/** Handles one event after the other; `as` is what that is in a flow, beside the consumer's name. */
export const single = <R, R2>(
  decoder: Decoder<R>,
  handle: Handle<Delivery<Event.Any>, R2>,
  timeout: Duration.Duration | undefined,
  as = ""
): Handling<Exclude<R | R2, TenantContext>> => {
  const limited = withTimeout(timeout)
  return (items, round) =>
    Effect.withFiber((fiber) => {
      const run = asEvents()
      const recorder = Flow.recorderOf(fiber)
      const plain = (delivery: Delivery<Event.Any>) => limited(run(delivery, handle(delivery)))
      const deliver =
        recorder === undefined
          ? plain
          : (delivery: Delivery<Event.Any>) =>
              Flow.handling(recorder, `${delivery.consumer}${as}`, [toHandled(delivery, round)], plain(delivery))
      let index = 0
      let isDecoding = true
      const next = () => {
        const item = items[index]
        if (item === undefined) return Effect.void
        isDecoding = true
        if (item.problem !== undefined) return Effect.fail(unkeyed(index, item.problem))
        const decoded = decoder.decode(item.stored)
        if (decoded._tag !== "Success") {
          return Effect.flatMap(decodeOne(decoder, item, round), (deliveries) => {
            isDecoding = false
            return Effect.forEach(deliveries, deliver, { discard: true })
          })
        }
        if (decoder.where?.(decoded.success) === false) return Effect.void
        isDecoding = false
        return deliver(toDelivery(decoded.success, item, round))
      }
      const all = Effect.whileLoop({ while: () => index < items.length, body: next, step: () => void index++ })
      return Effect.catchCause(Effect.as(all, handled), (cause): Effect.Effect<Outcome> => {
        const item = items[index]
        const error = cause.reasons.find(Cause.isFailReason)?.error
        if (isFailed(error)) return Effect.succeed(error)
        return Effect.succeed(
          isDecoding && item !== undefined ? undecodable(decoder, item.stored, index, cause) : failed(index, cause)
        )
      })
    })
}

/** Handles all events of a tenant as one. */
export const batch = <R, R2>(
  decoder: Decoder<R>,
  handle: Handle<ReadonlyArray<Delivery<Event.Any>>, R2>,
  timeout: Duration.Duration | undefined
): Handling<Exclude<R | R2, TenantContext>> => {
  const limited = withTimeout(timeout)
  return Effect.fnUntraced(function* (items, round) {
    const recorder = yield* Effect.withFiber((fiber) => Effect.succeed(Flow.recorderOf(fiber)))
    const byTenant = new Map<string, Array<Delivery<Event.Any>>>()
    for (const [index, item] of items.entries()) {
      if (item.problem !== undefined) return unkeyed(index, item.problem)
      const deliveries = yield* Effect.exit(decodeOne(decoder, item, round))
      if (Exit.isFailure(deliveries)) return undecodable(decoder, item.stored, index, deliveries.cause)
      for (const delivery of deliveries.value) {
        const own = byTenant.get(delivery.tenant)
        if (own === undefined) byTenant.set(delivery.tenant, [delivery])
        else own.push(delivery)
      }
    }
    for (const own of byTenant.values()) {
      const [first] = own
      if (first === undefined) continue
      const all = limited(
        Effect.provideService(
          Effect.suspend(() => handle(own)),
          TenantContext,
          { id: first.tenant }
        )
      )
      const exit = yield* Effect.exit(
        recorder === undefined
          ? all
          : Flow.handling(
              recorder,
              first.consumer,
              own.map((delivery) => toHandled(delivery, round)),
              all
            )
      )
      if (Exit.isFailure(exit)) return failed(items.length === 1 ? 0 : undefined, exit.cause)
    }
    return handled
  })
}

/** Makes up for an event that could not be handled. */
export const compensating =
  <R, R2>(
    decoder: Decoder<R>,
    compensate: (delivery: Delivery<Event.Any>, error: unknown) => Effect.Effect<unknown, unknown, R2>
  ): ((item: Item, round: Round, error: unknown) => Effect.Effect<Outcome, never, Exclude<R | R2, TenantContext>>) =>
  (item, round, error) =>
    single(decoder, (delivery) => compensate(delivery, error), undefined, " (compensating)")([item], round)

const decodeOne = <R>(
  { decode, where }: Decoder<R>,
  item: Item,
  { attempt, owned }: Round
): Effect.Effect<ReadonlyArray<Delivery<Event.Any>>, EventStoreError, Exclude<R, TenantContext>> =>
  Effect.map(
    Effect.suspend(() => Decoded.decodeAll(decode, item.stored)),
    (all) =>
      all.flatMap((recorded, part) =>
        where?.(recorded) === false ? [] : toDelivery(recorded, item, { attempt, owned }, part)
      )
  )

const toDelivery = (
  recorded: RecordedEvent<Event.Any>,
  { key, stored }: Item,
  { attempt, owned }: Round,
  part = 0
): Delivery<Event.Any> => {
  const { consumer, segment, token } = owned
  const idempotencyKey = `${stored.tenant}/${consumer}/${stored.position}${part === 0 ? "" : `/${part}`}`
  // Named one by one: this is made for each event, and a spread takes several times as long.
  return {
    position: recorded.position,
    tenant: recorded.tenant,
    stream: recorded.stream,
    version: recorded.version,
    id: recorded.id,
    type: recorded.type,
    schemaVersion: recorded.schemaVersion,
    tags: recorded.tags,
    metadata: recorded.metadata,
    recordedAt: recorded.recordedAt,
    event: recorded.event,
    consumer,
    key,
    segment: segment.id,
    token,
    attempt,
    idempotencyKey
  }
}

const toHandled = (delivery: Delivery<Event.Any>, { earlier = 0 }: Round) => {
  const { attempt, consumer, id, idempotencyKey, metadata, position, recordedAt, tenant } = delivery
  const part = idempotencyKey.slice(`${tenant}/${consumer}/${position}`.length)
  return { id, tenant, metadata, recordedAt, attempt: attempt + earlier, part }
}

const withTimeout =
  (timeout: Duration.Duration | undefined) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Cause.TimeoutError, R> =>
    timeout === undefined
      ? self
      : Effect.timeoutOrElse(self, {
          duration: timeout,
          orElse: () => Effect.fail(new Cause.TimeoutError(`The handler took longer than ${Duration.format(timeout)}`))
        })

const undecodable = <R>(decoder: Decoder<R>, stored: Stored, index: number, cause: Cause.Cause<unknown>): Failed => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  // What an upcaster's services could not do, they may do later; all else fails in the same way again.
  const later = error instanceof EventStoreError && error.reason._tag === "StorageFailure"
  return {
    ...failed(index, cause),
    category: categoryOf(decoder, stored),
    error: undefined,
    again: later,
    passing: false
  }
}

const unkeyed = (index: number, message: string): Failed => {
  return { _tag: "Failed", index, category: "Other", error: undefined, message, again: false, passing: false }
}

const categoryOf = <R>({ classes }: Decoder<R>, { schemaVersion, type }: Stored): Category => {
  if (!Event.types(classes).includes(type)) return "UnknownType"
  const today = classes.find(({ tag }) => tag === type)
  return today === undefined || schemaVersion < today.version ? "UpcastFailed" : "Undecodable"
}

const isFailed = (error: unknown): error is Failed =>
  Predicate.hasProperty(error, "_tag") && error._tag === "Failed" && Predicate.hasProperty(error, "passing")

/** What is kept of an error, in characters. */
const longest = 4000

const failed = (index: number | undefined, cause: Cause.Cause<unknown>): Failed => {
  const error = cause.reasons.find(Cause.isFailReason)
  return {
    _tag: "Failed",
    index,
    category: "HandlerFailed",
    error: error === undefined ? undefined : { value: error.error },
    message: Cause.pretty(cause).slice(0, longest),
    again: true,
    passing: error !== undefined && isPassing(error.error)
  }
}

// The ports' failures say so in their reason, those of a program's own statements themselves.
const isPassing = (error: unknown): boolean =>
  (Predicate.hasProperty(error, "isRetryable") && error.isRetryable === true) ||
  (Predicate.hasProperty(error, "reason") &&
    Predicate.hasProperty(error.reason, "_tag") &&
    error.reason._tag === "StorageFailure" &&
    Predicate.hasProperty(error.reason, "retryable") &&
    error.reason.retryable === true)
