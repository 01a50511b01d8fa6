/** How events of a segment are handled: in one transaction with the checkpoint, tried again, and parked when nothing helps. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Random from "effect/Random"
import type * as Semaphore from "effect/Semaphore"
import type { Position } from "../../../domain/Position.ts"
import { ConsumerStore } from "../../../ports/ConsumerStore.ts"
import type { Claim, EventMark } from "../../../ports/ConsumerStoreDriver.ts"
import { ConsumerStoreError } from "../../../ports/ConsumerStoreError.ts"
import { ParkedStore } from "../../../ports/ParkedStore.ts"
import type { Entry, Failure, Parked } from "../../../ports/ParkedStoreDriver.ts"
import { ParkedStoreError } from "../../../ports/ParkedStoreError.ts"
import { UnitOfWork, UnitOfWorkError } from "../../../ports/UnitOfWork.ts"
import type { Metrics } from "./metrics.ts"
import type { Definition, Failed, Item, Outcome, Retry, Round } from "./model.ts"
import * as Trail from "./trail.ts"

/**
 * Why a segment is given up: another worker has it, it should begin again from what is stored, or too much is parked.
 */
export type Ended =
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Again"; readonly cause: Cause.Cause<unknown> }
  | { readonly _tag: "Full"; readonly reason: string }

export type Services = ConsumerStore | ParkedStore | UnitOfWork

export interface Segment<R> {
  readonly definition: Definition<R>
  readonly claim: Claim
  readonly epoch: string
  /** How many segments of this process handle events at one time. */
  readonly permits: Semaphore.Semaphore
  readonly metrics: Metrics
}

/** What a segment's checkpoint stands at, and which of its keys are held back. */
export class Progress<R> {
  readonly segment: Segment<R>
  /** Where the stored checkpoint is. */
  saved: Position
  readonly blocked = new Set<string>()
  private trail: ReadonlyArray<EventMark>

  constructor(segment: Segment<R>) {
    this.segment = segment
    this.saved = segment.claim.checkpoint.position
    this.trail = segment.claim.checkpoint.trail
  }

