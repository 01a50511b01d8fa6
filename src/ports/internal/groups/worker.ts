/** A process as a worker of a group: it owns its fair share of the segments, and handles what comes there. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Driver } from "../../EventGroupsDriver.ts"
import type { EventGroupsError } from "../../EventGroupsError.ts"
import * as IdGenerator from "../../IdGenerator.ts"
import type { TenantContext } from "../../TenantContext.ts"
import { Metrics } from "./metrics.ts"
import type { Definition } from "./model.ts"
import { Owned, type Shared } from "./segment.ts"

/** Works for a group in the background until the scope closes. */
export const start = <R>(
  driver: Driver,
  definition: Definition<R>,
  startAt: "earliest" | "now"
): Effect.Effect<void, EventGroupsError, Exclude<R, TenantContext> | Scope.Scope> =>
  Effect.gen(function* () {
    const worker = yield* Effect.map(IdGenerator.next, (id) => new Worker(driver, definition, id))
    const segments = Array.from({ length: driver.segments }, (_, segment) => segment)
    const started = Effect.forEach(segments, (segment) => driver.start(definition, segment, startAt), {
      concurrency: "unbounded",
      discard: true
    })
    // A program starts without its broker. Only where a group begins now, it has to be told when that is.
    const isStarted = yield* started.pipe(
      Effect.as(true),
      Effect.catchIf(
        (error) => startAt === "earliest" && mayPass(error),
        (error) => Effect.as(Effect.logWarning(`${definition.group} waits for its storage`, error), false)
      )
    )
    yield* driver.listen(definition.log, (segment) => worker.hint(segment))
    const begun = isStarted
      ? Effect.void
      : Effect.retry(started, { while: mayPass, schedule: Schedule.spaced("1 second") })
    yield* begun.pipe(
      Effect.andThen(worker.work()),
      Effect.catch((error) => Effect.logError(`${definition.group} has stopped`, error)),
      Effect.forkScoped
    )
    // Whoever comes next need not wait for the leases to run out.
    yield* Effect.addFinalizer(() => worker.end())
  }).pipe(Effect.annotateLogs({ group: definition.group }))

const mayPass = ({ reason }: EventGroupsError) => reason._tag === "StorageFailure" && reason.retryable

interface Running<R> {
  readonly owned: Owned<R>
  readonly fiber: Fiber.Fiber<unknown>
}

class Worker<R> {
  private readonly driver: Driver
  private readonly definition: Definition<R>
  private readonly name: string
  private readonly shared: Shared
  private readonly running = new Map<number, Running<R>>()
  private readonly wake = Latch.makeUnsafe(false)
  private ending = false

  constructor(driver: Driver, definition: Definition<R>, name: string) {
    this.driver = driver
    this.definition = definition
    this.name = name
    const permits = Semaphore.makeUnsafe(definition.concurrency)
    this.shared = { driver, metrics: new Metrics(definition), permits }
  }

  hint(segment: number | undefined): void {
    if (segment !== undefined) this.running.get(segment)?.owned.wake.openUnsafe()
    else for (const { owned } of this.running.values()) owned.wake.openUnsafe()
  }

  work(): Effect.Effect<never, never, Exclude<R, TenantContext>> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const lease = Duration.toMillis(this.definition.lease)
        while (true) {
          this.wake.closeUnsafe()
          const isWell = yield* this.beat(lease).pipe(
            Effect.as(true),
            Effect.catch((error) =>
              Effect.as(Effect.logWarning(`${this.definition.group}: the storage failed, trying again`, error), false)
            )
          )
          yield* this.interrupt(({ owned }, now) => now >= owned.validUntil)
          const jitter = yield* Random.next
          yield* Effect.race(this.wake.await, Effect.sleep((isWell ? lease / 3 : lease / 10) * (0.75 + jitter / 4)))
        }
      })
    )
  }

  /** Ends what is being handled, notes what was, and gives all back. */
  end(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.ending = true
      yield* this.give(Array.from(this.running.values()))
      yield* this.driver.leave(this.definition, this.name)
    }).pipe(
      Effect.timeout("5 seconds"),
      Effect.catch((error) => Effect.logDebug(`${this.definition.group}: its segments run out by themselves`, error))
    )
  }

  private beat(lease: number) {
    return Effect.gen({ self: this }, function* () {
      const workers = yield* this.driver.join(this.definition, this.name, lease)
      const share = Math.ceil(this.driver.segments / Math.max(workers, 1))
      const kept = yield* Effect.forEach(Array.from(this.running.values()), (one) => this.renewed(one, lease), {
        concurrency: "unbounded"
      })
      yield* this.give(kept.flat().slice(share))
      yield* this.claim(share, lease)
      yield* this.shared.metrics.standing(yield* this.driver.inspect(this.definition))
    })
  }

  private renewed(one: Running<R>, lease: number) {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (yield* this.driver.renew(one.owned.claim, lease)) {
        one.owned.validUntil = Math.max(one.owned.validUntil, now + lease)
        return [one]
      }
      yield* this.interrupt((other) => other === one)
      return []
    })
  }

  private claim(share: number, lease: number) {
    return Effect.gen({ self: this }, function* () {
      const { segments } = this.driver
      // Each worker begins elsewhere, so that they do not all want the same ones.
      const from = yield* Random.nextIntBetween(0, segments)
      for (let n = 0; n < segments && this.running.size < share && !this.ending; n++) {
        const segment = (from + n) % segments
        if (this.running.has(segment)) continue
        const now = yield* Clock.currentTimeMillis
        const claim = yield* this.driver.claim(this.definition, segment, this.name, lease)
        if (claim === undefined) continue
        const owned = new Owned(this.definition, this.shared, claim, now + lease)
        const fiber = yield* Effect.forkScoped(
          Effect.ensuring(
            owned.run(),
            Effect.sync(() => {
              if (this.running.get(segment)?.owned === owned) this.running.delete(segment)
              this.wake.openUnsafe()
            })
          )
        )
        this.running.set(segment, { owned, fiber })
      }
    })
  }

  /** Stops segments when they are at the end of what they do, and gives them back. */
  private give(all: ReadonlyArray<Running<R>>) {
    return Effect.gen({ self: this }, function* () {
      if (all.length === 0) return
      for (const { owned } of all) {
        owned.stopping = true
        owned.wake.openUnsafe()
      }
      const fibers = all.map(({ fiber }) => fiber)
      yield* Effect.ignore(Effect.timeout(Fiber.awaitAll(fibers), Duration.toMillis(this.definition.lease) / 3))
      yield* Fiber.interruptAll(fibers)
      const back = ({ owned }: Running<R>) => Effect.andThen(owned.flush(), this.driver.release(owned.claim))
      yield* Effect.forEach(all, back, { concurrency: "unbounded", discard: true })
    })
  }

  private interrupt(which: (one: Running<R>, now: number) => boolean) {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const lost = Array.from(this.running.values()).filter((one) => which(one, now))
      yield* Fiber.interruptAll(lost.map(({ fiber }) => fiber))
    })
  }
}
