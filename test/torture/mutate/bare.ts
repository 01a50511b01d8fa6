/**
 * Checks of the functions that move the mark, where no agent calls them.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as session from "../session.ts"
import { expect, type Stage } from "./stage.ts"

interface Agent {
  readonly own: session.Session
  readonly term: number
  readonly epoch: string
}

/** A session that has the lease, of a log with some events. */
const agent = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.bare, { synchronous_commit: "off" })
    yield* own.query("update es.high_water set owner = null")
    const term = yield* session.number(own, "select term from es.lead('check', 600000)")
    const [row] = yield* session.rows(own, "select es.epoch() as epoch")
    yield* session.append(own, "Bare", { count: 5 })
    const result: Agent = { own, term, epoch: String(row?.["epoch"]) }
    return result
  })

const mark = ({ own }: Agent) => session.number(own, "select position from es.high_water where id = 1")

const last = ({ own }: Agent) => session.number(own, "select pg_sequence_last_value('es.position'::regclass)")

const advance = ({ epoch, own, term }: Agent, position: number) =>
  own.query("select moved from es.advance($1::int8, $2::text, $3::int8, false)", [
    String(term),
    epoch,
    String(position)
  ])

/** What must not move the mark, and the same that must. */
const refused =
  (change: (agent: Agent, last: number) => { readonly agent: Agent; readonly position: number }) => (stage: Stage) =>
    Effect.gen(function* () {
      const right = yield* agent(stage)
      const before = yield* mark(right)
      const position = yield* last(right)
      const wrong = change(right, position)
      yield* advance(wrong.agent, wrong.position)
      yield* expect((yield* mark(right)) === before, "the mark is where it was")
      yield* advance(right, position)
      yield* expect((yield* mark(right)) === position, "the mark can be moved")
    })

export const term = refused((agent, last) => ({ agent: { ...agent, term: agent.term - 1 }, position: last }))

export const epoch = refused((agent, last) => ({ agent: { ...agent, epoch: "another" }, position: last }))

export const drawn = refused((agent, last) => ({ agent, position: last + 1 }))

export const forwards = (stage: Stage) =>
  Effect.gen(function* () {
    const right = yield* agent(stage)
    const position = yield* last(right)
    yield* advance(right, position)
    yield* advance(right, position - 2)
    yield* expect((yield* mark(right)) === position, "the mark is where it was")
  })

export const flushed = (stage: Stage) =>
  Effect.gen(function* () {
    const right = yield* agent(stage)
    // The server flushes now and then by itself, which must not be taken for what is promised.
    for (let round = 0; round < 4; round++) {
      yield* session.append(right.own, "Bare")
      const [row] = yield* session.rows(right.own, "select pg_current_wal_insert_lsn()::text as lsn")
      yield* advance(right, yield* last(right))
      const behind = yield* session.number(
        right.own,
        "select greatest($1::text::pg_lsn - pg_current_wal_flush_lsn(), 0)::float8",
        [row?.["lsn"]]
      )
      yield* expect(behind === 0, "all below the mark is flushed")
    }
  })

export const lease = (stage: Stage) =>
  Effect.gen(function* () {
    const right = yield* agent(stage)
    const other = yield* session.open(stage.bare)
    const [row] = yield* session.rows(other, "select leads from es.lead('another', 600000)")
    yield* expect(row?.["leads"] === false, "the other does not lead")
    const kept = yield* session.number(right.own, "select term from es.high_water where id = 1")
    yield* expect(kept === right.term, "the term is what it was")
  })

/** Appends at several moments while a look is taken: whoever has drawn by what it calls the last is among its holders. */
export const look = (stage: Stage) =>
  Effect.gen(function* () {
    const right = yield* agent(stage)
    for (const pause of [0, 10, 30]) {
      const other = yield* session.open(stage.bare)
      const looking = yield* Effect.forkChild(
        session.rows(
          right.own,
          "select last::float8 as last, holders from es.look($1::int8, $2::text, -1, true, false)",
          [String(right.term), right.epoch]
        )
      )
      yield* Effect.sleep(pause)
      yield* other.query("begin")
      const { position } = yield* session.append(other, `Look-${pause}`)
      const [row] = yield* Fiber.join(looking)
      const holders = row?.["holders"]
      const isHolder = Array.isArray(holders) && holders.some((one) => String(one).endsWith(` ${other.processId}`))
      yield* expect(isHolder || Number(row?.["last"]) < position, "it is a holder, or has drawn later")
      yield* expect((yield* mark(right)) < position, "the mark is below what has not ended")
      yield* other.query("rollback")
    }
  })

export const renamed = ({ observe }: Stage) => {
  const first = observe([], { last: 5, holders: new Set(["3/7"]), now: 0 })
  const second = observe(first.open, { last: 5, holders: new Set(["-1/742"]), now: 1 })
  return Effect.andThen(
    expect(first.position === 0, "nothing is settled while its holder is there"),
    expect(second.position === 0, "nothing is settled while a renamed one is there")
  )
}
