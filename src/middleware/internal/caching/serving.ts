/** Serves a query from a cache: one caller works it out, the others wait for that or get what there is. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Cause from "effect/Cause"
import * as Random from "effect/Random"
import * as Position from "../../../domain/Position.ts"
import type { Driver, Entry, Looked, Slot, Ticket } from "../../../ports/QueryCacheDriver.ts"
import type { Outcome } from "./codec.ts"
import type { Counts } from "./metrics.ts"

/** How answers are kept; all times in milliseconds. */
export interface Policy {
  readonly grace: number
  readonly lease: number
  readonly beta: number
  /** For how long an outcome is fresh; 0 when it is not kept. */
  readonly ttlOf: (outcome: Outcome) => number
  readonly encode: (outcome: Outcome) => string | undefined
}

interface Flight {
  readonly ticket: Ticket
  after: Position.Position
  /** Undefined when it came to nothing: whoever waits asks again. */
  readonly landed: Deferred.Deferred<Outcome | undefined>
}

interface Asked<R> {
  readonly slot: Slot
  readonly after: Position.Position
  /** What an answer holds for certain that is begun now: who asks may name a position that nothing has reached. */
  readonly held: Effect.Effect<Position.Position>
  readonly handler: Effect.Effect<unknown, unknown, R>
}

/** What comes of looking: what there is, word that somebody makes it, or what was made here. */
type Seen = Exclude<Looked, { readonly _tag: "Vacant" }> | { readonly _tag: "Led"; readonly outcome: Outcome }

const firstPause = 2
const longestPause = 50

export class Serving {
  private readonly flights = new Map<string, Flight>()
  private readonly refreshing = new Set<string>()
  /** Where one caller looks again and again for what another process makes. */
  private readonly polls = new Map<string, Deferred.Deferred<void>>()
  private readonly cache: Driver
  private readonly policy: Policy
  private readonly counts: Counts

  constructor(cache: Driver, policy: Policy, counts: Counts) {
    this.cache = cache
    this.policy = policy
    this.counts = counts
  }

  serve<R>(asked: Asked<R>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, unknown, R> {
    const now = timeOf(fiber)
    const entry = this.cache.peek(asked.slot, asked.after, now)
    return entry === undefined ? this.ask(asked, fiber) : this.found(asked, entry, "hit", now, fiber)
  }

  private found<R>(
    asked: Asked<R>,
    entry: Entry,
    from: "hit" | "shared",
    now: number,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<unknown, unknown, R> {
    const age = now - entry.filledAt
    const left = entry.ttl - age
    this.counts.came(left > 0 ? from : "stale", fiber.context)
    this.counts.age(age, fiber.context)
    return this.isDue(entry, left, fiber) ? Effect.andThen(this.refresh(asked, fiber), entry.outcome) : entry.outcome
  }

  /** Whether a new answer is to be made: the sooner before its time is over, the longer that takes, and by chance. */
  private isDue(entry: Entry, left: number, fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (left <= 0) return true
    const span = entry.cost * this.policy.beta
    // Less likely than one in 10^8.
    if (left > span * 20) return false
    return -Math.log(1 - fiber.getRef(Random.Random).nextDoubleUnsafe()) * span >= left
  }

  private refresh<R>(asked: Asked<R>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void, never, R> {
    const id = idOf(asked.slot)
    if (this.refreshing.has(id)) return Effect.void
    this.refreshing.add(id)
    const work = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(this.cache.claim(asked.slot, this.policy.lease), (ticket) => {
        if (ticket === undefined) return Effect.void
        this.counts.came("refresh", fiber.context)
        return this.lead({ ...asked, held: restore(asked.held), handler: restore(asked.handler) }, ticket)
      })
    ).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logWarning(`A kept answer could not be made again: ${asked.slot.key}`, cause)
      ),
      Effect.ensuring(Effect.sync(() => this.refreshing.delete(id)))
    )
    return this.cache.inBackground(work)
  }

