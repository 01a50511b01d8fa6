/** Brings what is new in the log to the broker, and goes back as far as the broker has lost what it had. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Position from "../../../domain/Position.ts"
import * as Segment from "../../../domain/Segment.ts"
import { CheckpointStore } from "../../../ports/CheckpointStore.ts"
import type { Entry } from "../../../ports/EventGroupsDriver.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { Page } from "../../../ports/EventStoreDriver.ts"
import { ForwardTarget } from "../../../ports/ForwardTarget.ts"
import { isConflict, survive } from "../reader.ts"
import type { Definition } from "./model.ts"

/** How often marks of quiet segments are moved, and what is handled is forgotten, in milliseconds. */
const settleEvery = 1000

const forwarded = Metric.counter("effect_cqrs_forwarding_forwarded", {
  description: "Events that were brought to the broker, those it had already included"
})
const wentBack = Metric.counter("effect_cqrs_forwarding_went_back", {
  description: "Times that the broker had lost something, or that another forwarder was there"
})

/** The log has less than what was forwarded of it. */
interface Beyond {
  readonly _tag: "Beyond"
  readonly forwarded: Position.Position
  readonly mark: Position.Position
}

/** Forwards for ever, or until an event cannot be translated or the log has gone back. */
export const run = <E, R>(definition: Definition<E, R>) =>
  Effect.gen(function* () {
    const forwarder = new Forwarder(definition, yield* ForwardTarget, yield* EventStore, yield* CheckpointStore)
    return yield* forwarder.work()
  }).pipe(Effect.annotateLogs({ forwarding: definition.log }))

class Forwarder<E, R> {
  private readonly definition: Definition<E, R>
  private readonly target: ForwardTarget["Service"]
  private readonly store: EventStore["Service"]
  private readonly checkpoints: CheckpointStore["Service"]
  private readonly self: { readonly name: string }
  /** Up to where each segment has everything. */
  private marks: Array<number> = []
  private cursor = Position.start
  /** Up to where no group needs anything any more. */
  private floor = Position.start
  private settledAt = 0

  constructor(
    definition: Definition<E, R>,
    target: ForwardTarget["Service"],
    store: EventStore["Service"],
    checkpoints: CheckpointStore["Service"]
  ) {
    this.definition = definition
    this.target = target
    this.store = store
    this.checkpoints = checkpoints
    this.self = { name: `forwarding/${definition.log}` }
  }

  work() {
    return Effect.gen({ self: this }, function* () {
      const { batchSize: limit, categories, tags, types } = this.definition
      yield* this.load()
      while (true) {
        const after = this.cursor
        const page = yield* survive(this.self, this.store.readAllTenants({ after, limit, types, categories, tags }))
        const now = yield* Clock.currentTimeMillis
        if (page.cursor > after) {
          if (!(yield* this.send(page))) yield* this.goBack(page.cursor)
          if (now - this.settledAt < settleEvery) continue
        }
        if (!(yield* this.settle(now))) yield* this.goBack(this.cursor)
        else if (page.cursor === after) {
          yield* Effect.race(survive(this.self, this.store.changed(after)), Effect.sleep(settleEvery))
        }
      }
    })
  }

  /** Learns from the broker up to where it has everything. */
  private load() {
    return Effect.gen({ self: this }, function* () {
      const { groups, log } = this.definition
      this.floor = yield* survive(this.self, this.checkpoints.load(this.self.name))
      const { floor } = this
      this.marks = yield* this.eachSegment((segment) => this.target.open(log, segment, { groups, floor }))
      this.cursor = Position.make(Math.min(...this.marks))
      const most = Position.make(Math.max(...this.marks))
      const mark = yield* survive(this.self, this.store.mark)
      const beyond: Beyond = { _tag: "Beyond", forwarded: most, mark }
      if (most > mark) return yield* Effect.fail(beyond)
    })
  }

