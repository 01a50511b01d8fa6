import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HealthChecks from "../../src/ports/HealthChecks.ts"
import * as HealthChecksLaws from "../../src/testing/HealthChecksLaws.ts"
import * as Law from "../../src/testing/Law.ts"
import { checkLaws } from "./checkLaws.ts"

checkLaws("HealthChecks.layer", { HealthChecks: HealthChecksLaws.laws }, HealthChecks.layer, {
  sessions: Number.POSITIVE_INFINITY
})

type Service = HealthChecks.HealthChecks["Service"]

/** What is wrong, words from the name of the law that sees it, and how it comes to be. */
const wrongs: ReadonlyArray<readonly [wrong: string, breaks: string, make: (right: Service) => Service]> = [
  ["what is removed is asked for ever", "until it is removed", (right) => ({ ...right, remove: () => Effect.void })],
  [
    "a name counts once",
    "beside the first",
    (right) => {
      const names = new Set<string>()
      return {
        ...right,
        add: (check) => (names.has(check.name) ? Effect.void : right.add((names.add(check.name), check)))
      }
    }
  ],
  [
    "the whole is always up",
    "no better than the worst",
    (right) => ({ ...right, run: Effect.map(right.run, (report) => ({ ...report, status: "up" as const })) })
  ],
  [
    "one check waits for another",
    "at the same time",
    (right) => {
      let last: Effect.Effect<void> = Effect.void
      return {
        ...right,
        add: (check) =>
          Effect.gen(function* () {
            const before = last
            const own = yield* Effect.cached(Effect.andThen(before, check.run))
            last = Effect.asVoid(own)
            yield* right.add({ ...check, run: own })
          })
      }
    }
  ],
  [
    "everybody who asks has all checked",
    "gets the same report",
    (right) => {
      const checks = new Set<HealthChecks.Check>()
      return {
        ...right,
        add: (check) => Effect.sync(() => void checks.add(check)),
        run: Effect.map(
          Effect.forEach(checks, ({ name, run }) => Effect.map(run, (answer) => ({ ...answer, name, millis: 0 })), {
            concurrency: "unbounded"
          }),
          (found) => ({ status: "up" as const, checks: found })
        )
      }
    }
  ],
  [
    "nothing is ever down",
    "takes too long is down",
    (right) => ({
      ...right,
      add: (check) => right.add({ ...check, run: Effect.as(check.run, { status: "up" as const }) })
    })
  ]
]

describe("what is wrong with health checks is seen", () => {
  for (const [wrong, breaks, make] of wrongs) {
    it.live(wrong, () =>
      Effect.gen(function* () {
        const meant = HealthChecksLaws.laws.filter(({ name }) => name.includes(breaks))
        expect(meant.length).toBe(1)
        const report = yield* Law.checkAll(meant, { seed: inject("seed"), timeout: "3 seconds" })
        expect(report.held).toEqual([])
      }).pipe(
        Effect.provide(
          Layer.effect(HealthChecks.HealthChecks, Effect.map(HealthChecks.HealthChecks, make)).pipe(
            Layer.provide(HealthChecks.layer)
          )
        )
      )
    )
  }
})
