/** A process as a worker of a consumer: it owns its fair share of the segments, and runs them. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Position from "../../../domain/Position.ts"
import { ConsumerStore } from "../../../ports/ConsumerStore.ts"
import type { Beat, Claim, ConsumerState } from "../../../ports/ConsumerStoreDriver.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import { ParkedStore } from "../../../ports/ParkedStore.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"
import type { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import { Metrics } from "./metrics.ts"
import type { Definition } from "./model.ts"
import { Pages } from "./pages.ts"
import * as Segment from "./segment.ts"

export type WorkerServices = ConsumerStore | ParkedStore | UnitOfWork | EventStore | SystemContext

interface Owned {
  readonly claim: Claim
  readonly stop: Latch.Latch
  readonly fiber: Fiber.Fiber<Segment.Exit>
}

/** Works for a consumer, for ever: whatever fails is logged, and tried again. */
export const run = <R>(definition: Definition<R>): Effect.Effect<never, never, R | WorkerServices> =>
  Effect.scoped(Effect.flatMap(make(definition), (worker) => worker.work())).pipe(
    Effect.annotateLogs({ consumer: definition.name })
  )

const make = Effect.fnUntraced(function* <R>(definition: Definition<R>) {
  const scope = yield* Effect.scope
  const store = yield* ConsumerStore
  const name = yield* IdGenerator.next
  const worker = new Worker(definition, name, scope, store)
  // Whoever comes next need not wait for the leases to run out.
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      worker.interruptAll(),
      Effect.ignore(Effect.timeout(store.leave(definition.name, name), "5 seconds"))
    )
  )
  return worker
})

class Worker<R> {
  private readonly definition: Definition<R>
  private readonly name: string
  private readonly scope: Scope.Scope
  private readonly store: ConsumerStore["Service"]
  private readonly metrics: Metrics
  private readonly pages: Pages
  private readonly permits: Semaphore.Semaphore
  private readonly owned = new Map<number, Owned>()
  /** Open when there is something to do before the next beat. */
  private readonly wake = Latch.makeUnsafe(false)
  private epoch: string | undefined
  private state: ConsumerState["status"] | undefined
  private validUntil = 0

  constructor(definition: Definition<R>, name: string, scope: Scope.Scope, store: ConsumerStore["Service"]) {
    this.definition = definition
    this.name = name
    this.scope = scope
    this.store = store
    this.metrics = new Metrics(definition.name)
    // Enough for all segments to have something to do.
    const limit = Math.min(Math.max(definition.batchSize * 8, 500), 4000)
    this.pages = new Pages({ filter: definition.filter, key: definition.key, limit, scope })
    this.permits = Semaphore.makeUnsafe(definition.concurrency)
  }

  work(): Effect.Effect<never, never, R | WorkerServices> {
    return Effect.gen({ self: this }, function* () {
      yield* this.survive(this.open())
      while (true) {
        this.wake.closeUnsafe()
        const isSettled = yield* this.survive(this.turn())
        const beat = Duration.toMillis(this.definition.lease) / 3
        const most = isSettled ? beat : Math.min(beat, 500)
        const jitter = yield* Random.next
        yield* Effect.race(this.wake.await, Effect.sleep(most * (0.75 + jitter / 4)))
      }
    })
  }

  interruptAll(): Effect.Effect<void> {
    return Effect.suspend(() => Fiber.interruptAll(Array.from(this.owned.values(), ({ fiber }) => fiber)))
  }

  private open() {
    return Effect.gen({ self: this }, function* () {
      const { name, segments, startAt } = this.definition
      const start = startAt === "now" ? yield* (yield* EventStore).mark : startAt
      yield* this.store.open(name, { segments, after: start === "beginning" ? Position.start : start })
    })
  }

  /** One beat, and what follows from it; answers with whether everything is as it should be. */
  private turn() {
    return Effect.gen({ self: this }, function* () {
      const before = yield* Clock.currentTimeMillis
      const beat = yield* Effect.catchReason(
        this.store.beat(this.definition.name, this.name, this.definition.lease),
        "ConsumerStoreError",
        "ConsumerUnknown",
        () => Effect.andThen(this.open(), this.store.beat(this.definition.name, this.name, this.definition.lease))
      )
      this.validUntil = before + Duration.toMillis(this.definition.lease)
      yield* this.told(beat.state)
      if (this.epoch !== undefined && this.epoch !== beat.epoch) {
        yield* Effect.logWarning(
          `${this.definition.name}: the log may be another one; looking at all checkpoints again`
        )
        yield* this.give(Array.from(this.owned.values()))
        this.pages.clear()
      }
      this.epoch = beat.epoch
      yield* this.compare(beat)
      if (beat.state.status !== "running") {
        yield* this.give(Array.from(this.owned.values()))
        return true
      }
      const surplus = Array.from(this.owned.values()).slice(beat.share)
      yield* this.give(surplus)
      if (this.owned.size >= beat.share) return true
      const claims = yield* this.store.claim(this.definition.name, this.name, {
        limit: beat.share - this.owned.size,
        lease: this.definition.lease
      })
      if (claims.length > 0) {
        const mark = yield* (yield* EventStore).mark
        const parked = yield* (yield* ParkedStore).keys(this.definition.name, whole)
        for (const claim of claims) yield* this.start(claim, { epoch: beat.epoch, mark, parked })
      }
      return this.owned.size >= beat.share
    })
  }