  /** Goes on from where the broker is: it has lost something, or another forwarder was faster. */
  private goBack(tried: Position.Position) {
    return Effect.gen({ self: this }, function* () {
      const [marks, before] = [this.marks, this.cursor]
      yield* this.load()
      yield* Metric.update(Metric.withAttributes(wentBack, { log: this.definition.log }), 1)
      // A mark where we wanted it is of a call of ours whose answer was lost.
      const isOther = this.marks.some((mark, segment) => mark > (marks[segment] ?? 0) && mark !== tried)
      if (!isOther) {
        yield* Effect.logWarning(
          `The broker has lost what it had of ${this.definition.log}: forwarding again after ${this.cursor}, not ${before}`
        )
        return
      }
      yield* Effect.logDebug(`Another forwarder of ${this.definition.log} is at work`)
      yield* Effect.sleep(settleEvery)
      yield* this.load()
    })
  }

  /** Brings a page; whether the broker was everywhere as it was thought to be. */
  private send(page: Page) {
    return Effect.gen({ self: this }, function* () {
      const { log } = this.definition
      const bySegment = new Map<number, Array<Entry>>()
      let count = 0
      for (const stored of page.events) {
        if (!this.definition.wants(stored)) continue
        const key = this.definition.key(stored)
        const segment = Segment.hash(key) & (this.target.segments - 1)
        if (stored.position <= (this.marks[segment] ?? 0)) continue
        const made = this.definition.envelopes(stored)
        const envelopes = Effect.isEffect(made) ? yield* made : made
        const entries = bySegment.get(segment) ?? []
        bySegment.set(segment, entries)
        for (const [index, envelope] of envelopes.entries()) {
          entries.push({ id: `${stored.position}-${index}`, key, text: JSON.stringify(envelope) })
        }
        count += envelopes.length
      }
      const added = yield* Effect.forEach(
        bySegment,
        ([segment, entries]) => this.add(log, segment, page.cursor, entries),
        { concurrency: "unbounded" }
      )
      if (added.includes(false)) return false
      this.cursor = page.cursor
      yield* Metric.update(Metric.withAttributes(forwarded, { log }), count)
      return true
    })
  }

  private add(log: string, segment: number, to: Position.Position, entries: ReadonlyArray<Entry>) {
    const from = this.marks[segment] ?? 0
    return survive(this.self, this.target.add(log, segment, { from, to, entries })).pipe(
      Effect.tap((isAdded) =>
        Effect.sync(() => {
          if (isAdded) this.marks[segment] = to
        })
      )
    )
  }

  /** Moves the marks of quiet segments, and has forgotten what is handled; whether the broker was as it was thought to be. */
  private settle(now: number) {
    return Effect.gen({ self: this }, function* () {
      const { log } = this.definition
      const { cursor } = this
      // A mark that need not move is compared as well: what was lost is forwarded again though nothing new comes.
      const moved = yield* this.eachSegment((segment) => {
        const to = Position.max(cursor, Position.make(this.marks[segment] ?? 0))
        return this.add(log, segment, to, [])
      })
      this.settledAt = now
      if (moved.includes(false)) return false
      const needed = yield* this.eachSegment((segment) => this.target.settle(log, segment))
      const floor = Position.make(Math.min(...needed))
      if (floor > this.floor) yield* this.save(floor)
      return true
    })
  }

  private save(floor: Position.Position) {
    const { name } = this.self
    const saved = survive(this.self, this.checkpoints.save(name, this.floor, floor)).pipe(Effect.as(floor))
    // Another forwarder has saved one; be it lower than ours, it only means more to forward again.
    const other = survive(this.self, this.checkpoints.load(name))
    return Effect.catchIf(saved, isConflict, () => other).pipe(Effect.tap((at) => Effect.sync(() => (this.floor = at))))
  }

  private eachSegment<A, E2>(f: (segment: number) => Effect.Effect<A, E2>): Effect.Effect<Array<A>, E2> {
    const all = Array.from({ length: this.target.segments }, (_, segment) => segment)
    return Effect.forEach(all, (segment) => survive(this.self, f(segment)), { concurrency: "unbounded" })
  }
}
