import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Position from "../../../src/domain/Position.ts"
import { CheckpointStore } from "../../../src/ports/CheckpointStore.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import { databaseUrl } from "../../services/database.ts"
import { connect, process } from "./support.ts"

const at = Position.make

/** Two processes on one database. */
const two = <A, E, R>(
  body: (
    one: CheckpointStore["Service"],
    other: CheckpointStore["Service"],
    unit: UnitOfWork["Service"],
    url: string
  ) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const services = yield* Layer.build(process(url))
    const others = yield* Layer.build(Layer.fresh(process(url)))
    const one = yield* Effect.provide(CheckpointStore, services)
    const unit = yield* Effect.provide(UnitOfWork, services)
    return yield* body(one, yield* Effect.provide(CheckpointStore, others), unit, url)
  }).pipe(Effect.scoped)

it.live("who waits in another process is told of the commit, sooner than it would have looked", () =>
  two((one, other) =>
    Effect.gen(function* () {
      // The first wait begins to listen.
      yield* Effect.all([other.passed("reader", at(1)), one.save("reader", at(0), at(1))], { concurrency: 2 })
      yield* Effect.sleep("500 millis")
      const took: Array<number> = []
      for (let n = 1; n <= 15; n++) {
        const waiting = yield* Effect.forkChild(
          Effect.andThen(other.passed("reader", at(n + 1)), Clock.currentTimeMillis)
        )
        yield* Effect.sleep("10 millis")
        yield* one.save("reader", at(n), at(n + 1))
        const saved = yield* Clock.currentTimeMillis
        took.push((yield* Fiber.join(waiting)) - saved)
      }
      took.sort((a, b) => a - b)
      expect(took[7]).toBeLessThan(120)
    })
  )
)

it.live("nothing is told of what is rolled back, and what is committed is told once it is", () =>
  two((one, _, unit, url) =>
    Effect.gen(function* () {
      const connection = yield* (yield* connect(url)).pin
      const told = yield* connection.listen("es_checkpoint")
      const save = one.save("reader", at(0), at(1))
      yield* Effect.flip(unit.transaction(Effect.andThen(save, Effect.fail("no"))))
      yield* one.save("another", at(0), at(1))
      expect((yield* Queue.take(told)).payload).toBe("another")
      yield* unit.transaction(save)
      expect((yield* Queue.take(told)).payload).toBe("reader")
    })
  )
)
