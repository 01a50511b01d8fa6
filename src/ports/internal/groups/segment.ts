/** Handles what comes in one segment, for as long as this worker owns it. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import type * as Semaphore from "effect/Semaphore"
import type { Behind, Claimed, Driver, Entry, Failure, Given, Parked } from "../../EventGroupsDriver.ts"
import type { EventGroupsError } from "../../EventGroupsError.ts"
import type { TenantContext } from "../../TenantContext.ts"
import { handle, handleTogether, type Outcome } from "./handling.ts"
import * as Ids from "./ids.ts"
import type { Metrics } from "./metrics.ts"
import type { Definition } from "./model.ts"

/** So often an entry is given before it is thought to end who has it. */
const unfinished = 10

/** How long handled entries wait at most to be noted as such while others are handled, in milliseconds. */
const noteEvery = 250

export interface Shared {
  readonly driver: Driver
  readonly metrics: Metrics
  readonly permits: Semaphore.Semaphore
}

export class Owned<R> {
  readonly claim: Claimed
  /** Open when there may be something to take. */
  readonly wake = Latch.makeUnsafe(true)
  /** Until when nobody else can have the segment, by this process's clock. */
  validUntil: number
  stopping = false
  private readonly definition: Definition<R>
  private readonly shared: Shared
  /** The ids that are parked, in order, by key. */
  private readonly parked = new Map<string, Array<string>>()
  private parkedCount = 0
  private after: string | undefined
  private handled: Array<string> = []
  private notedAt = 0
  private isFull = false

  constructor(definition: Definition<R>, shared: Shared, claim: Claimed, validUntil: number) {
    this.definition = definition
    this.shared = shared
    this.claim = claim
    this.validUntil = validUntil
    this.after = claim.after
    for (const { id, key } of claim.parked) this.keep(id, key)
  }

  /** Ends when the segment is another's, or when it is asked to stop. */
  run(): Effect.Effect<"lost" | "stopped", never, Exclude<R, TenantContext>> {
    return Effect.gen({ self: this }, function* () {
      while (!this.stopping) {
        this.wake.closeUnsafe()
        const taken = yield* this.take(this.room())
        if (taken === undefined) return "lost"
        const { due, entries } = taken
        if (due !== undefined || entries.length > 0) {
          const isOurs = yield* this.shared.permits.withPermits(1)(this.handleAll(entries, due))
          if (!isOurs) return "lost"
        } else yield* Effect.race(this.wake.await, Effect.sleep(this.definition.poll))
      }
      const last = yield* this.take()
      return last === undefined ? "lost" : "stopped"
    })
  }

  /** Notes what was handled before it was interrupted. */
  flush(): Effect.Effect<unknown, EventGroupsError> {
    const { claim, handled } = this
    const millis = Duration.toMillis(this.definition.lease)
    return handled.length === 0 ? Effect.void : this.shared.driver.take(claim, { handled, millis })
  }

  private room(): number {
    const { batchSize, maxParked } = this.definition
    return Math.max(0, Math.min(batchSize, maxParked - this.parkedCount))
  }

  /** Notes what is handled, and takes more where it is said how much. */
  private take(limit?: number) {
    return Effect.gen({ self: this }, function* () {
      const { driver, metrics } = this.shared
      const handled = this.handled
      const millis = Duration.toMillis(this.definition.lease)
      const now = yield* Clock.currentTimeMillis
      const parked = this.parkedCount
      let lost = 0
      const asked = Effect.tapError(driver.take(this.claim, { handled, limit, millis, parked }), () =>
        Effect.sync(() => lost++)
      )
      const taken = yield* this.survive(asked)
      if (taken === undefined) return undefined
      this.validUntil = now + millis
      this.notedAt = now
      this.handled = []
      yield* metrics.count("handled", handled.length)
      yield* this.tellFull()
      // What was given in an answer that was lost was not tried.
      const tried = (entry: Given) => ({ ...entry, attempt: Math.max(1, entry.attempt - lost) })
      return lost === 0 ? taken : { ...taken, entries: taken.entries.map(tried) }
    })
  }

  /** Whether the segment is still ours afterwards. */
  private handleAll(entries: ReadonlyArray<Given>, due: Parked | undefined) {
    return Effect.gen({ self: this }, function* () {
      if (due !== undefined && !(yield* this.again(due))) return false
      const { handleBatch } = this.definition
      if (handleBatch === undefined || entries.length === 1) return yield* this.oneByOne(entries)
      const ready: Array<Given> = []
      for (const entry of entries) {
        const told = this.look(entry)
        if (told !== undefined) yield* told
        if (!this.parked.has(entry.key)) ready.push(entry)
        else if (!(yield* this.first(entry))) return false
      }
      if ((yield* Clock.currentTimeMillis) >= this.validUntil) return false
      const left = yield* handleTogether(this.definition, handleBatch, this.claim, ready)
      for (const entry of ready) if (!left.includes(entry)) this.handled.push(entry.id)
      return yield* this.oneByOne(left, true)
    })
  }

