/**
 * Laws about what no store can keep: it is refused before it is written, and every bad field is named.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Actor from "../../../domain/Actor.ts"
import * as Event from "../../../domain/Event.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { noted, texts, unkeepable } from "../samples.ts"
import { law, type World } from "../world.ts"

type Writing<A> = Effect.Effect<A, EventStoreError, TenantContext.TenantContext>

/** The write is refused for exactly these fields, and the world is as empty as it was. */
const refused = <A>(world: World, writing: Writing<A>, paths: ReadonlyArray<string>, what: string) =>
  Effect.gen(function* () {
    const { issues } = yield* Assert.fails(writing, "InvalidInput")
    Assert.equal(
      issues.map(({ path }) => path),
      paths,
      what
    )
    for (const { message } of issues) Assert.isTrue(message !== "", `${what}: the issue has no message`)
    Assert.equal(yield* world.store.streamState(world.stream()), { version: 0, tombstoned: false })
    Assert.equal(yield* world.log(yield* world.store.mark), [])
  })

const refusal = (
  where: string,
  path: (text: string) => string,
  writing: (world: World, text: string) => Writing<unknown>
) =>
  law(`text that no store can keep is refused in ${where}`, (world) =>
    Effect.forEach(unkeepable, ([what, text]) => refused(world, writing(world, text), [path(text)], what), {
      discard: true
    })
  )

const append = (world: World, ...events: ReadonlyArray<Event.Any>) => world.append(world.stream(), "any", events)

const inEvents = [
  refusal(
    "a field",
    () => "events[0].text",
    (world, text) => append(world, texts({ text }))
  ),
  refusal(
    "a key",
    (text) => `events[0].labels.${text}`,
    (world, text) => append(world, texts({ labels: { [text]: "x" } }))
  ),
  refusal(
    "a value under a key",
    () => "events[0].labels.x",
    (world, text) => append(world, texts({ labels: { x: text } }))
  ),
  refusal(
    "a field within a list of a later event",
    () => "events[2].lines[1].sku",
    (world, text) => append(world, ...noted(1, 2), texts({ lines: [{ sku: "s" }, { sku: text }] }))
  ),
  refusal(
    "a tag",
    () => "events[1].tags[1]",
    (world, text) => append(world, ...noted(1), coded("fine", text))
  )
]

/** An event whose tags are nowhere in its fields. */
class Coded extends Event.Class<Coded>()(
  "LawCoded",
  { codes: Schema.Array(Schema.Array(Schema.Int)) },
  { tags: ({ codes }) => codes.map((one) => String.fromCharCode(...one)) }
) {}

const coded = (...tags: ReadonlyArray<string>) =>
  new Coded({ codes: tags.map((tag) => Array.from({ length: tag.length }, (_, index) => tag.charCodeAt(index))) })

const named = (world: World, text: string) => StreamName.fromString(`${world.category}-${text}`)

const inNames = [
  refusal(
    "the name of a stream",
    () => "stream",
    (world, text) => world.append(named(world, text), "any", noted(1))
  ),
  refusal(
    "the name of a stream that is tombstoned",
    () => "stream",
    (world, text) => world.store.tombstone(named(world, text), "any")
  ),
  refusal(
    "the name of a stream that nothing is appended to",
    () => "stream",
    (world, text) => world.append(named(world, text), "any", [])
  ),
  refusal(
    "the name of a tenant",
    () => "tenant",
    (world, text) => append(world, ...noted(1)).pipe(TenantContext.provide(world.tenant + text))
  ),
  refusal(
    "the name of a tenant whose stream is tombstoned",
    () => "tenant",
    (world, text) => world.store.tombstone(world.stream(), "any").pipe(TenantContext.provide(world.tenant + text))
  )
]

const within = (
  path: (text: string) => string,
  where: string,
  context: (text: string) => Partial<MessageContext.MessageContext>
) => refusal(where, path, (world, text) => append(world, ...noted(1)).pipe(MessageContext.provide(context(text))))

