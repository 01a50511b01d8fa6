import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as childProcess from "node:child_process"
import * as path from "node:path"
import { inject } from "vitest"
import { connect } from "../adapters/postgres/support.ts"
import { databaseUrl } from "../services/database.ts"
import { source } from "./source.ts"

const worker = path.join(import.meta.dirname, "worker.ts")

/** A run that is killed after it has told that often how far it came, and a moment. Answers with the last it told. */
const run = (url: string, kill?: { readonly told: number; readonly millis: number }): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = childProcess.fork(worker, [url], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] })
    let [imported, told] = [0, 0]
    child.on("message", (message) => {
      if (typeof message !== "number") return reject(new Error(JSON.stringify(message)))
      imported = message
      if (++told === kill?.told) setTimeout(() => child.kill("SIGKILL"), kill.millis)
    })
    child.on("exit", () => resolve(imported))
  })

/** A sequence that is the same for the same seed. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return seed / 2 ** 32
}

describe("an import", () => {
  it.live(
    "whose process is killed again and again imports every event once, in its order",
    () =>
      Effect.gen(function* () {
        const url = yield* databaseUrl
        const next = random(inject("seed"))
        const came: Array<number> = []
        for (let kills = 0; kills < 6; kills++) {
          const kill = { told: 1 + Math.floor(next() * 8), millis: next() * 12 }
          came.push(yield* Effect.promise(() => run(url, kill)))
        }
        // All were killed before the end, and each came further than the one before.
        expect(came.every((imported) => imported < source.length)).toBe(true)
        expect(came).toEqual([...new Set(came)].toSorted((a, b) => a - b))
        expect(yield* Effect.promise(() => run(url))).toBe(source.length)

        const connection = yield* connect(url)
        const { rows } = yield* connection.query("select id::text as id from es.event order by position")
        const ids = rows.map((row) => row["id"])
        expect(ids).toEqual(source.map((event) => event.id))
      }),
    60_000
  )
})
