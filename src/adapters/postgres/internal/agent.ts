/**
 * The agent that moves the mark: it looks at the sequence and at the locks, and writes down how far the log is settled.
 *
 * One agent of a database leads, by a lease, and the others stand by. All of them work out the truth, and the mark only
 * ever moves up to a truth: two that lead at once do work twice and no harm.
 */
import type { Row } from "@effect/sql-pg/PgConnection"
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Position from "../../../domain/Position.ts"
import type { MarkNotifier } from "../PgNotifier.ts"
import * as Fence from "./fence.ts"
import * as session from "./session.ts"
import { Watch } from "./watch.ts"

// All times in milliseconds.
const leaseTime = 2000
const renewal = 700
const takeOver = 1000
/** How soon the agent looks again while there is something to see, and how late while there is nothing. */
const shortestPause = 2
const longestPause = 250
/** How far looks may lie apart while much is written: it is then cheaper to settle many events by each. */
const longestSpacing = 5
/** How long an agent that stands by leaves the leader to notice what was written here. */
const grace = 10
const betweenAnnouncements = 5
const shortestRetry = 50
const longestRetry = 5000
const goodbyeTime = 500

export interface Options {
  readonly owner: string
  readonly notifier: MarkNotifier["Service"]
  /** A session, which is given up when a statement fails. */
  readonly open: Effect.Effect<session.Query, SqlError, Scope.Scope>
  /** After how long the log says that the mark is held back. */
  readonly stuckAfter: Duration.Duration
  /** Whether other processes are to hear of the mark. */
  readonly announces: boolean
}

export class Agent {
  leads = false
  term = 0
  mark = Position.start
  fences: ReadonlyArray<Fence.Fence> = []
  failure: Cause.Cause<SqlError> | undefined

  private readonly options: Options
  private readonly watch: Watch
  private readonly nudged = Latch.makeUnsafe(false)
  private wanted = 0
  private epoch = ""
  private processes: ReadonlyMap<string, string> = new Map()
  /** The last position drawn when the agent last looked; -1 before it has. */
  private seen = -1
  private openedAt = Number.POSITIVE_INFINITY
  private leaseAt = 0
  private lookedAt = 0
  /** How long to wait before looking again, and how long at least, when nudged. */
  private pause = shortestPause
  private spacing = shortestPause
  private announcedAt = 0
  private announced = Position.start
  private retry = shortestRetry

  constructor(options: Options) {
    this.options = options
    this.watch = new Watch(options.stuckAfter)
  }

  /** Tells that a position was committed in this process. */
  nudge(position: Position.Position): void {
    if (position <= this.mark) return
    this.wanted = Math.max(this.wanted, position)
    this.nudged.openUnsafe()
  }

  /** Works until it is interrupted, over as many sessions as it takes. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.catchCause(Effect.scoped(this.session), (cause) => this.lost(cause)))
  }

  private get session(): Effect.Effect<never, SqlError, Scope.Scope> {
    return Effect.flatMap(this.options.open, (query) => {
      this.openedAt = session.now()
      this.leads = false
      this.leaseAt = 0
      this.forget()
      this.wanted = 0
      this.epoch = ""
      return Effect.andThen(
        Effect.addFinalizer(() => this.resign(query)),
        Effect.forever(this.cycle(query))
      )
    })
  }

  private cycle(query: session.Query): Effect.Effect<void, SqlError> {
    return Effect.suspend(() => {
      this.nudged.closeUnsafe()
      const leased = session.now() < this.leaseAt ? Effect.void : this.lease(query)
      return leased.pipe(
        Effect.flatMap(() => (this.isNeeded() ? this.look(query) : Effect.void)),
        Effect.flatMap(() => this.tell(query)),
        Effect.flatMap(() => this.rest())
      )
    })
  }

  /** Whether it leads, or stands by and the leader has not noticed what was written here. */
  private isNeeded(): boolean {
    return this.leads || this.wanted > Math.max(this.mark, this.options.notifier.known())
  }

  private lease(query: session.Query): Effect.Effect<void, SqlError> {
    return Effect.flatMap(one(query, leaseText, [this.options.owner, leaseTime]), (row) => {
      this.leads = row["leads"] === true
      this.answered(row)
      return Effect.map(Random.next, (random) => {
        this.leaseAt = session.now() + (this.leads ? renewal : takeOver * (0.75 + random / 2))
      })
    })
  }

  private look(query: session.Query): Effect.Effect<void, SqlError> {
    this.lookedAt = session.now()
    const announces = this.mayAnnounce()
    const params = [String(this.term), this.epoch, String(this.seen), this.fences.length > 0, announces]
    return Effect.flatMap(one(query, lookText, params), (row) => {
      if (row["epoch"] !== this.epoch) {
        // What was seen of another server, and wanted of it, says nothing over this one.
        if (this.epoch !== "") this.wanted = 0
        this.forget()
        this.epoch = String(row["epoch"])
      }
      const last = Number(row["last"])
      const holders = row["holders"]
      const settled = Array.isArray(holders) ? this.judge(last, holders) : 0
      this.adapt(last)
      if (row["term"] !== null) {
        // Where nobody was found, the mark was moved by the look itself.
        this.moved(row, settled, announces)
        return Effect.void
      }
      const position = Position.max(this.mark, Position.make(settled))
      const owed = announces && position > this.announced
      return position > this.mark || owed ? this.advance(query, position, announces) : Effect.void
    })
  }

  /** Other processes hear of the mark only so often, but of the last one always. */
  private mayAnnounce(): boolean {
    return this.options.announces && this.lookedAt - this.announcedAt >= betweenAnnouncements
  }