const inMetadata = [
  within(
    () => "metadata.correlationId",
    "a correlation id",
    (correlationId) => ({ correlationId })
  ),
  within(
    () => "metadata.causationId",
    "the id of the message that is handled",
    (messageId) => ({ messageId, correlationId: "c" })
  ),
  within(
    () => "metadata.actor.id",
    "an actor's id",
    (id) => ({ actor: Actor.user(id) })
  ),
  within(
    () => "metadata.attributes.x",
    "an attribute",
    (x) => ({ attributes: { x } })
  ),
  within(
    (text) => `metadata.attributes.${text}`,
    "the name of an attribute",
    (text) => ({ attributes: { [text]: "x" } })
  ),
  refusal(
    "a trace context",
    () => "metadata.traceparent",
    (world, traceId) =>
      append(world, ...noted(1)).pipe(
        Effect.provideService(Tracer.ParentSpan, Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331" }))
      )
  )
]

const control = law("a tenant's name with a control character is refused", (world) =>
  Effect.forEach(["\n", "\t", "\u0001", "\u007f", "\u0085"], (character) => {
    const writing = append(world, ...noted(1)).pipe(TenantContext.provide(world.tenant + character))
    return refused(world, writing, ["tenant"], JSON.stringify(character))
  })
)

const types = unkeepable.map(([what, text]) => {
  class Misnamed extends Event.Class<Misnamed>()(`Law${text}`, { n: Schema.Int }) {}
  return { what, event: new Misnamed({ n: 1 }) }
})

const inTypes = law("text that no store can keep is refused in an event's type", (world) =>
  Effect.forEach(types, ({ event, what }) =>
    refused(world, append(world, ...noted(1), event), ["events[1]._tag"], what)
  )
)

/** Texts of exactly so many bytes of UTF-8, in characters of one to four bytes. */
const filling = (bytes: number): ReadonlyArray<string> =>
  ["x", "é", "日", "😀"].map((character, index) => {
    const rest = bytes % (index + 1)
    return "x".repeat(rest) + character.repeat((bytes - rest) / (index + 1))
  })

const limit = (
  what: string,
  path: string,
  bytes: number,
  writing: (world: World, name: string) => Writing<unknown>,
  prefix: (world: World) => string
) =>
  law(`${what} takes ${bytes} bytes of UTF-8 and not one more`, (world) =>
    Effect.gen(function* () {
      const start = prefix(world)
      for (const rest of filling(bytes - start.length + 1)) {
        yield* refused(world, writing(world, start + rest), [path], `${rest.slice(-2)}, one byte too many`)
      }
      for (const rest of filling(bytes - start.length)) yield* writing(world, start + rest)
    })
  )

const limits = [
  limit(
    "the name of a stream",
    "stream",
    StreamName.maxBytes,
    (world, name) => {
      const stream = StreamName.fromString(name)
      return Effect.gen(function* () {
        // Read under another tenant's name, so that the tenant of the law stays empty.
        yield* world.append(stream, "none", noted(1)).pipe(TenantContext.provide(world.otherTenant))
        Assert.equal(yield* world.data(stream).pipe(TenantContext.provide(world.otherTenant)), [{ n: 1 }])
      })
    },
    (world) => `${world.category}-`
  ),
  limit(
    "the name of a tenant",
    "tenant",
    128,
    (world, tenant) =>
      Effect.gen(function* () {
        yield* append(world, ...noted(1))
        Assert.equal(yield* world.data(world.stream()), [{ n: 1 }])
      }).pipe(TenantContext.provide(tenant)),
    (world) => `law-${world.token}`
  ),
  limit(
    "a tag",
    "events[0].tags[0]",
    512,
    (world, tag) =>
      Effect.gen(function* () {
        const { position } = yield* append(world, coded(tag))
        Assert.equal((yield* world.log(position, { tags: [tag] })).length, 1)
      }).pipe(TenantContext.provide(world.otherTenant)),
    (world) => world.token
  )
]

const nameless = law("an empty name of a stream, a tenant or a tag is refused", (world) =>
  Effect.gen(function* () {
    yield* refused(world, world.append(StreamName.fromString(""), "any", noted(1)), ["stream"], "the stream")
    yield* refused(world, append(world, ...noted(1)).pipe(TenantContext.provide("")), ["tenant"], "the tenant")
    yield* refused(world, append(world, coded("")), ["events[0].tags[0]"], "the tag")
  })
)

const numbers = law("an expected version that is no whole number from 0 on is refused", (world) =>
  Effect.gen(function* () {
    for (const expected of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      const [stream, events] = [world.stream(), noted(1)]
      yield* refused(world, world.append(stream, expected, events), ["expected"], `an append at ${expected}`)
      yield* refused(world, world.append(stream, expected, []), ["expected"], `an empty append at ${expected}`)
      yield* refused(world, world.store.tombstone(stream, expected), ["expected"], `a tombstone at ${expected}`)
    }
  })
)

class Measured extends Event.Class<Measured>()("LawMeasured", { celsius: Schema.Finite, at: Schema.NonEmptyString }) {}

const unfit = law("a field that does not fit its schema is refused, with every such field of every event", (world) =>
  Effect.gen(function* () {
    // Made by code that went around the checks.
    const wrong = new Measured({ celsius: Number.NaN, at: "" }, { disableChecks: true })
    const events = [wrong, new Measured({ celsius: 1, at: "noon" }), wrong]
    const paths = ["events[0].celsius", "events[0].at", "events[2].celsius", "events[2].at"]
    yield* refused(world, append(world, ...events), paths, "NaN and an empty text")
  })
)

const foreign = law("what is no instance of an event class is refused", (world) => {
  const event: Event.Any = JSON.parse('{"_tag":"LawNoted","n":1}')
  return refused(world, append(world, ...noted(1), event), ["events[1]"], "a plain object")
})

const every = law(
  "all that is wrong with an append is told at once, and the first wrong one of several streams",
  (world) =>
    Effect.gen(function* () {
      const bad = StreamName.fromString(`${world.category}-\0`)
      const event = texts({ text: "\0", labels: { a: "fine", b: "\ud800" } })
      const writing = world
        .append(bad, -1, [...noted(1), event])
        .pipe(MessageContext.provide({ actor: Actor.user("\0") }))
      const paths = ["stream", "expected", "metadata.actor.id", "events[1].text", "events[1].labels.b"]
      yield* refused(world, writing, paths, "everything")
      const all = world.store.appendAll([
        { stream: world.stream(), expected: "any", events: noted(1) },
        { stream: world.stream("2"), expected: "any", events: [event] }
      ])
      yield* refused(world, all, ["events[0].text", "events[0].labels.b"], "the second of two")
      Assert.equal((yield* Assert.fails(all, "InvalidInput")).stream, world.stream("2"))
    })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  ...inEvents,
  ...inNames,
  ...inMetadata,
  inTypes,
  control,
  ...limits,
  nameless,
  numbers,
  unfit,
  foreign,
  every
]
