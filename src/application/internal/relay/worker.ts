/** One worker of a relay: claims messages, has them delivered, keeps its leases, and notes what was delivered. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { Outbox } from "../../../ports/Outbox.ts"
import type { Claimed, Held } from "../../../ports/OutboxDriver.ts"
import type { OutboxError } from "../../../ports/OutboxError.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import * as Courier from "./courier.ts"
import { Metrics } from "./metrics.ts"
import type { Call, Settings } from "./model.ts"

/** A message that this worker has, until when, and the fiber that delivers it. */
interface Flight {
  readonly claimed: Claimed
  until: number
  /** Whether what became of it is being noted. */
  noting: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

const nameOf = ({ id, tenant, token }: Held) => `${token} ${tenant}\0${id}`

class Worker<R> implements Courier.Office<R> {
  readonly queue: string
  readonly name: string
  readonly call: Call<R>
  readonly settings: Settings
  readonly outbox: Outbox["Service"]
  readonly metrics: Metrics
  private readonly flights = new Map<Claimed, Flight>()
  /** So many of them are being noted. */
  private noted = 0
  /** What nobody delivers yet: messages of one key together, each of the others by itself. */
  private readonly lanes: Array<ReadonlyArray<Claimed>> = []
  private readonly runners = new Set<Fiber.Fiber<unknown, unknown>>()
  private done: Array<Claimed> = []
  private readonly doneLatch = Latch.makeUnsafe(false)
  private readonly roomLatch = Latch.makeUnsafe(true)
  /** Open when a message of a key is done, so that those behind it may be claimed. */
  private readonly turnLatch = Latch.makeUnsafe(false)
  private from = ""
  private isLeaving = false

  constructor(queue: string, name: string, call: Call<R>, settings: Settings, outbox: Outbox["Service"]) {
    this.queue = queue
    this.name = name
    this.call = call
    this.settings = settings
    this.outbox = outbox
    this.metrics = new Metrics(queue)
  }

  readonly survive = <A, R2>(self: Effect.Effect<A, OutboxError, R2>): Effect.Effect<A, never, R2> =>
    Effect.uninterruptible(self).pipe(
      Effect.tapError((error) => Effect.logWarning(`The outbox ${this.queue} did not answer, trying again`, error)),
      Effect.retry(pauses),
      Effect.orDie
    )

  readonly heldUntil = (claimed: Claimed): number | undefined => this.flights.get(claimed)?.until

  readonly delivered = (claimed: Claimed): void => {
    this.note(claimed)
    this.done.push(claimed)
    this.doneLatch.openUnsafe()
  }

  readonly noting = (messages: ReadonlyArray<Claimed>): void => {
    for (const claimed of messages) this.note(claimed)
  }

  private note(claimed: Claimed): void {
    const flight = this.flights.get(claimed)
    if (flight === undefined || flight.noting) return
    flight.noting = true
    this.noted++
    this.makeRoom()
  }

  readonly settled = (claimed: Claimed): void => {
    const flight = this.flights.get(claimed)
    if (flight !== undefined) {
      this.flights.delete(claimed)
      if (flight.noting) this.noted--
    }
    if (claimed.key !== undefined) this.turnLatch.openUnsafe()
    this.makeRoom()
  }

  /** How many may be claimed: what is only to be noted no longer waits for its receiver, but is bounded as well. */
  private room(): number {
    const { prefetch } = this.settings
    return Math.min(prefetch - (this.flights.size - this.noted), 2 * prefetch - this.flights.size)
  }

  private makeRoom(): void {
    if (this.room() >= this.settings.prefetch / 2) this.roomLatch.openUnsafe()
  }

  /** Claims whenever there is room for it, and starts the deliveries. */
  readonly claiming: Effect.Effect<never, never, R> = Effect.forever(
    Effect.gen({ self: this }, function* () {
      yield* this.roomLatch.await
      const changed = yield* this.outbox.changes
      this.turnLatch.closeUnsafe()
      if (yield* this.survive(this.claim)) return
      const pause = Duration.times(this.settings.pollInterval, 0.75 + 0.5 * (yield* Random.next))
      yield* Effect.raceAll([changed, this.turnLatch.await, Effect.sleep(pause)])
    })
  )