  /** Lets go of what another has taken, and gives back what no longer runs here. */
  private compare({ held }: Beat) {
    return Effect.gen({ self: this }, function* () {
      const tokens = new Set(held.map(({ token }) => token))
      for (const [id, { claim, fiber }] of this.owned) {
        if (tokens.has(claim.token)) continue
        yield* Effect.logInfo(`${this.definition.name}: lost the segment ${id}`)
        yield* Fiber.interrupt(fiber)
        this.owned.delete(id)
      }
      for (const owned of held) {
        if (this.owned.get(owned.segment.id)?.claim.token !== owned.token) yield* this.store.release(owned)
      }
    })
  }

  private start(claim: Claim, known: Pick<Segment.Running<R>, "epoch" | "mark" | "parked">) {
    return Effect.gen({ self: this }, function* () {
      const { definition, metrics, pages, permits } = this
      const stop = Latch.makeUnsafe(false)
      const validUntil = () => this.validUntil
      const running = Segment.run({ ...known, definition, claim, permits, metrics, pages, stop, validUntil })
      const fiber = yield* Effect.forkIn(
        Effect.tap(running, (exit) => this.ended(claim, exit)),
        this.scope
      )
      this.owned.set(claim.segment.id, { claim, stop, fiber })
    })
  }

  /** Stops segments when they are at the end of what they do, and gives them back. */
  private give(all: ReadonlyArray<Owned>) {
    return Effect.gen({ self: this }, function* () {
      if (all.length === 0) return
      for (const { stop } of all) stop.openUnsafe()
      const grace = Duration.toMillis(this.definition.lease) / 3
      yield* Effect.ignore(Effect.timeout(Fiber.awaitAll(all.map(({ fiber }) => fiber)), grace))
      yield* Fiber.interruptAll(all.map(({ fiber }) => fiber))
      for (const { claim } of all) {
        this.owned.delete(claim.segment.id)
        yield* this.store.release(claim)
      }
    })
  }

  /** What a segment's end means for the consumer. */
  private ended(claim: Claim, exit: Segment.Exit) {
    return Effect.gen({ self: this }, function* () {
      const { name } = this.definition
      switch (exit._tag) {
        case "Stopped":
          return
        case "Lost":
          yield* Effect.logInfo(`${name}: another worker has the segment ${claim.segment.id}`)
          break
        case "Again":
          yield* Effect.logWarning(`${name}: the segment ${claim.segment.id} begins again`, exit.cause)
          break
        case "Full":
          yield* this.stop({ status: "paused", reason: exit.reason })
          break
        case "Diverged":
          yield* this.stop(exit.state)
      }
      if (this.owned.get(claim.segment.id)?.claim.token === claim.token) this.owned.delete(claim.segment.id)
      // Not at once: what made it end may still be there.
      yield* Effect.sleep(yield* Random.nextBetween(50, 200))
      yield* this.wake.open
    })
  }

  private stop(state: ConsumerState) {
    return Effect.andThen(this.survive(this.store.setState(this.definition.name, state)), this.told(state))
  }

  private told(state: ConsumerState) {
    return Effect.gen({ self: this }, function* () {
      yield* this.metrics.stopped(state.status !== "running")
      if (this.state === state.status) return
      if (state.status !== "running") {
        yield* Effect.logError(`${this.definition.name} is ${state.status}: ${describe(state)}`)
      } else if (this.state !== undefined) {
        yield* Effect.logInfo(`${this.definition.name} runs again`)
      }
      this.state = state.status
    })
  }

  /** What fails here is the storage's: it is waited for, however long it takes. */
  private survive<A, E, R1>(self: Effect.Effect<A, E, R1>): Effect.Effect<A, never, R1> {
    return self.pipe(
      Effect.tapCause((cause) => Effect.logWarning(`${this.definition.name}: the storage failed, trying again`, cause)),
      Effect.retry(pauses),
      Effect.orDie
    )
  }
}

/** The segment that has every key. */
const whole = { id: 0, mask: 0 }

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)

const describe = (state: Exclude<ConsumerState, { readonly status: "running" }>): string =>
  state.status === "paused"
    ? state.reason
    : `the segment ${state.segment} has handled the event ${state.expected.id} at ${state.expected.position}, where the log has ${state.found ?? "none"}`
