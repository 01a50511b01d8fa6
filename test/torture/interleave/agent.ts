/**
 * The work of an agent in single steps, so that others can take theirs between any two of them.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { SqlError } from "effect/sql/SqlError"
import * as Fence from "../../../src/adapters/postgres/internal/fence.ts"
import { patch } from "../patch.ts"
import * as session from "../session.ts"

/** Held by who wants an agent to stop between its look at the sequence and its look at the locks. */
const gate = 4711

/** Lets looks be stopped half way. */
export const openable = (own: session.Session) =>
  patch(own, {
    name: "es.look",
    find: "select coalesce(array_agg(l.virtualtransaction",
    replace: `perform pg_advisory_lock_shared(${gate}); perform pg_advisory_unlock_shared(${gate});
      select coalesce(array_agg(l.virtualtransaction`
  })

export class SteppedAgent {
  halves = 0
  looks = 0
  private readonly name: string
  private readonly own: session.Session
  private readonly keeper: session.Session
  private term = -1
  private epoch = ""
  private fences: ReadonlyArray<Fence.Fence> = []
  private owed = 0
  private half: Fiber.Fiber<void, SqlError> | undefined

  constructor(name: string, own: session.Session, keeper: session.Session) {
    this.name = name
    this.own = own
    this.keeper = keeper
  }

  get leads(): boolean {
    return this.term >= 0
  }

  /** Takes the lease, whoever has it. */
  get lead(): Effect.Effect<void, SqlError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.own.query("update es.high_water set owner = null")
      const [row] = yield* session.rows(this.own, "select term::float8 as term from es.lead($1::text, 3600000)", [
        this.name
      ])
      this.term = Number(row?.["term"])
    })
  }

  /** Looks; what is settled thereby is not written down yet, unless the look does that itself. */
  get look(): Effect.Effect<void, SqlError> {
    return Effect.gen({ self: this }, function* () {
      this.looks++
      const [row] = yield* session.rows(
        this.own,
        "select epoch, last::float8 as last, holders, term::float8 as term from es.look($1::int8, $2::text, -1, true, false)",
        [String(this.term), this.epoch]
      )
      if (row?.["epoch"] !== this.epoch) {
        this.fences = []
        this.epoch = String(row?.["epoch"])
      }
      const holders = row?.["holders"]
      const names = Array.isArray(holders) ? holders.map((one) => String(one).split(" ")[0] ?? "") : []
      const { open, position } = Fence.observe(this.fences, {
        last: Number(row?.["last"]),
        holders: new Set(names),
        now: 0
      })
      this.fences = open
      if (row?.["term"] === null) this.owed = Math.max(this.owed, position)
      else this.answered(row?.["term"])
    })
  }

  /** Looks at the sequence, and not yet at the locks. */
  get lookHalf(): Effect.Effect<void, SqlError> {
    return Effect.gen({ self: this }, function* () {
      if (this.half !== undefined) return
      this.halves++
      yield* this.keeper.query(`select pg_advisory_lock(${gate})`)
      this.half = yield* Effect.forkDetach(this.look)
      while (!(yield* session.isWaiting(this.keeper, this.own))) yield* Effect.yieldNow
    })
  }

  /** Looks at the locks too. */
  get lookWhole(): Effect.Effect<void, SqlError> {
    return Effect.gen({ self: this }, function* () {
      if (this.half === undefined) return
      yield* this.keeper.query(`select pg_advisory_unlock(${gate})`)
      yield* Fiber.join(this.half)
      this.half = undefined
    })
  }

  get isHalf(): boolean {
    return this.half !== undefined
  }

  /** Moves the mark to what was found settled, perhaps long ago. */
  get advance(): Effect.Effect<void, SqlError> {
    return Effect.gen({ self: this }, function* () {
      const position = this.owed
      this.owed = 0
      if (position === 0) return
      const [row] = yield* session.rows(
        this.own,
        "select term::float8 as term from es.advance($1::int8, $2::text, $3::int8, false)",
        [String(this.term), this.epoch, String(position)]
      )
      this.answered(row?.["term"])
    })
  }

  private answered(term: unknown) {
    if (term === this.term) return
    // Somebody else has taken the lease.
    this.term = -1
    this.fences = []
    this.owed = 0
  }
}
