import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import {
  Event,
  EventStore,
  Join,
  Memory,
  SchemaLock,
  StreamName,
  SystemContext,
  TenantContext,
  Upcaster
} from "../../src/index.ts"

class Noted1 extends Event.Class<Noted1>()("Noted", { text: Schema.String }) {}
class Noted extends Event.Class<Noted>()(
  "Noted",
  { words: Schema.Array(Schema.NonEmptyString) },
  { upcasters: Upcaster.from({ text: Schema.String }).current(({ text }) => ({ words: text.split(" ") })) }
) {}
class Gone extends Event.Class<Gone>()("Gone", {}) {}
class Begun extends Event.Class<Begun>()("Begun", { n: Schema.Int }) {}
class Ended extends Event.Class<Ended>()("Ended", {}) {}
class Done extends Event.Class<Done>()("Done", { n: Schema.Int }) {}
const done = Join.make(
  Done,
  [Upcaster.formerly("Begun", { n: Schema.Int }), Upcaster.formerly("Ended", {})],
  ([{ n }]) => ({ n })
)

const Stores = Layer.merge(Memory.layer, SystemContext.layer("test"))
const append = (tenant: string, ...events: ReadonlyArray<Event.Any>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Thing", "1"), expected: "any", events })
  ).pipe(TenantContext.provide(tenant))

describe("SchemaLock.checkStored", () => {
  it.effect("reports what cannot be decoded, by type and version, of all tenants", () =>
    Effect.gen(function* () {
      yield* append("acme", new Noted1({ text: "a b" }), new Noted1({ text: "a  b" }), new Gone())
      yield* append("globex", new Noted({ words: ["c"] }), new Noted1({ text: "" }), new Gone(), new Gone())
      const report = yield* SchemaLock.checkStored([Noted])
      expect(report).toEqual({
        read: 7,
        mark: 7,
        isComplete: true,
        undecodable: [
          {
            type: "Noted",
            version: 1,
            count: 2,
            positions: [2, 5],
            issues: [expect.objectContaining({ path: "words[1]" })]
          },
          {
            type: "Gone",
            version: 1,
            count: 3,
            positions: [3, 6, 7],
            issues: [{ path: "", message: 'Unknown event type "Gone", expected one of: Noted' }]
          }
        ]
      })
      const all = yield* SchemaLock.checkStored([Noted1, Event.retired("Gone")])
      expect(all.undecodable.map(({ type, version }) => [type, version])).toEqual([["Noted", 2]])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("keeps the first ten positions, and counts the rest", () =>
    Effect.gen(function* () {
      yield* append("acme", ...Array.from({ length: 12 }, () => new Gone()))
      const { undecodable } = yield* SchemaLock.checkStored([Noted])
      expect(undecodable).toMatchObject([{ count: 12, positions: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("reads the parts of a join one by one", () =>
    Effect.gen(function* () {
      yield* append("acme", new Begun({ n: 1 }), new Ended(), new Done({ n: 2 }))
      expect((yield* SchemaLock.checkStored([Done, done])).undecodable).toEqual([])
      expect((yield* SchemaLock.checkStored([Done])).undecodable).toHaveLength(2)
      const wrong = Join.make(
        Done,
        [Upcaster.formerly("Begun", { n: Schema.String }), Upcaster.formerly("Ended", {})],
        () => ({ n: 1 })
      )
      expect((yield* SchemaLock.checkStored([Done, wrong])).undecodable).toMatchObject([
        { type: "Begun", positions: [1] }
      ])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("reads pages spread over the log, and says whether that was all", () =>
    Effect.gen(function* () {
      const pages = (type: new () => Event.Any, count: number) =>
        append("acme", ...Array.from({ length: count }, () => new type()))
      yield* pages(Ended, 2_500)
      yield* pages(Gone, 100)
      yield* pages(Ended, 2_400)
      const whole = yield* SchemaLock.checkStored([Ended])
      expect([whole.read, whole.isComplete, whole.undecodable[0]?.count]).toEqual([5_000, true, 100])
      const none = yield* SchemaLock.checkStored([Ended], { sample: 500 })
      expect([none.read, none.isComplete, none.undecodable]).toEqual([500, false, []])
      const spread = yield* SchemaLock.checkStored([Ended], { sample: 1_000 })
      expect([spread.read, spread.isComplete, spread.undecodable[0]?.positions[0]]).toEqual([1_000, false, 2_501])
      const all = yield* SchemaLock.checkStored([Ended], { sample: Number.POSITIVE_INFINITY })
      expect([all.read, all.isComplete]).toEqual([5_000, true])
    }).pipe(Effect.provide(Stores))
  )

  it.effect("reads an empty log", () =>
    Effect.gen(function* () {
      expect(yield* SchemaLock.checkStored([Noted])).toEqual({ read: 0, mark: 0, isComplete: true, undecodable: [] })
    }).pipe(Effect.provide(Stores))
  )

  class Words extends Context.Service<
    Words,
    { readonly of: (text: string) => Effect.Effect<ReadonlyArray<string>, string> }
  >()("Words") {}
  class Asked extends Event.Class<Asked>()(
    "Noted",
    { words: Schema.Array(Schema.String) },
    {
      upcasters: Upcaster.from({ text: Schema.String }).currentEffect(({ text }) =>
        Effect.flatMap(Words, (service) => Effect.map(service.of(text), (words) => ({ words })))
      )
    }
  ) {}

  it.effect("gives upcasters their services, and fails when these do", () =>
    Effect.gen(function* () {
      yield* append("acme", new Noted1({ text: "a" }))
      const check = SchemaLock.checkStored([Asked, done])
      expectTypeOf<Effect.Services<typeof check>>().toEqualTypeOf<
        EventStore.EventStore | SystemContext.SystemContext | Words
      >()
      const found = yield* check.pipe(Effect.provideService(Words, { of: (text) => Effect.succeed([text]) }))
      expect(found.undecodable).toEqual([])
      const error = yield* Effect.flip(check).pipe(Effect.provideService(Words, { of: () => Effect.fail("down") }))
      expect(error.reason._tag).toBe("StorageFailure")
    }).pipe(Effect.provide(Stores))
  )
})
