/** A bounded queue of steps, and the fiber that writes them. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Entry } from "../FlowStoreDriver.ts"
import type { FlowStoreError } from "../FlowStoreError.ts"
import { issuesOf } from "./flowIssues.ts"

interface Settings {
  readonly capacity: number
  readonly batchSize: number
  readonly linger: Duration.Duration
  readonly drain: Duration.Duration
  readonly log: boolean
}

const recordedMetric = Metric.counter("effect_cqrs_flow_recorded", { description: "Steps of flows that were recorded" })
const droppedMetric = Metric.counter("effect_cqrs_flow_dropped", {
  description: "Steps of flows that were not recorded"
})
const waitingMetric = Metric.gauge("effect_cqrs_flow_waiting", {
  description: "Steps of flows that wait to be recorded"
})

export class Writer {
  private readonly record: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, FlowStoreError>
  private readonly settings: Settings
  private pending: Array<Entry> = []
  /** What is being written. */
  private batch: ReadonlyArray<Entry> = []
  /** Open when there is something to write. */
  private readonly filled = Latch.makeUnsafe(false)
  /** Open when somebody waits for what is there to be written. */
  private readonly hurry = Latch.makeUnsafe(false)
  /** Opened with each batch that is done, and replaced. */
  private settling = Latch.makeUnsafe(false)
  private taken = 0
  private settled = 0
  private recorded = 0
  private dropped = 0
  private refused = 0
  private lost = 0
  private failures = 0
  /** How much of `dropped` was told of. */
  private told = 0
  private isClosed = false

  constructor(record: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, FlowStoreError>, settings: Settings) {
    this.record = record
    this.settings = settings
  }

  take(entry: Entry): void {
    if (this.isClosed || this.pending.length + this.batch.length >= this.settings.capacity) {
      this.dropped++
      return
    }
    this.taken++
    // A latch runs who waits for it at once: the writer is not to run in the middle of a message.
    if (this.pending.push(entry) === 1) queueMicrotask(this.fill)
  }

  private readonly fill = (): void => {
    if (this.pending.length > 0) this.filled.openUnsafe()
  }

  counts() {
    const { batch, dropped, failures, lost, pending, recorded, refused } = this
    return { recorded, waiting: pending.length + batch.length, dropped, refused, lost, failures }
  }

  flush(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const until = this.taken
      return Effect.whileLoop({
        while: () => this.settled < until,
        body: () => {
          // Before the writer is told to hurry: it may be done when that returns.
          const { settling } = this
          this.filled.openUnsafe()
          this.hurry.openUnsafe()
          return settling.await
        },
        step: () => undefined
      })
    })
  }

  /** Writes for as long as the scope is open, and what is left when it closes. */
  start(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.asVoid(
      Effect.acquireRelease(Effect.forkDetach(this.work()), (fiber) =>
        Effect.andThen(Fiber.interrupt(fiber), this.end())
      )
    )
  }

  private work(): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        yield* this.filled.await
        yield* Effect.raceFirst(this.hurry.await, Effect.sleep(this.settings.linger))
        this.hurry.closeUnsafe()
        yield* this.writeAll()
      }
    })
  }

  private writeAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      while (this.pending.length > 0) {
        this.batch = this.pending.splice(0, this.settings.batchSize)
        if (this.pending.length === 0) this.filled.closeUnsafe()
        yield* this.write()
        yield* this.tell()
      }
    })
  }

  /** Writes the batch, again and again while the store does not answer. */
  private write(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const all = this.batch
      if (this.settings.log) yield* Effect.forEach(all, line, { discard: true })
      let sound = all
      const recording = Effect.suspend(() => this.record(sound))
      const exit = yield* recording.pipe(
        Effect.catchIf(isInvalid, () => {
          sound = all.filter((entry) => issuesOf(entry).length === 0)
          return recording
        }),
        Effect.tapError((error) => this.failed(error)),
        Effect.retry({ while: isPassing, schedule: pauses }),
        Effect.exit
      )
      if (Exit.isSuccess(exit)) {
        this.recorded += sound.length
        yield* Metric.update(recordedMetric, sound.length)
      } else {
        this.lost += sound.length
        yield* Effect.logError(`${sound.length} steps of flows are lost`, exit.cause)
        yield* drop("failed", sound.length)
      }
      if (sound.length < all.length) yield* this.refuse(all)
      this.batch = []
      this.settled += all.length
      const settling = this.settling
      this.settling = Latch.makeUnsafe(false)
      settling.openUnsafe()
    })
  }

  private refuse(all: ReadonlyArray<Entry>): Effect.Effect<void> {
    const wrong = all.map(issuesOf).filter((issues) => issues.length > 0)
    this.refused += wrong.length
    return Effect.andThen(
      Effect.logWarning(`${wrong.length} steps of flows cannot be kept, one for`, wrong[0]),
      drop("refused", wrong.length)
    )
  }

  private failed(error: FlowStoreError): Effect.Effect<void> {
    this.failures++
    if (!isPassing(error)) return Effect.void
    const { waiting } = this.counts()
    return Effect.andThen(
      Effect.logWarning(`Steps of flows were not recorded, ${waiting} wait for the storage`, error),
      this.tell()
    )
  }

  /** Says how many steps were dropped since it was last said. */
  private tell(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const since = this.dropped - this.told
      this.told = this.dropped
      const waiting = Metric.update(waitingMetric, this.counts().waiting)
      if (since === 0) return waiting
      const why = `${since} steps of flows were dropped: ${this.settings.capacity} wait already`
      return Effect.andThen(waiting, Effect.andThen(Effect.logWarning(why), drop("full", since)))
    })
  }

  private end(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.isClosed = true
      // A write that was interrupted may be done or not: it can be done twice.
      this.pending = [...this.batch, ...this.pending]
      this.batch = []
      yield* Effect.ignore(Effect.timeout(Effect.interruptible(this.writeAll()), this.settings.drain))
      // Whoever still waits for them waits for nothing.
      this.settled = this.taken
      this.settling.openUnsafe()
      const left = this.pending.length + this.batch.length
      if (left === 0) return
      this.dropped += left
      this.told += left
      yield* Effect.logWarning(
        `${left} steps of flows were dropped: the program has ended, and the storage did not answer`
      )
      yield* drop("shutdown", left)
    })
  }
}

const isInvalid = ({ reason }: FlowStoreError): boolean => reason._tag === "InvalidStep"

const isPassing = ({ reason }: FlowStoreError): boolean => reason._tag === "StorageFailure" && reason.retryable

const drop = (reason: "full" | "refused" | "failed" | "shutdown", count: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(droppedMetric, { reason }), count)

const line = ({ correlationId, step, tenant }: Entry): Effect.Effect<void> => {
  const { at, causationId, id, kind, name, outcome, place } = step
  const ending = outcome === undefined ? "" : ` ${outcome._tag.toLowerCase()} in ${outcome.millis} ms`
  const log =
    outcome?._tag === "Failed" ? Effect.logError : outcome?._tag === "Refused" ? Effect.logInfo : Effect.logDebug
  const { attempts, error, millis } = outcome ?? {}
  const known = { messageId: id, correlationId, causationId, tenant, at, place, error, millis, attempts }
  return Effect.annotateLogs(
    log(`${kind} ${name}${ending}`),
    Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
  )
}

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
