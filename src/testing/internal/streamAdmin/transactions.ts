/**
 * Laws about administration inside a unit of work.
 */
import * as Effect from "effect/Effect"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { StreamAdmin } from "../../../ports/StreamAdmin.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { law, type Place } from "./place.ts"

const work = ({ admin, world }: Place) =>
  Effect.gen(function* () {
    const [a, b] = [world.stream("a"), world.stream("b")]
    yield* admin.setMetadata(a, { expected: 0, retention: { maxCount: 2 }, data: 1 })
    yield* admin.skip({ stream: a, version: 3 }, "bad")
    yield* admin.archive(b)
  })

const standing = (place: Place) =>
  Effect.gen(function* () {
    const { admin, world } = place
    return {
      a: yield* place.versions(world.stream("a")),
      logged: yield* place.logged(world.stream("b")),
      metadata: (yield* admin.metadata(world.stream("a"))).version,
      skipped: (yield* admin.skipped()).length,
      archived: (yield* admin.info(world.stream("b"))).archived
    }
  })

const untouched = { a: [1, 2, 3], logged: [1], metadata: 0, skipped: 0, archived: false }
const worked = { a: [2], logged: [], metadata: 1, skipped: 1, archived: true }

const both = law("administration commits with its unit of work, is seen inside it, and is undone with it", (place) =>
  Effect.gen(function* () {
    const unit = yield* UnitOfWork
    yield* place.grow(place.world.stream("a"), 3)
    yield* place.settled(yield* place.grow(place.world.stream("b"), 1))
    const inside = Effect.gen(function* () {
      yield* work(place)
      return yield* standing(place)
    })
    const failing = Effect.flatMap(inside, (seen) => Effect.fail(seen))
    Assert.equal(yield* Effect.flip(unit.transaction(failing)), worked, "inside")
    Assert.equal(yield* standing(place), untouched, "rolled back")
    yield* unit.transaction(inside)
    Assert.equal(yield* standing(place), worked, "committed")
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin | UnitOfWork>> = [both]
