/**
 * Laws about what is kept with an event: ids, times, and what it belongs to.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Actor from "../../../domain/Actor.ts"
import * as Event from "../../../domain/Event.ts"
import * as RecordedEvent from "../../../domain/RecordedEvent.ts"
import * as Upcaster from "../../../domain/Upcaster.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { Counted, count, noted, Tagged } from "../samples.ts"
import { law, type World } from "../world.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const ids = law("every event has an id of its own, which is a UUID", (world) =>
  Effect.gen(function* () {
    yield* world.append(world.stream(), "none", noted(...count(50)))
    for (const n of count(10)) yield* world.append(world.stream(n + 1), "none", noted(n))
    const { position } = yield* world.append(world.stream("last"), "none", noted(0))
    const stored = yield* world.log(position)
    for (const { id } of stored) Assert.isTrue(uuid.test(id), `${id} is no UUID`)
    Assert.equal(new Set(stored.map(({ id }) => id)).size, 61)
  })
)

const generated = law("the id of an event is the one that the caller's generator made", (world) =>
  Effect.gen(function* () {
    const id = yield* IdGenerator.next
    const generator = { unsafeNext: () => id }
    yield* world
      .append(world.stream(), "none", noted(1))
      .pipe(Effect.provideService(IdGenerator.IdGenerator, generator))
    Assert.equal((yield* one(world)).id, id)
  })
)

const one = (world: World) =>
  Effect.flatMap(world.store.readStream(world.stream()), (stored) =>
    Effect.sync(() => Assert.defined(stored.at(-1), "the stream holds no event"))
  )

const belonging = law(
  "an event keeps the correlation, cause, actor and attributes of the call that appended it",
  (world) =>
    Effect.gen(function* () {
      const attributes = { "": "empty", source: "import", "é 😀": '"quoted"', __proto: "p" }
      yield* world.append(world.stream(), "none", noted(1, 2)).pipe(
        MessageContext.provide({
          messageId: "m-1",
          correlationId: "c-1",
          causationId: "not-this-one",
          actor: Actor.service("billing é 😀"),
          attributes
        })
      )
      for (const { metadata } of yield* world.store.readStream(world.stream())) {
        const { occurredAt: _, traceparent: __, ...kept } = metadata
        Assert.equal(kept, {
          correlationId: "c-1",
          causationId: "m-1",
          actor: { id: "billing é 😀", kind: "service" },
          attributes
        })
      }
    })
)

const roots = law("a call that belongs to nothing begins a correlation of its own", (world) =>
  Effect.gen(function* () {
    const asRoot = Effect.provideService(MessageContext.MessageContext, MessageContext.empty)
    yield* asRoot(world.append(world.stream(), "none", noted(1, 2)))
    yield* asRoot(world.append(world.stream(), 2, noted(3)))
    const stored = yield* world.store.readStream(world.stream())
    const [first, second, third] = stored.map(({ metadata }) => metadata)
    Assert.isTrue(uuid.test(first?.correlationId ?? ""), `${first?.correlationId} is no UUID`)
    Assert.equal(second?.correlationId, first?.correlationId)
    Assert.isTrue(third?.correlationId !== first?.correlationId, "two calls have one correlation id")
    for (const { metadata } of stored) {
      for (const key of ["causationId", "actor", "attributes"]) {
        Assert.isTrue(!(key in metadata), `${key} is there without a cause`)
      }
    }
    yield* asRoot(world.append(world.stream(), 3, noted(4)).pipe(MessageContext.provide({ messageId: "m-2" })))
    const { metadata } = yield* one(world)
    Assert.equal([metadata.correlationId, metadata.causationId], ["m-2", "m-2"])
  })
)

const occurred = law("an event occurred by the caller's clock and was recorded by the store's", (world) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const aDay = 86_400_000
    const yesterday: Clock.Clock = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() - aDay,
      currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now - aDay)
    })
    const before = clock.currentTimeMillisUnsafe()
    yield* world.append(world.stream(), "none", noted(1)).pipe(Effect.provideService(Clock.Clock, yesterday))
    const { metadata, recordedAt } = yield* one(world)
    const ago = before - metadata.occurredAt
    Assert.isTrue(Math.abs(ago - aDay) < 60_000, `it occurred ${ago} ms ago by a clock that is a day behind`)
    Assert.isTrue(Number.isSafeInteger(recordedAt), `${recordedAt} is no time in milliseconds`)
    // A store in memory has no clock but the caller's.
    Assert.isTrue(
      Math.abs(recordedAt - before) < aDay + 3_600_000,
      `it was recorded at ${recordedAt}, now is ${before}`
    )
  })
)

const traced = law("an event keeps the trace context of the span it happened in", (world) =>
  Effect.gen(function* () {
    const span = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
    yield* world.append(world.stream(), "none", noted(1)).pipe(Effect.provideService(Tracer.ParentSpan, span))
    const { metadata } = yield* one(world)
    Assert.equal(metadata.traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
  })
)

const kinds = law("an event keeps its type, its version and its tags", (world) =>
  Effect.gen(function* () {
    const tags = [`t:${world.token}`, "b", "a", "é 😀", "a,b", "{}", '"', "\\", "null"]
    yield* world.append(world.stream(), "none", [
      new Counted({ n: 1 }),
      new Tagged({ n: 2, tags }),
      new Renamed({ first: "Ada", last: "Lovelace" })
    ])
    Assert.equal(
      (yield* world.store.readStream(world.stream())).map((event) => [event.type, event.schemaVersion, event.tags]),
      [
        ["LawCounted", 1, []],
        ["LawTagged", 1, tags],
        ["LawNamed", 2, []]
      ]
    )
  })
)

class Named extends Event.Class<Named>()("LawNamed", { name: Schema.String }) {}

/** What `Named` has become since. */
class Renamed extends Event.Class<Renamed>()(
  "LawNamed",
  { first: Schema.String, last: Schema.String },
  {
    upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => {
      const [first = "", last = ""] = name.split(" ")
      return { first, last }
    })
  }
) {}

const upcast = law("an event of an older version reads as today's, beside those of today", (world) =>
  Effect.gen(function* () {
    const stream = world.stream()
    yield* world.append(stream, "none", [new Named({ name: "Ada Lovelace" })])
    yield* world.append(stream, 1, [new Renamed({ first: "Alan", last: "Turing" })])
    const stored = yield* world.store.readStream(stream)
    Assert.equal(
      stored.map(({ schemaVersion, type }) => ({ schemaVersion, type })),
      [
        { schemaVersion: 1, type: "LawNamed" },
        { schemaVersion: 2, type: "LawNamed" }
      ]
    )
    const decode = RecordedEvent.decoder([Renamed])
    const decoded = yield* Effect.forEach(stored, (event) => Effect.fromResult(decode(event)))
    Assert.equal(
      decoded.map(({ event }) => event),
      [new Renamed({ first: "Ada", last: "Lovelace" }), new Renamed({ first: "Alan", last: "Turing" })]
    )
  })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  ids,
  generated,
  belonging,
  roots,
  occurred,
  traced,
  kinds,
  upcast
]
