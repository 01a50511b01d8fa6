/**
 * Takes away one line at a time that a promise rests on: of the checks, each of them must turn some red.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import { Outdated, patch } from "../patch.ts"
import * as session from "../session.ts"
import type { Options, Torture, Verdict } from "../Torture.ts"
import { checks, isGreen } from "./battery.ts"
import { harmless, type Mutant, mutants } from "./mutants.ts"
import * as sources from "./sources.ts"
import type { Stage } from "./stage.ts"

type Name = keyof typeof checks

const names = Object.keys(checks).filter((name): name is Name => name in checks)

const change = (url: string, { patches = [], statement }: Mutant) =>
  Effect.gen(function* () {
    const own = yield* session.open(url)
    yield* patch(own, ...patches)
    if (statement === undefined) return
    const [row] = yield* session.rows(own, statement.before)
    if (Object.values(row ?? {})[0] !== true) return yield* Effect.fail(new Outdated(statement.before))
    yield* own.query(statement.text)
  }).pipe(Effect.scoped)

/** A database as another one is, which nobody is connected to. */
const copyOf = (
  admin: PgClient.PgClient,
  server: string,
  original: string
): Effect.Effect<string, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    const url = new URL(yield* database.make(server))
    const name = url.pathname.slice(1)
    yield* admin`drop database ${admin(name)}`.unprepared
    yield* admin`create database ${admin(name)} template ${admin(new URL(original).pathname.slice(1))}`.unprepared
    return url.href
  })

const stage = (admin: PgClient.PgClient, server: string, template: string, mutant: Mutant) =>
  Effect.gen(function* () {
    const bare = yield* copyOf(admin, server, template)
    yield* change(bare, mutant)
    const url = yield* copyOf(admin, server, bare)
    const { Fence, Postgres } = yield* sources.load(mutant)
    const library = yield* Layer.build(
      Layer.merge(Postgres.layerUrl(Redacted.make(url), { maxConnections: 4 }), TenantContext.layerSingle)
    )
    const result: Stage = { url, bare, library, observe: Fence.observe }
    return result
  })

/** Fails when a change is not to be made any more as it stands. */
const isMakeable = (template: string, mutant: Mutant) =>
  Effect.gen(function* () {
    yield* sources.text(mutant)
    const own = yield* session.open(template)
    yield* own.query("begin")
    yield* patch(own, ...(mutant.patches ?? []))
    yield* own.query("rollback")
  }).pipe(Effect.scoped)

interface Judged {
  readonly mutant: Mutant
  readonly red: ReadonlyArray<Name>
  /** Why it could not be made. */
  readonly failure: string | undefined
}

/** How many mutants a short run judges. */
const fewest = 8

const run = ({ seconds, seed, server: shared }: Options) =>
  Effect.gen(function* () {
    const server = yield* shared
    const template = yield* database.make(server)
    yield* Effect.scoped(Layer.build(support.process(template)))
    const admin = yield* Effect.provide(
      PgClient.PgClient,
      yield* Layer.build(PgClient.layer({ url: Redacted.make(server), maxConnections: 1 }))
    )
    // A short run takes some of them, and asks only the check that has to see each; a long one shows all that do.
    const isShort = seconds < 10
    const chosen = isShort ? (yield* Random.shuffle(mutants)).slice(0, fewest) : mutants
    if (isShort) for (const mutant of [...harmless, ...mutants]) yield* isMakeable(template, mutant)
    const judge = (mutant: Mutant) =>
      Effect.gen(function* () {
        const place = yield* stage(admin, server, template, mutant)
        const red: Array<Name> = []
        for (const name of names) {
          if (isShort && mutant.by !== undefined && mutant.by !== name) continue
          if (!(yield* isGreen(name, place))) red.push(name)
        }
        return { mutant, red, failure: undefined }
      }).pipe(
        Effect.scoped,
        Effect.catchCause((cause) => Effect.succeed({ mutant, red: [], failure: reasonOf(cause) }))
      )
    const judged: ReadonlyArray<Judged> = yield* Effect.forEach(
      [...(isShort ? harmless.slice(0, 1) : harmless), ...chosen],
      judge,
      { concurrency: 3 }
    )
    return verdict(judged)
  }).pipe(Random.withSeed(seed))

const reasonOf = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  return error instanceof Outdated ? error.message : Cause.pretty(cause)
}

const verdict = (judged: ReadonlyArray<Judged>): Verdict => {
  const problems = judged.flatMap(({ failure, mutant, red }) => {
    if (failure !== undefined) return [`${mutant.name}: it could not be made: ${failure}`]
    if (mutant.by === undefined) return red.map((name) => `${mutant.name}: ${name}, was red`)
    return red.includes(mutant.by) ? [] : [`${mutant.name}: ${mutant.by}, stayed green`]
  })
  const wrong = judged.filter(({ mutant }) => mutant.by !== undefined)
  return {
    problems,
    counters: {
      checks: names.length,
      mutants: wrong.length,
      caught: wrong.filter(({ mutant, red }) => red.some((name) => name === mutant.by)).length,
      harmless: judged.length - wrong.length,
      "caught by": Object.fromEntries(wrong.map(({ mutant, red }) => [mutant.name, red.join("; ")]))
    }
  }
}

export const torture: Torture = {
  promise: "each line that a promise rests on is missed by a check when it is gone",
  run
}
