/**
 * Sessions driven step by step in orders drawn from all that there are, with the steps of agents between them and readers
 * that look after each.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import * as reading from "../../../src/adapters/postgres/internal/reading.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"
import { openable, SteppedAgent } from "./agent.ts"
import { type Step, script } from "./scripts.ts"

const most = 500

/** A session in one round. */
class Actor {
  readonly steps: ReadonlyArray<Step>
  done = 0
  /** When it began and when its work was over, in steps of the round. */
  began = -1
  ended = Number.POSITIVE_INFINITY
  failed = false
  readonly drawn: Array<number> = []
  private readonly own: session.Session
  private readonly monitor: session.Session
  private running: Fiber.Fiber<ReadonlyArray<number>, SqlError> | undefined

  constructor(own: session.Session, monitor: session.Session, steps: ReadonlyArray<Step>) {
    this.own = own
    this.monitor = monitor
    this.steps = steps
  }

  get isOver(): boolean {
    return this.failed || this.done === this.steps.length
  }

  /** Takes its next step, or waits on in the one it is in; says whether the step was brought to its end. */
  step(now: number): Effect.Effect<boolean, SqlError> {
    return Effect.gen({ self: this }, function* () {
      const step = this.steps[this.done]
      if (this.isOver || step === undefined) return true
      if (this.began < 0) this.began = now
      this.running ??= yield* Effect.forkDetach(step.run(this.own))
      const running = this.running
      while (running.pollUnsafe() === undefined) {
        if (yield* session.isWaiting(this.monitor, this.own)) return false
        yield* Effect.yieldNow
      }
      this.running = undefined
      const exit = yield* Fiber.await(running)
      if (exit._tag === "Success") this.drawn.push(...exit.value)
      else {
        // Chosen to end a deadlock.
        this.failed = true
        yield* this.own.query("rollback")
      }
      this.done++
      if (this.isOver) this.ended = now
      return true
    })
  }
}

/** A reader, by the library's statement or by position alone. */
class Reader {
  readonly seen: Array<number> = []
  cursor = 0
  private readonly page: (
    cursor: number
  ) => Effect.Effect<{ positions: ReadonlyArray<number>; cursor: number }, SqlError>

  constructor(page: Reader["page"]) {
    this.page = page
  }

  get poll(): Effect.Effect<void, SqlError> {
    return Effect.map(this.page(this.cursor), ({ cursor, positions }) => {
      this.seen.push(...positions)
      this.cursor = cursor
    })
  }
}

const byMark = (sql: PgClient.PgClient, limit: number) => (cursor: number) =>
  Effect.map(reading.page(sql, undefined, { after: Position.make(cursor), limit }).withoutTransform, (rows) => {
    const positions = rows.flatMap((row) => (row.position === null ? [] : [row.position]))
    const last = positions.length < limit ? undefined : positions.at(-1)
    return { positions, cursor: last ?? Math.max(cursor, rows[0]?.mark ?? 0) }
  })

const byPosition = (own: session.Session) => (cursor: number) =>
  Effect.map(
    session.rows(own, "select position::float8 as position from es.event where position > $1::int8 order by 1", [
      String(cursor)
    ]),
    (rows) => {
      const positions = rows.map((row) => Number(row["position"]))
      return { positions, cursor: positions.at(-1) ?? cursor }
    }
  )

/** One step of an agent, or none. */
const agentStep = (agents: ReadonlyArray<SteppedAgent>) =>
  Effect.gen(function* () {
    const agent = agents[yield* Random.nextIntBetween(0, agents.length)]
    if (agent === undefined) return
    const choice = yield* Random.nextIntBetween(0, 6)
    if (agents.some((one) => one.isHalf)) {
      if (choice < 3) for (const one of agents) yield* one.lookWhole
      return
    }
    if (!agent.leads) {
      if (choice < 2) yield* agent.lead
      return
    }
    if (choice === 0) return
    if (choice === 1) return yield* agent.lookHalf
    if (choice < 4) yield* agent.look
    if (choice > 2) yield* agent.advance
  })

interface Stage {
  readonly sessions: ReadonlyArray<session.Session>
  readonly monitor: session.Session
  readonly agents: ReadonlyArray<SteppedAgent>
  readonly readers: ReadonlyArray<Reader>
  readonly naive: Reader
}

interface Round {
  readonly merge: string
  readonly waits: number
  readonly polls: number
  /** How often who ended before another began has a higher position. */
  readonly acausal: number
  readonly stuck: boolean
}

