/** Delivers one message after the other, and decides what becomes of one that could not be delivered. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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
export const run = <R>(office: Office<R>, messages: ReadonlyArray<Claimed>): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    for (const [index, claimed] of messages.entries()) {
      const until = office.heldUntil(claimed)
      // A process that was stopped for a while finds its leases run out: another worker is at it.
      if (until === undefined || until <= (yield* Clock.currentTimeMillis))
        return yield* giveBack(office, messages, index)
      if (!(yield* deliver(office, claimed))) return yield* giveBack(office, messages, index + 1)
    }
  })

const giveBack = <R>(office: Office<R>, messages: ReadonlyArray<Claimed>, from: number): Effect.Effect<void> => {
  const rest = messages.slice(from)
  if (rest.length === 0) return Effect.void
  office.noting(rest)
  return Effect.ensuring(
    office.survive(office.outbox.release(rest)),
    Effect.sync(() => rest.forEach(office.settled))
  )
}

/** Whether the message was delivered, so that the next of its key may be. */
const deliver = <R>(office: Office<R>, claimed: Claimed): Effect.Effect<boolean, never, R> =>
  Effect.suspend(() => {
    const { settings } = office
    const call = office.call(claimed)
    if (Result.isFailure(call)) {
      const { category, error } = call.failure
      return fail(office, claimed, { category, error, attempts: claimed.attempts + 1, retryInMillis: undefined })
    }
    return Effect.flatMap(Effect.exit(Flow.delivering(claimed, attempt(settings, call.success))), (exit) => {
      if (Exit.isSuccess(exit)) {
        office.delivered(claimed)
        return Effect.succeed(true)
      }
      if (Cause.hasInterruptsOnly(exit.cause)) return Effect.succeed(false)
      const error = Cause.squash(exit.cause)
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
    })
  })

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
  return retries === 0 ? limited : Effect.retry(limited, { while: isPassing, schedule: pauses, times: retries })
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