  private oneByOne(entries: ReadonlyArray<Given>, isSeen = false) {
    return Effect.gen({ self: this }, function* () {
      for (const entry of entries) {
        const now = yield* Clock.currentTimeMillis
        if (now >= this.validUntil) return false
        if (this.stopping) return true
        if (now - this.notedAt >= noteEvery && (yield* this.take()) === undefined) return false
        const told = isSeen ? undefined : this.look(entry)
        if (told !== undefined) yield* told
        if (!(yield* this.first(entry))) return false
      }
      return true
    })
  }

  /** Says whether something is missing before an entry: others have deleted what this group was not given. */
  private look({ attempt, id, previous }: Given): Effect.Effect<void> | undefined {
    const { after } = this
    const { metrics } = this.shared
    // A server that went back to what it had before gives again what it gave.
    const isFurther = after === undefined || Ids.compare(id, after) > 0
    if (isFurther) this.after = id
    if (attempt > 1) return metrics.count("redelivered")
    const isNext = previous === undefined || after === undefined || Ids.compare(previous, after) <= 0
    if (!isFurther || isNext) return undefined
    const { group } = this.definition
    return Effect.andThen(
      metrics.count("missing"),
      Effect.logError(
        `Events are missing for the group ${group}: after ${after} comes ${id}, and ${previous} was before it`
      )
    )
  }

  /** Handles an entry that comes the usual way; whether the segment is still ours. */
  private first(entry: Given): Effect.Effect<boolean, never, Exclude<R, TenantContext>> {
    const ids = this.parked.get(entry.key)
    const head = ids?.[0]
    // A broker that has gone back does not have what it had parked: the segment is claimed anew, with what there is.
    if (ids?.includes(entry.id) === true) return Effect.succeed(false)
    // What comes before all that is parked was handled before, and not noted.
    if (head !== undefined && Ids.compare(head, entry.id) < 0) return this.park(entry, { behind: head })
    if (entry.attempt > unfinished) {
      const error = `It was given ${entry.attempt - 1} times and never handled to its end`
      return this.park(entry, this.failure({ category: "Unfinished", error }, 1))
    }
    return Effect.flatMap(handle(this.definition, this.claim, entry), (outcome) => {
      if (outcome._tag === "Failed") return this.park(entry, this.failure(outcome, 1))
      this.handled.push(entry.id)
      return Effect.succeed(true)
    })
  }

  private park(entry: Entry, why: Failure | Behind) {
    return Effect.gen({ self: this }, function* () {
      const { driver, metrics } = this.shared
      if (!(yield* this.survive(driver.park(this.claim, entry, why)))) return false
      this.keep(entry.id, entry.key)
      yield* metrics.count("parked")
      if ("error" in why) {
        yield* Effect.logError(`The group ${this.claim.group} has parked ${entry.id}: ${why.error}`)
      }
      return true
    })
  }

  /** Handles a parked entry whose time has come, if it is its turn. */
  private again(due: Parked) {
    return Effect.gen({ self: this }, function* () {
      const { driver, metrics } = this.shared
      const ids = this.parked.get(due.key) ?? []
      const [head] = ids
      // As above: it does not know what was settled.
      if (head === undefined || !ids.includes(due.id)) return false
      if (head !== due.id) return yield* this.survive(driver.failed(this.claim, due.id, { behind: head }))
      const attempts = due.attempts + 1
      const outcome: Outcome =
        due.skipped === undefined
          ? yield* handle(this.definition, this.claim, { ...due, attempt: attempts })
          : { _tag: "Handled" }
      if (outcome._tag === "Failed") {
        return yield* this.survive(driver.failed(this.claim, due.id, this.failure(outcome, attempts)))
      }
      if (!(yield* this.survive(driver.settled(this.claim, due.id, ids[1])))) return false
      ids.shift()
      this.parkedCount--
      if (ids.length === 0) this.parked.delete(due.key)
      yield* metrics.count("handled")
      return true
    })
  }

  private failure({ category, error }: Pick<Failure, "category" | "error">, attempts: number): Failure {
    const later = this.definition.retry.later[attempts - 1]
    return { category, error, attempts, retryInMillis: later === undefined ? undefined : Duration.toMillis(later) }
  }

  /** In the order of the log: what a broker gives again may come before what it gave. */
  private keep(id: string, key: string): void {
    const ids = this.parked.get(key) ?? []
    this.parked.set(key, ids)
    const before = ids.findLastIndex((other) => Ids.compare(other, id) < 0)
    ids.splice(before + 1, 0, id)
    this.parkedCount++
  }

  private tellFull() {
    const isFull = this.room() === 0
    if (isFull === this.isFull) return Effect.void
    this.isFull = isFull
    const { group, segment } = this.claim
    return isFull
      ? Effect.logError(`The segment ${segment} of the group ${group} waits: ${this.parkedCount} events are parked`)
      : Effect.logInfo(`The segment ${segment} of the group ${group} goes on`)
  }

  /** A storage that does not answer is waited for: whether the segment is still ours, it says itself. */
  private survive<A>(self: Effect.Effect<A, EventGroupsError>): Effect.Effect<A> {
    return self.pipe(
      Effect.tapError((error) => Effect.logWarning(`${this.claim.group}: the storage failed, trying again`, error)),
      Effect.retry(pauses),
      Effect.orDie
    )
  }
}

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(Schedule.jittered)