  /** Claims what there is and starts its delivery: whoever stops in between would leave messages to their leases. */
  private readonly claim: Effect.Effect<boolean, OutboxError, R> = Effect.uninterruptible(
    Effect.gen({ self: this }, function* () {
      const { lease, prefetch } = this.settings
      const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(lease)
      const limit = this.room()
      const claimed = yield* this.outbox.claim(this.queue, { worker: this.name, limit, lease, from: this.from })
      if (this.isLeaving) {
        yield* this.outbox.release(claimed)
        return false
      }
      for (const one of claimed) this.flights.set(one, { claimed: one, until, noting: false, fiber: undefined })
      if (this.room() < prefetch / 2) this.roomLatch.closeUnsafe()
      for (const lane of lanesOf(claimed)) {
        const last = lane.at(-1)
        if (last?.key !== undefined) this.from = `${last.tenant}\u001f${last.key}`
        this.lanes.push(lane)
      }
      yield* this.hire
      return claimed.length > 0
    })
  )

  /** As many deliver as may, each one lane after the other. They are not of this fiber: what is in flight is given a while. */
  private readonly hire: Effect.Effect<void, never, R> = Effect.suspend(() =>
    Effect.whileLoop({
      while: () => this.lanes.length > 0 && this.runners.size < this.settings.concurrency,
      body: () => Effect.forkDetach(Effect.interruptible(this.running), { startImmediately: true }),
      step: () => {}
    })
  )

  private readonly running: Effect.Effect<void, never, R> = Effect.withFiber((fiber) => {
    this.runners.add(fiber)
    let lane: ReadonlyArray<Claimed> = []
    const all = Effect.whileLoop({
      while: () => this.lanes.length > 0,
      body: () => {
        lane = this.lanes.shift() ?? []
        for (const one of lane) {
          const flight = this.flights.get(one)
          if (flight !== undefined) flight.fiber = fiber
        }
        return Courier.run(this, lane)
      },
      step: () => {}
    })
    return Effect.onExit(all, (exit) => {
      this.runners.delete(fiber)
      return Exit.isSuccess(exit) || this.isLeaving ? Effect.void : Effect.andThen(this.giveUp(lane), this.hire)
    })
  })

  /** One of these was lost while it was delivered: those behind it are for whoever has it. */
  private giveUp(lane: ReadonlyArray<Claimed>): Effect.Effect<void> {
    const rest = lane.filter((one) => this.flights.get(one)?.noting === false)
    return Courier.giveBack(this, rest)
  }

  /** Notes what was delivered, all that has come together in one call. */
  readonly completing: Effect.Effect<never> = Effect.forever(
    Effect.gen({ self: this }, function* () {
      yield* this.doneLatch.await
      // What else is about to be delivered goes with it.
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      yield* this.complete
    })
  )

  readonly complete: Effect.Effect<void> = Effect.suspend(() => {
    const batch = this.done
    this.done = []
    this.doneLatch.closeUnsafe()
    if (batch.length === 0) return Effect.void
    const keep = this.settings.keepDelivered
    return this.survive(this.outbox.complete(batch, { keep })).pipe(
      Effect.tap((noted) =>
        Effect.andThen(this.metrics.delivered(noted.length), this.metrics.fenced(batch.length - noted.length))
      ),
      Effect.ensuring(Effect.sync(() => batch.forEach(this.settled)))
    )
  })

  /** Renews what is in flight, and ends the delivery of what another worker has taken over. */
  readonly renewing: Effect.Effect<never> = Effect.forever(
    Effect.gen({ self: this }, function* () {
      const { lease } = this.settings
      yield* Effect.sleep(Duration.times(lease, 1 / 3))
      const flights = Array.from(this.flights.values())
      if (flights.length === 0) return
      const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(lease)
      const held = yield* this.survive(
        this.outbox.renew(
          flights.map(({ claimed }) => claimed),
          lease
        )
      )
      const still = new Set(held.map(nameOf))
      for (const flight of flights) {
        if (still.has(nameOf(flight.claimed))) flight.until = until
        else if (this.flights.get(flight.claimed) === flight && !flight.noting) {
          this.settled(flight.claimed)
          // At once: a moment later it may deliver something else.
          flight.fiber?.interruptUnsafe()
          yield* this.metrics.fenced(1)
        }
      }
    })
  )

