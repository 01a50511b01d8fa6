/**
 * Laws about events that are too large: they are refused before anything is written, and the refusal says which and why.
 */
import * as Effect from "effect/Effect"
import { MaxEventBytes } from "../../../ports/EventSize.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { noted, texts } from "../samples.ts"
import { law } from "../world.ts"

/** Takes so many bytes as JSON. */
const sized = (bytes: number, character = "x") => {
  const empty = JSON.stringify({ text: "", labels: {}, lines: [] }).length
  const rest = bytes - empty
  const one = new TextEncoder().encode(character).length
  return texts({ text: "x".repeat(rest % one) + character.repeat(Math.floor(rest / one)) })
}

const alphabets = ["x", "é", "日", "😀"]

const refused = law(
  "an event over the limit is refused with EventTooLarge, which names it, its size and the limit",
  (world) =>
    Effect.gen(function* () {
      const stream = world.stream()
      const limited = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, MaxEventBytes, 1000)
      for (const character of alphabets) {
        const events = [...noted(1), sized(1000, character), sized(1001, character)]
        const reason = yield* Assert.fails(limited(world.append(stream, "none", events)), "EventTooLarge")
        const { index, limit, size, stream: named, type } = reason
        Assert.equal(
          { index, limit, size, named, type },
          { index: 2, limit: 1000, size: 1001, named: stream, type: "LawTexts" }
        )
      }
      Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: false })
      for (const [version, character] of alphabets.entries()) {
        yield* limited(world.append(stream, version, [sized(1000, character)]))
      }
    })
)

const together = law("of several appends none is written when an event of one is too large", (world) =>
  Effect.gen(function* () {
    const [a, b] = [world.stream("a"), world.stream("b")]
    const appends = [
      { stream: a, expected: "none", events: noted(1) },
      { stream: b, expected: "none", events: [sized(200)] }
    ] as const
    const writing = Effect.provideService(world.store.appendAll(appends), MaxEventBytes, 100)
    const { stream } = yield* Assert.fails(writing, "EventTooLarge")
    Assert.equal(stream, b)
    Assert.equal(yield* world.store.streamState(a), { version: 0, tombstoned: false })
    Assert.equal(yield* world.log(yield* world.store.mark), [])
  })
)

const readable = law("what was appended under a higher limit is read under a lower one", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", [sized(1000)])
    const read = yield* Effect.provideService(world.store.readStream(stream), MaxEventBytes, 100)
    Assert.equal(read.length, 1)
  })
)

const standard = law("the limit is 4 MiB unless told otherwise", (world) =>
  Effect.gen(function* () {
    const limit = 4 * 1024 * 1024
    const reason = yield* Assert.fails(world.append(world.stream(), "none", [sized(limit + 1)]), "EventTooLarge")
    Assert.equal([reason.size, reason.limit], [limit + 1, limit])
    yield* world.append(world.stream(), "none", [sized(limit)])
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [refused, together, readable, standard]