const play = ({ agents, monitor, naive, readers, sessions }: Stage, round: number) =>
  Effect.gen(function* () {
    const count = yield* Random.nextIntBetween(2, 4)
    const streams = Array.from({ length: 3 }, (_, n) => `Round-${round}-${n}`)
    const actors: Array<Actor> = []
    for (const [index, own] of sessions.slice(0, count).entries()) {
      actors.push(new Actor(own, monitor, yield* script(`round-${round}-${index}`, streams)))
    }
    // A shuffle of so many turns of each is any merge with the same chance.
    let turns = yield* Random.shuffle(actors.flatMap((actor) => actor.steps.map(() => actor)))
    const merge = turns.map((actor) => `${actors.indexOf(actor)}:${actor.steps.length}`).join(" ")
    let waits = 0
    let polls = 0
    let now = 0
    while (turns.length > 0) {
      const waiting: Array<Actor> = []
      for (const actor of turns) {
        now++
        if (!(yield* actor.step(now))) {
          waits++
          waiting.push(actor)
        }
        yield* agentStep(agents)
        for (const reader of [...readers, naive]) yield* reader.poll
        polls++
      }
      turns = waiting
    }
    // All is over: some agent has to come to the end, and the readers with it.
    for (const agent of agents) yield* agent.lookWhole
    const last = yield* support.lastDrawn(monitor)
    let mark = 0
    for (let tries = 0; tries < 5 && mark < last; tries++) {
      for (const agent of agents) {
        if (!agent.leads) yield* agent.lead
        yield* agent.look
        yield* agent.advance
      }
      mark = yield* session.number(monitor, "select position from es.high_water where id = 1")
    }
    for (const reader of readers) {
      for (let tries = 0; tries < 20 && reader.cursor < mark; tries++) yield* reader.poll
    }
    yield* naive.poll
    const acausal = actors.flatMap((one) =>
      actors.filter(
        (other) => one.ended < other.began && Math.max(...one.drawn, 0) > Math.min(...other.drawn, Number.MAX_VALUE)
      )
    ).length
    const result: Round = { merge, waits, polls, acausal, stuck: mark < last }
    return result
  })

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    // No agent but those that are stepped: of the library, the schema and the statements.
    yield* Effect.scoped(Layer.build(support.process(url)))
    const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))
    const sql = yield* Effect.provide(PgClient.PgClient, context)
    const open = session.open(url, { deadlock_timeout: "10ms" })
    const monitor = yield* open
    yield* openable(monitor)
    const stage: Stage = {
      sessions: [yield* open, yield* open, yield* open],
      monitor,
      agents: [new SteppedAgent("one", yield* open, yield* open), new SteppedAgent("other", yield* open, yield* open)],
      readers: [new Reader(byMark(sql, 100)), new Reader(byMark(sql, 1))],
      naive: new Reader(byPosition(monitor))
    }
    const rounds: Array<Round> = []
    const end = performance.now() + seconds * 1000
    while (rounds.length < most && performance.now() < end) rounds.push(yield* play(stage, rounds.length))
    const rows = yield* session.rows(monitor, "select position::float8 as position from es.event order by 1")
    return judge(
      stage,
      rounds,
      rows.map((row) => Number(row["position"]))
    )
  }).pipe(Random.withSeed(seed))

const judge = (
  { agents, naive, readers }: Stage,
  rounds: ReadonlyArray<Round>,
  log: ReadonlyArray<number>
): Verdict => {
  const missedBy = ({ seen }: Reader) => log.filter((position) => !seen.includes(position)).length
  const missed = readers.reduce((sum, reader) => sum + missedBy(reader), 0)
  const duplicated = readers.reduce((sum, { seen }) => sum + seen.length - new Set(seen).size, 0)
  const inverted = readers.reduce(
    (sum, { seen }) => sum + seen.filter((position, index) => position < (seen[index - 1] ?? 0)).length,
    0
  )
  const sum = (key: "waits" | "polls" | "acausal") => rounds.reduce((sum, round) => sum + round[key], 0)
  const counters = {
    merges: rounds.length,
    "different merges": new Set(rounds.map(({ merge }) => merge)).size,
    events: log.length,
    "steps that waited for another session": sum("waits"),
    "looks of agents": agents.reduce((sum, agent) => sum + agent.looks, 0),
    "looks with steps of others in the middle": agents.reduce((sum, agent) => sum + agent.halves, 0),
    "polls of readers": sum("polls"),
    missed,
    duplicated,
    inverted,
    "positions against time": sum("acausal"),
    "marks that never came": rounds.filter(({ stuck }) => stuck).length,
    "missed by a plain cursor": missedBy(naive)
  }
  const problems = unless({
    "enough merges were tried to mean something": rounds.length >= 20,
    "no reader missed an event": missed === 0,
    "no reader saw an event twice": duplicated === 0,
    "no reader saw an event after a later one": inverted === 0,
    "who ended before another began has the lower positions": counters["positions against time"] === 0,
    "the mark comes to the last position of each merge": counters["marks that never came"] === 0,
    "a plain cursor was seen to miss events": counters["missed by a plain cursor"] > 0
  })
  return { problems, counters }
}

export const torture: Torture = {
  promise: "in whatever order sessions, agents and readers take their steps, readers miss nothing",
  run
}
