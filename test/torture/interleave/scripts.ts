/**
 * What a session does in one round, in at most four steps.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import * as session from "../session.ts"

export interface Step {
  readonly name: string
  /** Answers with the positions it has drawn. */
  readonly run: (own: session.Session) => Effect.Effect<ReadonlyArray<number>, SqlError>
}

const statement = (text: string): Step => ({ name: text, run: (own) => Effect.as(own.query(text), []) })

const append = (stream: string): Step => ({
  name: `append to ${stream}`,
  run: (own) => Effect.map(session.append(own, stream), ({ position }) => [position])
})

const both = (first: Step, second: Step): Step => ({
  name: `${first.name}, ${second.name}`,
  run: (own) => Effect.flatMap(first.run(own), (drawn) => Effect.map(second.run(own), (more) => [...drawn, ...more]))
})

const begin = statement("begin")
const commit = statement("commit")
const rollback = statement("rollback")

const scripts: ReadonlyArray<(name: string, x: string, y: string) => ReadonlyArray<Step>> = [
  (_, x) => [append(x)],
  (_, x) => [begin, append(x), commit],
  (_, x, y) => [begin, append(x), append(y), commit],
  (_, x) => [begin, append(x), rollback],
  (_, x) => [begin, statement("select pg_current_xact_id()::text"), append(x), commit],
  (name, x) => [begin, append(x), statement(`prepare transaction '${name}'`), statement(`commit prepared '${name}'`)],
  (name, x) => [begin, append(x), statement(`prepare transaction '${name}'`), statement(`rollback prepared '${name}'`)],
  (_, x, y) => [
    both(begin, statement("savepoint s")),
    append(x),
    statement("rollback to savepoint s"),
    both(append(y), commit)
  ],
  (_, x, y) => [append(x), begin, append(y), commit]
]

/** Any of the scripts, on streams that the others may want too. */
export const script = (name: string, streams: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Step>> =>
  Effect.gen(function* () {
    const [x = "", y = ""] = yield* Random.shuffle(streams)
    const index = yield* Random.nextIntBetween(0, scripts.length)
    return scripts[index]?.(name, x, y) ?? []
  })
