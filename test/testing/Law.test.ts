import { assert, describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Assert from "../../src/testing/Assert.ts"
import { EventStoreError } from "../../src/ports/EventStoreError.ts"
import * as StorageFailure from "../../src/ports/StorageFailure.ts"
import * as Law from "../../src/testing/Law.ts"

class Answer extends Context.Service<Answer, number>()("Answer") {}

const isRight = Law.make("the answer is 42", () => Effect.map(Answer, (answer) => Assert.equal(answer, 42)))

/** How a law is broken. */
const how = (law: Law.Law<never>, options?: Parameters<typeof Law.check>[1]) =>
  Effect.map(Effect.flip(Law.check(law, options)), (error) => error.how)

describe("Law.check", () => {
  it.effect("succeeds where the law holds", () => Effect.provideService(Law.check(isRight), Answer, 42))

  it.effect("fails with the law's name and how it is broken", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provideService(Law.check(isRight), Answer, 41))
      expect(error.message).toBe('"the answer is 42" is not true: The values differ\n  expected 42, got 41')
      assert(error.cause instanceof Assert.AssertionFailed)
    })
  )

  it.effect("says what else a law failed with, and what a database said", () =>
    Effect.gen(function* () {
      const cause = new Error("connection refused")
      const failure = StorageFailure.make({ operation: "append", retryable: true, cause })
      const failed = Law.make("it fails", () => Effect.fail(new EventStoreError({ reason: failure })))
      expect(yield* how(failed)).toBe(
        "it failed with EventStoreError: The storage failed in append; the same call may succeed later\n  because of Error: connection refused"
      )
      expect(yield* how(Law.make("it fails", () => Effect.fail("no")))).toBe('it failed with "no"')
      const thrown = Law.make("it throws", (): Effect.Effect<void> => {
        throw new TypeError("a bug")
      })
      expect(yield* how(thrown)).toBe("it failed with TypeError: a bug")
    })
  )

  it.effect("ends a law that does not end, in real time", () =>
    Effect.gen(function* () {
      expect(yield* how(Law.make("it ends", () => Effect.never, { timeout: "20 millis" }))).toBe(
        "it did not end within 20ms"
      )
      expect(
        yield* how(
          Law.make("it ends", () => Effect.never),
          { timeout: "5 millis" }
        )
      ).toBe("it did not end within 5ms")
      yield* Law.check(Law.make("time passes", () => Effect.sleep("5 millis")))
    })
  )

  it.effect("is interrupted as anything is", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Law.check(Law.make("it ends", () => Effect.never)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      expect(Exit.hasInterrupts(exit)).toBe(true)
    })
  )
})

describe("Law.forAll", () => {
  const numbers = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))))
  const small = Law.make("numbers are small", () =>
    Law.forAll(numbers, (all) =>
      Effect.sync(() =>
        Assert.isTrue(
          all.every((n) => n < 10),
          `${Math.max(...all)} is large`
        )
      )
    )
  )

  it.effect("makes what breaks it smaller, and finds it again from the seed", () =>
    Effect.gen(function* () {
      const told = yield* how(small, { seed: 7 })
      expect(told).toMatch(/^10 is large\nfor \[10\]\nfound from seed 7, run \d+$/)
      expect(yield* how(small, { seed: 7 })).toBe(told)
    })
  )

  it.effect("chooses a seed and tells it where none is given", () =>
    Effect.gen(function* () {
      const seed = Number(/found from seed (\d+)/.exec(yield* how(small))?.[1])
      expect(yield* how(small, { seed })).toContain(`found from seed ${seed}, run`)
    })
  )

  it.effect("holds where the property does", () =>
    Law.check(Law.make("numbers are numbers", () => Law.forAll(numbers, () => Effect.void)))
  )
})

describe("Law.checkAll", () => {
  const race = Law.make("one of many wins", () => Effect.void, { needs: { sessions: 2 } })
  const wrong = Law.make("nothing is", () => Effect.fail("no"))

  it.effect("reports what held, what was broken and what was skipped, and why", () =>
    Effect.gen(function* () {
      const report = yield* Effect.provideService(
        Law.checkAll([wrong, race, isRight], { capabilities: { sessions: 1 }, seed: 5 }),
        Answer,
        42
      )
      expect(Law.format(report)).toBe(
        [
          "broken: nothing is",
          '  it failed with "no"',
          "skipped: one of many wins (needs sessions of at least 2, there are 1)",
          "1 held, 1 broken, 1 skipped, seed 5"
        ].join("\n")
      )
    })
  )

  it.effect("skips nothing where capabilities are not said", () =>
    Effect.gen(function* () {
      const report = yield* Law.checkAll([race])
      expect(report).toMatchObject({ held: ["one of many wins"], broken: [], skipped: [] })
    })
  )
})

it.effect("a law does not leave its error in the type: there is one", () =>
  Effect.gen(function* () {
    const result: Result.Result<void, Law.LawBroken> = yield* Effect.result(
      Law.check(Law.make("it fails", () => Effect.fail({ some: "error" })))
    )
    expect(Result.isFailure(result)).toBe(true)
  })
)
