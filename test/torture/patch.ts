/**
 * Changes lines of the functions in a database, as the migrations have left them, and of sources.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import * as session from "./session.ts"

/** What is to be changed is not written any more as the change expects. */
export class Outdated {
  readonly _tag = "Outdated"
  readonly message: string

  constructor(what: string) {
    this.message = `${what}: the change has to be written anew`
  }
}

export interface Change {
  /** What to find, once; spaces and line ends count as one space. */
  readonly find: string
  readonly replace: string
}

export interface Patch extends Change {
  /** The function, with its schema; by default the one in which the text is found. */
  readonly name?: string | undefined
}

const patternOf = (find: string) =>
  new RegExp(
    find
      .trim()
      .split(/\s+/)
      .map((word) => word.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&"))
      .join("\\s+"),
    "g"
  )

/** What a text becomes by a change. */
export const changed = (what: string, text: string, { find, replace }: Change): Effect.Effect<string, Outdated> => {
  const pattern = patternOf(find)
  const times = [...text.matchAll(pattern)].length
  return times === 1
    ? Effect.succeed(text.replace(pattern, () => replace))
    : Effect.fail(new Outdated(`${what} has ${times === 0 ? "no" : `${times} times`} "${find}"`))
}

/** Creates functions of the schema anew with other lines. */
export const patch = (
  own: session.Session,
  ...patches: ReadonlyArray<Patch>
): Effect.Effect<void, SqlError | Outdated> =>
  Effect.forEach(
    patches,
    (change) =>
      Effect.gen(function* () {
        const rows = yield* session.rows(
          own,
          `select 'es.' || p.proname as name, pg_get_functiondef(p.oid) as text from pg_proc p
          where p.pronamespace = 'es'::regnamespace and p.prokind = 'f' and ($1::text is null or 'es.' || p.proname = $1::text)`,
          [change.name ?? null]
        )
        const functions = rows.map((row) => ({ name: String(row["name"]), text: String(row["text"]) }))
        const found = functions.filter(({ text }) => text.search(patternOf(change.find)) >= 0)
        const [first] = found
        if (first === undefined || found.length > 1) {
          const names = found.map(({ name }) => name).join(" and ")
          return yield* Effect.fail(
            new Outdated(`"${change.find}" is in ${names === "" ? `no ${change.name ?? "function"}` : names}`)
          )
        }
        yield* own.query(yield* changed(first.name, first.text, change), [], false)
      }),
    { discard: true }
  )