  /** Looks how the queue stands, and forgets what is old. */
  readonly maintaining: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    let round = 0
    while (true) {
      yield* this.metrics.standing(yield* this.survive(this.outbox.counts(this.queue)))
      yield* Effect.sleep("15 seconds")
      if (round++ % 240 === 0) yield* this.survive(this.outbox.purge(this.settings.keepFor))
    }
  })

  /** Until nobody delivers. */
  private readonly ended: Effect.Effect<void> = Effect.suspend(() =>
    this.runners.size === 0 ? Effect.void : Effect.andThen(Fiber.awaitAll(Array.from(this.runners)), this.ended)
  )

  /** Ends the loops, lets what is in flight end for a while, notes it, and gives the rest back. */
  leave(loops: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    this.isLeaving = true
    const { drain } = this.settings
    return Effect.all(
      [within(Fiber.interrupt(loops), drain), within(this.ended, drain), within(this.handingBack, drain)],
      {
        discard: true
      }
    )
  }

  private readonly handingBack: Effect.Effect<void> = Effect.suspend(() => {
    this.lanes.length = 0
    const rest = Effect.suspend(() => {
      const left = Array.from(this.flights.values(), ({ claimed }) => claimed)
      return left.length === 0 ? Effect.void : this.outbox.release(left)
    })
    return Fiber.interruptAll(Array.from(this.runners)).pipe(
      Effect.andThen(
        Effect.suspend(() =>
          this.done.length === 0
            ? Effect.succeed([])
            : this.outbox.complete(this.done, { keep: this.settings.keepDelivered })
        )
      ),
      Effect.tap((noted) => this.metrics.delivered(noted.length)),
      Effect.tap(Effect.sync(() => this.done.forEach(this.settled))),
      Effect.andThen(rest),
      // A storage that does not answer now has the leases run out instead.
      Effect.ignore
    )
  })
}

/** Runs a worker until it is interrupted. */
export const run = <R>(queue: string, call: Call<R>, settings: Settings): Effect.Effect<never, never, R | Outbox> =>
  Effect.scoped(
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const worker = new Worker(queue, yield* IdGenerator.next, call, settings, outbox)
      const all = [worker.completing, worker.renewing, worker.maintaining]
      // Not of this fiber, which would wait for as long as the storage does not answer.
      const loops = yield* Effect.acquireRelease(
        Effect.forkDetach(Effect.raceFirst(worker.claiming, Effect.raceAllFirst(all)), { startImmediately: true }),
        (fiber) => Effect.suspend(() => worker.leave(fiber))
      )
      return yield* Fiber.join(loops)
    })
  )

/** Waits for an effect no longer than that, and leaves it to itself from then on. */
const within = (self: Effect.Effect<unknown>, time: Duration.Duration): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(Effect.interruptible(self), { startImmediately: true }), (fiber) =>
    Effect.asVoid(Effect.timeoutOption(Fiber.await(fiber), time))
  )

/** Messages of one key together, each of the others by itself. */
const lanesOf = (claimed: ReadonlyArray<Claimed>): ReadonlyArray<ReadonlyArray<Claimed>> => {
  const keyed = new Map<string, Array<Claimed>>()
  const all: Array<ReadonlyArray<Claimed>> = []
  for (const one of claimed) {
    if (one.key === undefined) {
      all.push([one])
      continue
    }
    const name = `${one.tenant}\u001f${one.key}`
    const lane = keyed.get(name)
    if (lane === undefined) {
      const begun = [one]
      keyed.set(name, begun)
      all.push(begun)
    } else lane.push(one)
  }
  for (const lane of keyed.values()) lane.sort((a, b) => a.sequence - b.sequence)
  return all
}

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)
