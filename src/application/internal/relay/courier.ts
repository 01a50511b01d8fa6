/** Delivers one message after the other, and decides what becomes of one that could not be delivered. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { Outbox } from "../../../ports/Outbox.ts"
import type { Claimed, Failure } from "../../../ports/OutboxDriver.ts"
import type { OutboxError } from "../../../ports/OutboxError.ts"
import { Postponed, Undeliverable } from "../../RelayError.ts"
import * as Flow from "../flow.ts"
import type { Metrics } from "./metrics.ts"
import type { Call, Settings } from "./model.ts"

/** What of a worker a courier needs. */
export interface Office<R> {
  readonly queue: string
  readonly call: Call<R>
  readonly settings: Settings
  readonly metrics: Metrics
  readonly outbox: Outbox["Service"]
  /** Until when the claim of a message holds, in milliseconds of this process's clock; nothing when it is lost. */
  readonly heldUntil: (claimed: Claimed) => number | undefined
  /** The message was delivered. */
  readonly delivered: (claimed: Claimed) => void
  /** What became of these messages is being noted: that their claim goes is no loss. */
  readonly noting: (messages: ReadonlyArray<Claimed>) => void
  /** The message is no longer this worker's, whatever became of it. */
  readonly settled: (claimed: Claimed) => void
  /** Waits for a storage that does not answer. */
  readonly survive: <A>(self: Effect.Effect<A, OutboxError>) => Effect.Effect<A>
}

/** Delivers messages of one key in their order. After one that was not delivered, the others are given back. */
export const run = <R>(office: Office<R>, messages: ReadonlyArray<Claimed>): Effect.Effect<unknown, never, R> =>
  from(office, messages, 0)

const from = <R>(
  office: Office<R>,
  messages: ReadonlyArray<Claimed>,
  index: number
): Effect.Effect<unknown, never, R> =>
  Effect.withFiber((fiber) => {
    const claimed = messages[index]
    if (claimed === undefined) return Effect.void
    const until = office.heldUntil(claimed)
    // A process that was stopped for a while finds its leases run out: another worker is at it.
    if (until === undefined || until <= fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()) {
      return giveBack(office, messages.slice(index))
    }
    const delivering = deliver(office, claimed)
    const next = index + 1
    return next === messages.length
      ? delivering
      : Effect.flatMap(delivering, (isDelivered) =>
          isDelivered ? from(office, messages, next) : giveBack(office, messages.slice(next))
        )
  })

/** Has others deliver what was not begun. */
export const giveBack = <R>(office: Office<R>, rest: ReadonlyArray<Claimed>): Effect.Effect<void> => {
  if (rest.length === 0) return Effect.void
  office.noting(rest)
  return Effect.ensuring(
    office.survive(office.outbox.release(rest)),
    Effect.sync(() => rest.forEach(office.settled))
  )
}

/** Whether the message was delivered, so that the next of its key may be. */
const deliver = <R>(office: Office<R>, claimed: Claimed): Effect.Effect<boolean, never, R> => {
  const { settings } = office
  const call = office.call(claimed)
  if (Result.isFailure(call)) {
    const { category, error } = call.failure
    return fail(office, claimed, { category, error, attempts: claimed.attempts + 1, retryInMillis: undefined })
  }
  return Effect.matchCauseEffect(Flow.delivering(claimed, attempt(settings, call.success)), {
    onSuccess: () => {
      office.delivered(claimed)
      return Effect.succeed(true)
    },
    onFailure: (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.succeed(false)
      const error = Cause.squash(cause)
      if (error instanceof Postponed) return postpone(office, claimed, error)
      const attempts = claimed.attempts + 1
      const isLast = error instanceof Undeliverable || attempts >= settings.attempts
      return Effect.flatMap(delayAfter(settings, attempts), (delay) =>
        fail(office, claimed, {
          category: "DeliveryFailed",
          error: describe(error),
          attempts,
          retryInMillis: isLast ? undefined : delay
        })
      )
    }
  })
}

const attempt = <R>(
  { retries, timeout }: Settings,
  call: Effect.Effect<unknown, unknown, R>
): Effect.Effect<unknown, unknown, R> => {
  const limited =
    timeout === undefined
      ? call
      : Effect.timeoutOrElse(call, {
          duration: timeout,
          orElse: () => Effect.fail(new Cause.TimeoutError(`The delivery took longer than ${Duration.format(timeout)}`))
        })
  // Whoever succeeds at once is spared the making of a schedule, which takes longer than many a delivery.
  return retries === 0 ? limited : Effect.catch(limited, (error) => repeat(limited, error, retries))
}

const repeat = <R>(
  call: Effect.Effect<unknown, unknown, R>,
  first: unknown,
  times: number
): Effect.Effect<unknown, unknown, R> => {
  let isFirst = true
  const again = Effect.suspend(() => {
    if (!isFirst) return call
    isFirst = false
    return Effect.fail(first)
  })
  return Effect.retry(again, { while: isPassing, schedule: pauses, times })
}

const fail = <R>(office: Office<R>, claimed: Claimed, failure: Failure): Effect.Effect<boolean> => {
  const isParked = failure.retryInMillis === undefined
  const { id, tenant, type } = claimed
  office.noting([claimed])
  const text = isParked ? "A message is parked" : "A delivery failed, it is tried again"
  return office.survive(office.outbox.failed(claimed, failure)).pipe(
    Effect.flatMap((noted) => (noted ? office.metrics.failed(isParked) : office.metrics.fenced(1))),
    Effect.andThen(isParked ? Effect.logError(text, failure.error) : Effect.logWarning(text, failure.error)),
    Effect.annotateLogs({ queue: office.queue, message: type, id, tenant, attempts: failure.attempts }),
    Effect.ensuring(Effect.sync(() => office.settled(claimed))),
    Effect.as(false)
  )
}

const postpone = <R>(office: Office<R>, claimed: Claimed, { retryIn }: Postponed): Effect.Effect<boolean> => {
  office.noting([claimed])
  return office
    .survive(office.outbox.release([claimed], Duration.toMillis(retryIn)))
    .pipe(Effect.ensuring(Effect.sync(() => office.settled(claimed))), Effect.as(false))
}

const isPassing = (error: unknown): boolean => !(error instanceof Postponed || error instanceof Undeliverable)

const pauses = Schedule.exponential("50 millis").pipe(Schedule.jittered)

/** The pause of the settings, up to a fifth shorter or longer: what failed together need not come again together. */
const delayAfter = ({ backoff }: Settings, attempts: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => {
    const millis = Duration.toMillis(Duration.fromInputUnsafe(backoff(attempts)))
    return Math.round(millis * (0.8 + 0.4 * random))
  })

/** What is kept of an error: enough to see what went wrong. */
const describe = (error: unknown): string => {
  const text =
    error instanceof Error ? `${error.name}: ${error.message}` : typeof error === "string" ? error : json(error)
  return text.slice(0, 4000)
}

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