  private judge(last: number, holders: ReadonlyArray<unknown>): number {
    // A transaction keeps its name when it is prepared, and loses its process.
    const seen = holders.map((holder) => String(holder).split(" "))
    this.processes = new Map(seen.map(([transaction = "", process = ""]) => [transaction, process]))
    const { open, position } = Fence.observe(this.fences, {
      last,
      holders: new Set(this.processes.keys()),
      now: this.lookedAt
    })
    this.fences = open
    return position
  }

  /** Who holds the mark back: each transaction's name in `pg_locks` and its server process, or `prepared`. */
  get blockers(): ReadonlyArray<string> {
    return (this.fences[0]?.members ?? []).map((member) => `${member} ${this.processes.get(member) ?? ""}`)
  }

  /** For how long the mark has been held back, in milliseconds. */
  get waited(): number {
    const [oldest] = this.fences
    return oldest === undefined ? 0 : session.now() - oldest.since
  }

  private tell(query: session.Query): Effect.Effect<void, SqlError> {
    const { blockers, leads, mark, term, waited } = this
    return this.watch.tell({ mark, leads, term, waited, blockers, fences: this.fences.length }, query)
  }

  private adapt(last: number): void {
    const [oldest] = this.fences
    const drawn = this.seen < 0 ? 0 : last - this.seen
    const busy = clamp(drawn, shortestPause, longestSpacing)
    // Who has waited for long does not mind a tenth of that more.
    const patient = oldest === undefined ? 0 : Math.min((this.lookedAt - oldest.since) / 10, longestPause)
    this.spacing = Math.max(busy, patient)
    this.pause =
      oldest !== undefined || last !== this.seen ? this.spacing : Math.min(Math.max(this.pause, 1) * 2, longestPause)
    this.seen = last
  }

  private advance(
    query: session.Query,
    position: Position.Position,
    announces: boolean
  ): Effect.Effect<void, SqlError> {
    const params = [String(this.term), this.epoch, String(position), announces]
    return Effect.map(one(query, advanceText, params), (row) => this.moved(row, position, announces))
  }

  private moved(row: Row, position: number, announced: boolean): void {
    const term = this.term
    this.answered(row)
    if (announced) {
      this.announcedAt = this.lookedAt
      this.announced = this.mark
    }
    if (this.term !== term) {
      // Somebody else has taken the lease.
      this.leads = false
      this.leaseAt = 0
    }
    // Refused: by the new term, by another server, or by a sequence that went back. What was settled is to be found again.
    if (this.mark < position) this.forget()
    this.options.notifier.publish(this.mark)
  }

  private answered(row: Row): void {
    this.term = Number(row["term"])
    this.mark = Position.make(Number(row["mark"]))
    this.failure = undefined
  }

  private forget(): void {
    this.fences = []
    this.seen = -1
    this.pause = shortestPause
  }

  private rest(): Effect.Effect<void> {
    const now = session.now()
    const untilLease = Math.max(this.leaseAt - now, 0)
    if (!this.leads) {
      if (this.isNeeded()) return Effect.sleep(Math.min(Math.max(this.pause, grace), untilLease))
      // Who does not look does not wait for anything either.
      this.forget()
      return Effect.flatMap(this.woken(untilLease), (woken) => (woken ? Effect.sleep(grace) : Effect.void))
    }
    // A nudge makes it look at once, but only so often.
    const first = Math.max(this.lookedAt + this.spacing - now, 0)
    const more = Math.min(this.lookedAt + this.pause - now, untilLease) - first
    return Effect.andThen(Effect.sleep(first), Effect.asVoid(this.woken(more)))
  }

  private woken(millis: number): Effect.Effect<boolean> {
    return millis <= 0
      ? Effect.succeed(false)
      : Effect.raceFirst(Effect.as(this.nudged.await, true), Effect.as(Effect.sleep(millis), false))
  }

  private lost(cause: Cause.Cause<SqlError>): Effect.Effect<void> {
    this.failure = cause
    this.leads = false
    // One that has lasted was a good one.
    const retry = session.now() - this.openedAt > longestRetry ? shortestRetry : this.retry
    this.retry = Math.min(retry * 2, longestRetry)
    this.openedAt = Number.POSITIVE_INFINITY
    return this.watch.resigned().pipe(
      Effect.andThen(Effect.logWarning("The high-water agent lost its session and tries again", cause)),
      Effect.andThen(Random.next),
      Effect.flatMap((random) => Effect.sleep(retry * (0.5 + random / 2)))
    )
  }

  /** Ends the lease, so that another agent need not wait for that. */
  private resign(query: session.Query): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.leads
        ? Effect.ignore(Effect.timeout(query("select es.resign($1::text)", [this.options.owner]), goodbyeTime))
        : Effect.void
    )
  }
}

const leaseText = "select leads, term::float8 as term, mark::float8 as mark from es.lead($1::text, $2::int4)"

const lookText =
  "select epoch, last::float8 as last, holders, term::float8 as term, mark::float8 as mark from es.look($1::int8, $2::text, $3::int8, $4::bool, $5::bool)"

const advanceText =
  "select term::float8 as term, mark::float8 as mark from es.advance($1::int8, $2::text, $3::int8, $4::bool)"

const one = (query: session.Query, text: string, params: ReadonlyArray<unknown>): Effect.Effect<Row, SqlError> =>
  Effect.flatMap(query(text, params), ([row]) =>
    row === undefined
      ? Effect.fail(new SqlError({ reason: new UnknownError({ cause: "no row", operation: "high-water" }) }))
      : Effect.succeed(row)
  )

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)