  /** Handles events and moves the checkpoint behind them; those of keys that are held back are parked behind the others. */
  process(items: ReadonlyArray<Item>, to: Position): Effect.Effect<void, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const failed = yield* this.persist(items, to, 1)
      if (failed === undefined) return
      const { index } = failed
      if (items.length === 1 && items[0] !== undefined) return yield* this.one(items[0], to, failed)
      if (index === undefined) return yield* this.apart(items, to)
      const item = items[index]
      if (item === undefined) return yield* this.apart(items, to)
      const before = items.slice(0, index)
      const last = before.at(-1)
      // A transaction has undone what was handled before; otherwise it was handled, and only the checkpoint is behind.
      if (last !== undefined) {
        yield* this.segment.definition.transactional
          ? this.process(before, last.stored.position)
          : this.own(
              this.save(
                before,
                before.filter((one) => this.blocked.has(one.key)),
                last.stored.position
              )
            )
      }
      yield* this.one(item, index === items.length - 1 ? to : item.stored.position, failed)
      if (index < items.length - 1) yield* this.process(items.slice(index + 1), to)
    })
  }

  /** Moves the checkpoint where nothing was to be handled. */
  advance(to: Position): Effect.Effect<void, Ended, Services> {
    return to === this.saved ? Effect.void : this.own(this.save([], [], to))
  }

  /** Handles what is parked and due, each key in its order as far as it goes; answers with whether anything was. */
  drain(): Effect.Effect<void, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const { claim, definition } = this.segment
      const store = yield* ParkedStore
      const due = yield* this.own(store.due(definition.name, claim.segment, 100))
      for (const head of due) yield* this.sequence(head)
      const keys = yield* this.own(store.keys(definition.name, claim.segment))
      this.blocked.clear()
      for (const key of keys) this.blocked.add(key)
    })
  }

  private sequence(head: Parked): Effect.Effect<void, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const store = yield* ParkedStore
      let next: ReadonlyArray<Parked> = [head]
      while (next.length > 0) {
        for (const parked of next) {
          if (!(yield* this.replay(parked))) return
        }
        const { consumer, key } = head
        const rest = yield* this.own(store.list(consumer, { key, after: next.at(-1)?.position, limit: 100 }))
        const pending = rest.filter(({ status }) => status !== "skipped")
        const stop = pending.findIndex(({ status }) => status !== "waiting")
        next = stop === -1 ? pending : pending.slice(0, stop)
      }
    })
  }

  /** Handles one parked event; answers with whether the next of its key may come. */
  private replay(parked: Parked): Effect.Effect<boolean, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const { claim, definition, metrics } = this.segment
      const store = yield* ParkedStore
      const consumers = yield* ConsumerStore
      const item: Item = { stored: parked.stored, key: parked.key, hash: parked.hash, problem: undefined }
      const attempts = parked.attempts + 1
      const keep = (change: Effect.Effect<void, ParkedStoreError>) =>
        Effect.andThen(change, consumers.commit(claim, this.saved, { position: this.saved }))
      const round = { owned: claim, attempt: attempts, earlier: definition.retry.times - 1 }
      const outcome = yield* this.attempt([item], round, keep(store.settle(parked)))
      if (outcome._tag === "Handled") {
        yield* metrics.handled(1)
        return true
      }
      if (outcome._tag === "Gone") return true
      if (outcome.passing && outcome.error === undefined) return yield* Effect.fail(again(outcome.message))
      const failure = toFailure(definition.retry, outcome, attempts)
      yield* Effect.logWarning(`${definition.name}: a parked event failed again: ${outcome.message}`)
      const unit = yield* UnitOfWork
      const kept = Effect.catchReason(
        keep(store.failed(parked, failure)),
        "ParkedStoreError",
        "NotParked",
        () => Effect.void
      )
      yield* this.own(unit.transaction(kept))
      return false
    })
  }

  /** Tries one event until its times are over, and parks it then. */
  private one(item: Item, to: Position, first: Failed): Effect.Effect<void, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const { definition } = this.segment
      const { retry } = definition
      let failed = first
      for (let attempt = 2; attempt <= retry.times && failed.again; attempt++) {
        yield* this.logged(item, failed, attempt - 1)
        yield* pause(Duration.toMillis(retry.base), attempt - 1)
        const outcome = yield* this.persist([item], to, attempt)
        if (outcome === undefined) return
        failed = outcome
      }
      yield* this.logged(item, failed, retry.times)
      if (definition.compensate !== undefined && failed.error !== undefined) {
        const round = { owned: this.segment.claim, attempt: retry.times }
        const compensate = definition.compensate(item, round, failed.error.value)
        const outcome = yield* this.inTransaction(compensate, this.save([item], [], to))
        if (outcome._tag === "Handled") return
        yield* Effect.logWarning(`${definition.name}: the compensation failed`, outcome)
      }
      const entry = this.toEntry(item, toFailure(definition.retry, failed, 1))
      yield* this.own(this.save([item], [entry], to))
      this.blocked.add(item.key)
      yield* Effect.logError(`${definition.name}: parked the event at ${item.stored.position}, key ${item.key}`)
    })
  }

  /** What failed as one is tried again as one, and then one by one. */
  private apart(items: ReadonlyArray<Item>, to: Position): Effect.Effect<void, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const { retry } = this.segment.definition
      for (let attempt = 2; attempt <= Math.min(retry.times, 2); attempt++) {
        yield* pause(Duration.toMillis(retry.base), attempt - 1)
        const failed = yield* this.persist(items, to, attempt)
        if (failed === undefined) return
      }
      for (const [index, item] of items.entries()) {
        yield* this.process([item], index === items.length - 1 ? to : item.stored.position)
      }
    })
  }

  /** Handles events and saves, again and again while the storage is away; answers with a failure of the handler. */
  private persist(
    items: ReadonlyArray<Item>,
    to: Position,
    attempt: number
  ): Effect.Effect<Failed | undefined, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const { claim, definition } = this.segment
      const free = this.blocked.size === 0 ? items : items.filter((item) => !this.blocked.has(item.key))
      const held = free.length === items.length ? [] : items.filter((item) => this.blocked.has(item.key))
      for (let time = 1; ; time++) {
        const outcome = yield* this.attempt(free, { owned: claim, attempt }, this.save(items, held, to))
        if (outcome._tag !== "Failed") return undefined
        if (outcome.passing && time >= passingTimes && outcome.error === undefined) {
          return yield* Effect.fail(again(outcome.message))
        }
        if (!outcome.passing || time >= passingTimes) {
          const { index } = outcome
          const item = index === undefined ? undefined : free[index]
          return item === undefined ? outcome : { ...outcome, index: items.indexOf(item) }
        }
        yield* Effect.logWarning(`${definition.name}: the storage failed, trying again: ${outcome.message}`)
        yield* pause(50, time)
      }
    })
  }

  private attempt<E>(
    items: ReadonlyArray<Item>,
    round: Round,
    save: Effect.Effect<void, E, Services>
  ): Effect.Effect<Outcome | { readonly _tag: "Gone" }, Ended, R | Services> {
    const { definition, metrics, permits } = this.segment
    const handle = items.length === 0 ? Effect.succeed(handled) : definition.handle(items, round)
    return permits
      .withPermits(1)(this.inTransaction(handle, save))
      .pipe(Effect.tap((outcome) => (outcome._tag === "Handled" ? metrics.handled(items.length) : Effect.void)))
  }

  /** Handles and saves: both are kept, or neither; outside of a transaction only what is saved is. */
  private inTransaction<E>(
    handle: Effect.Effect<Outcome, never, R>,
    save: Effect.Effect<void, E, Services>
  ): Effect.Effect<Outcome | { readonly _tag: "Gone" }, Ended, R | Services> {
    return Effect.gen({ self: this }, function* () {
      const unit = yield* UnitOfWork
      const undo = (outcome: Outcome) => (outcome._tag === "Failed" ? Effect.fail(outcome) : Effect.void)
      const exit = yield* this.segment.definition.transactional
        ? Effect.exit(unit.transaction(Effect.andThen(Effect.flatMap(handle, undo), save)))
        : Effect.exit(Effect.andThen(Effect.flatMap(handle, undo), save))
      if (Exit.isSuccess(exit)) return handled
      const error = exit.cause.reasons.find(Cause.isFailReason)?.error
      if (isFailed(error)) return error
      if (error instanceof UnitOfWorkError) return storage(error)
      return yield* this.ended(error, exit.cause)
    })
  }

  /** What became of a step of one's own, beside the handler. */
  private ended(
    error: unknown,
    cause: Cause.Cause<unknown>
  ): Effect.Effect<Outcome | { readonly _tag: "Gone" }, Ended> {
    if (error instanceof ConsumerStoreError && error.reason._tag !== "StorageFailure") {
      return Effect.andThen(this.segment.metrics.fenced, Effect.fail<Ended>({ _tag: "Lost" }))
    }
    if (error instanceof ParkedStoreError && error.reason._tag === "ParkingFull") {
      return Effect.fail<Ended>({ _tag: "Full", reason: error.message })
    }
    if (error instanceof ParkedStoreError && error.reason._tag === "NotParked") return Effect.succeed({ _tag: "Gone" })
    return Effect.fail<Ended>({ _tag: "Again", cause })
  }

  private own<A, E, R1>(self: Effect.Effect<A, E, R1>): Effect.Effect<A, Ended, R1> {
    return Effect.catchCause(self, (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const error = cause.reasons.find(Cause.isFailReason)?.error
      return Effect.flatMap(this.ended(error, cause), () => Effect.fail<Ended>({ _tag: "Again", cause }))
    })
  }

  /** Parks what is given and moves the checkpoint behind all. */
  private save(
    items: ReadonlyArray<Item>,
    parked: ReadonlyArray<Item | Entry>,
    to: Position
  ): Effect.Effect<void, ConsumerStoreError | ParkedStoreError, Services> {
    return Effect.gen({ self: this }, function* () {
      const { claim, definition, epoch, metrics } = this.segment
      const from = this.saved
      const last = items.at(-1)
      const event = last === undefined ? undefined : { position: last.stored.position, id: last.stored.id }
      const trail = event === undefined ? undefined : Trail.add(this.trail, event)
      const consumers = yield* ConsumerStore
      const unit = yield* UnitOfWork
      const commit = consumers.commit(claim, from, { position: to, event, trail, epoch })
      if (parked.length === 0) yield* commit
      else {
        const entries = parked.map((one) => ("consumer" in one ? one : this.toEntry(one, undefined)))
        const park = (yield* ParkedStore).add(entries, definition.limits)
        yield* Effect.catchTag(unit.transaction(Effect.andThen(park, commit)), "UnitOfWorkError", ({ reason }) =>
          Effect.fail(new ConsumerStoreError({ reason }))
        )
      }
      yield* unit.afterCommit(
        Effect.andThen(
          Effect.sync(() => {
            this.saved = to
            if (trail !== undefined) this.trail = trail
          }),
          metrics.parked(parked.length)
        )
      )
    })
  }

  private toEntry({ hash, key, stored }: Item, failure: Failure | undefined): Entry {
    return { consumer: this.segment.definition.name, key, position: stored.position, hash, stored, failure }
  }

  private logged(item: Item, failed: Failed, attempt: number) {
    const { name } = this.segment.definition
    const { position, type } = item.stored
    return Effect.logWarning(`${name}: ${type} at ${position} failed in attempt ${attempt}: ${failed.message}`)
  }
}

const handled = { _tag: "Handled" } as const

/** How often a handler may fail by the storage alone before that counts as its own failure. */
const passingTimes = 10

const isFailed = (error: unknown): error is Failed =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "Failed" && "passing" in error

/** A transaction that could not begin or commit; what it says that cannot pass is about what the handler wrote. */
const storage = (error: UnitOfWorkError): Failed => ({
  _tag: "Failed",
  index: undefined,
  category: "HandlerFailed",
  error: error.reason.retryable ? undefined : { value: error },
  message: Cause.pretty(Cause.fail(error.reason)),
  again: true,
  passing: error.reason.retryable
})

const again = (why: string): Ended => ({ _tag: "Again", cause: Cause.fail(why) })

const toFailure = ({ later }: Retry, { again, category, message }: Failed, attempts: number): Failure => {
  const delay = again ? later[attempts - 1] : undefined
  return {
    category,
    error: message,
    attempts,
    retryInMillis: delay === undefined ? undefined : Duration.toMillis(delay)
  }
}

/** Twice as long each time, up to 5 seconds, less up to half of it by chance. */
const pause = (base: number, time: number) =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(Math.min(base * 2 ** (time - 1), 5000) * (0.5 + random / 2)))