  private ask<R>(asked: Asked<R>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, unknown, R> {
    const id = idOf(asked.slot)
    if (this.flights.has(id) || this.polls.has(id)) return this.wait(asked, fiber)
    return Effect.flatMap(
      this.lookOrLead(asked, fiber),
      (looked) => this.ended(asked, looked, fiber) ?? this.wait(asked, fiber, looked)
    )
  }

  /** What comes of looking, unless somebody else makes it. */
  private ended<R>(asked: Asked<R>, looked: Seen, fiber: Fiber.Fiber<unknown, unknown>) {
    if (looked._tag === "Found") return this.found(asked, looked.entry, "shared", timeOf(fiber), fiber)
    return looked._tag === "Led" ? looked.outcome : undefined
  }

  /** Waits for who makes it, here or elsewhere; `first` is what came of looking, when nobody here made it. */
  private wait<R>(
    asked: Asked<R>,
    fiber: Fiber.Fiber<unknown, unknown>,
    first?: Seen
  ): Effect.Effect<unknown, unknown, R> {
    const { after, slot } = asked
    const id = idOf(slot)
    return Effect.gen({ self: this }, function* () {
      for (let before = first; ; before = undefined) {
        const flight = before === undefined ? this.flights.get(id) : undefined
        if (flight !== undefined && flight.after >= after && flight.ticket.isCurrent()) {
          const outcome = yield* Deferred.await(flight.landed)
          if (outcome === undefined) continue
          this.counts.came("joined", fiber.context)
          return yield* outcome
        }
        const poll = before === undefined ? this.polls.get(id) : undefined
        if (poll !== undefined) {
          yield* Deferred.await(poll)
          const now = timeOf(fiber)
          const entry = this.cache.peek(slot, after, now)
          if (entry !== undefined) return yield* this.found(asked, entry, "shared", now, fiber)
        }
        const looked = before ?? (yield* this.lookOrLead(asked, fiber))
        // It may be this process that makes it.
        const isHere = this.flights.get(id)?.ticket.isCurrent() === true && flight === undefined
        const isPolled = isHere || this.polls.has(id)
        const seen = looked._tag === "Taken" && !isPolled ? yield* this.poll(asked, fiber) : looked
        const ended = this.ended(asked, seen, fiber)
        if (ended !== undefined) return yield* ended
      }
    })
  }

  /** Looks until there is something, for all of this process that ask. */
  private poll<R>(asked: Asked<R>, fiber: Fiber.Fiber<unknown, unknown>) {
    const id = idOf(asked.slot)
    return Effect.suspend(() => {
      const done = Deferred.makeUnsafe<void>()
      this.polls.set(id, done)
      const looking = Effect.gen({ self: this }, function* () {
        for (let waited = 0; ; ) {
          // Nobody waits for much more than a quarter longer than it takes.
          const pause = Math.min(Math.max(waited / 4, firstPause), longestPause)
          yield* Effect.sleep(pause)
          waited += pause
          const looked = yield* this.lookOrLead(asked, fiber)
          if (looked._tag !== "Taken") return looked
        }
      })
      const ended = Effect.sync(() => {
        this.polls.delete(id)
        Deferred.doneUnsafe(done, Exit.void)
      })
      return Effect.ensuring(looking, ended)
    })
  }

  /** Nothing comes between getting a ticket and the promise to use it or give it back. */
  private lookOrLead<R>(asked: Asked<R>, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<Seen, never, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        this.cache.look(asked.slot, { after: asked.after, lease: this.policy.lease }),
        (looked): Effect.Effect<Seen, never, R> => {
          if (looked._tag !== "Vacant") return Effect.succeed(looked)
          this.counts.came("miss", fiber.context)
          const led = this.lead({ ...asked, held: restore(asked.held), handler: restore(asked.handler) }, looked.ticket)
          return Effect.map(Effect.exit(led), (outcome) => ({ _tag: "Led", outcome }))
        }
      )
    )
  }

  private lead<R>(asked: Asked<R>, ticket: Ticket): Effect.Effect<unknown, unknown, R> {
    const { after, handler, held, slot } = asked
    return Effect.withFiber((fiber) => {
      const id = idOf(slot)
      const flight: Flight = { ticket, after: Position.start, landed: Deferred.makeUnsafe() }
      this.flights.set(id, flight)
      const began = timeOf(fiber)
      const worked = after === flight.after ? handler : Effect.andThen(this.holding(flight, held, after), handler)
      return Effect.onExit(worked, (outcome) => {
        const ended = Effect.sync(() => {
          if (this.flights.get(id) === flight) this.flights.delete(id)
          const isShared = Exit.isSuccess(outcome) || !Cause.hasInterrupts(outcome.cause)
          Deferred.doneUnsafe(flight.landed, Exit.succeed(isShared ? outcome : undefined))
        })
        return Effect.ensuring(this.keep(slot, ticket, outcome, flight.after, timeOf(fiber) - began, fiber), ended)
      })
    })
  }

  private holding<R>(flight: Flight, held: Effect.Effect<Position.Position, never, R>, after: Position.Position) {
    return Effect.map(held, (position) => void (flight.after = Position.min(position, after)))
  }

  private keep(
    slot: Slot,
    ticket: Ticket,
    outcome: Outcome,
    position: Position.Position,
    cost: number,
    fiber: Fiber.Fiber<unknown, unknown>
  ): Effect.Effect<void> {
    const { encode, grace, ttlOf } = this.policy
    const ttl = ttlOf(outcome)
    const text = ttl > 0 ? encode(outcome) : undefined
    if (text === undefined) return this.cache.abandon(slot, ticket)
    return Effect.map(this.cache.fill(slot, ticket, { outcome, text, ttl, grace, cost, position }), (kept) => {
      if (!kept) this.counts.refused(fiber.context)
    })
  }
}

const timeOf = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const idOf = (slot: Slot) => `${slot.tenant}\u0000${slot.key}`
