/**
 * Laws about reading across streams, and appending while nothing else has happened.
 */
import * as Effect from "effect/Effect"
import type { EventQuery } from "../../../domain/EventQuery.ts"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import type { Condition } from "../../../ports/EventStoreDriver.ts"
import { AppendConditionFailed, InvalidInput, VersionConflict } from "../../../ports/EventStoreError.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { Counted, noted, Tagged } from "../samples.ts"
import { law, type World } from "../world.ts"

export const tagged = (n: number, ...tags: ReadonlyArray<string>): ReadonlyArray<Tagged> => [new Tagged({ n, tags })]

const numbers = (events: ReadonlyArray<Stored>) => events.map(({ data }) => data)

/** What the numbers of the events that a query fits are. */
const matching = (world: World, query: EventQuery, after?: Position.Position) =>
  Effect.map(world.store.readMatching(query, { after }), ({ events }) =>
    events.flatMap(({ data }) =>
      typeof data === "object" && data !== null && "n" in data && typeof data.n === "number" ? [data.n] : []
    )
  )

/** Appends to a stream of its own. */
const under = (world: World, stream: string, condition: Condition, n = 0, ...tags: ReadonlyArray<string>) =>
  world.store.append({ stream: world.stream(stream), expected: "none", events: tagged(n, ...tags), condition })

const reads = law("readMatching reads what fits a criterion, across streams and in the order of the log", (world) =>
  Effect.gen(function* () {
    const first = yield* world.append(world.stream("a"), "any", tagged(1, "x", "y"))
    yield* world.append(world.stream("b"), "any", tagged(2, "y", "z", "y"))
    yield* world.append(world.stream("a"), "any", [new Counted({ n: 3 }), ...noted(4), ...tagged(5, "x")])
    yield* TenantContext.provide(world.otherTenant)(world.append(world.stream("a"), "any", tagged(6, "x", "y")))
    const cases: ReadonlyArray<readonly [what: string, query: EventQuery, numbers: ReadonlyArray<number>]> = [
      ["a tag", [{ tags: ["y"] }], [1, 2]],
      ["all of several tags", [{ tags: ["x", "y"] }], [1]],
      ["a tag twice", [{ tags: ["z", "z"] }], [2]],
      ["a type", [{ types: ["LawNoted"] }], [4]],
      ["any of several types", [{ types: ["LawNoted", "LawCounted"] }], [3, 4]],
      ["a type and a tag", [{ types: ["LawTagged"], tags: ["x"] }], [1, 5]],
      ["a type that the tag has not", [{ types: ["LawNoted"], tags: ["x"] }], []],
      ["any of several criteria", [{ tags: ["z"] }, { tags: ["x"] }, { types: ["LawCounted"] }], [1, 2, 3, 5]],
      ["everything", [{}], [1, 2, 3, 4, 5]],
      ["criteria that overlap", [{}, { tags: ["x"] }], [1, 2, 3, 4, 5]],
      ["an unknown tag", [{ tags: ["w"] }], []]
    ]
    for (const [what, query, expected] of cases) {
      Assert.equal(yield* matching(world, query), expected, what)
      Assert.equal(
        yield* matching(world, query, first.position),
        expected.filter((n) => n !== 1),
        `${what}, after the first`
      )
    }
    const { events } = yield* world.store.readMatching([{ tags: ["x"] }])
    Assert.equal(numbers(events.slice(0, 1)), [{ n: 1, tags: ["x", "y"] }])
    const [stored] = yield* world.store.readStream(world.stream("a"))
    Assert.equal(events[0], stored, "an event is the same wherever it is read")
  })
)

const holds = law("an append under a condition goes ahead while nothing that fits has happened", (world) =>
  Effect.gen(function* () {
    yield* world.append(world.stream("a"), "any", tagged(1, "x"))
    const { condition } = yield* world.store.readMatching([
      { types: ["LawTagged"], tags: ["x", "y"] },
      { types: ["LawNoted"], tags: ["x"] },
      { tags: ["z"] }
    ])
    yield* world.append(world.stream("a"), "any", tagged(2, "x"))
    yield* world.append(world.stream("b"), "any", [...tagged(3, "y"), ...noted(4)])
    const elsewhere = world.append(world.stream("c"), "any", tagged(5, "z"))
    yield* TenantContext.provide(world.otherTenant)(elsewhere)
    const receipt = yield* under(world, "d", condition, 6, "z")
    Assert.equal(receipt.version, 1)
    Assert.equal(yield* world.data(world.stream("d")), [{ n: 6, tags: ["z"] }])
  })
)

const fails = law(
  "an append whose condition does not hold fails with AppendConditionFailed at the first such event, and writes nothing",
  (world) =>
    Effect.gen(function* () {
      const queries: ReadonlyArray<EventQuery> = [
        [{ tags: ["x"] }],
        [{ tags: ["x", "y"] }],
        [{ types: ["LawTagged"] }],
        [{ types: ["LawCounted", "LawTagged"], tags: ["y"] }],
        [{ tags: ["w"] }, { types: ["LawTagged"] }],
        [{}]
      ]
      yield* world.append(world.stream("before"), "any", tagged(0, "x", "y"))
      for (const [index, query] of queries.entries()) {
        const { condition } = yield* world.store.readMatching(query)
        const first = yield* world.append(world.stream(`other-${index}`), "any", tagged(1, "x", "y"))
        yield* world.append(world.stream(`other-${index}`), "any", tagged(2, "x", "y"))
        const stream = world.stream(`mine-${index}`)
        const { reason } = yield* Effect.flip(under(world, `mine-${index}`, condition))
        Assert.equal(
          reason,
          new AppendConditionFailed({ stream, after: condition.after, position: first.position }),
          JSON.stringify(query)
        )
        Assert.equal(yield* world.store.streamState(stream), { version: 0, tombstoned: false })
        const again = yield* world.store.readMatching(query)
        Assert.equal((yield* under(world, `mine-${index}`, again.condition, 3)).version, 1, "read again")
      }
    })
)

const known = law("a condition knows what was read with it, and what it excepts, and nothing else", (world) =>
  Effect.gen(function* () {
    const first = yield* world.append(world.stream("a"), "any", tagged(1, "x"))
    const second = yield* world.append(world.stream("b"), "any", tagged(2, "x"))
    const third = yield* world.append(world.stream("c"), "any", tagged(3, "x"))
    const query: EventQuery = [{ tags: ["x"] }]
    const { reason } = yield* Effect.flip(under(world, "d", { query, after: first.position, except: [third.position] }))
    Assert.equal(
      reason,
      new AppendConditionFailed({ stream: world.stream("d"), after: first.position, position: second.position })
    )
    const except = [third.position, first.position, second.position]
    Assert.equal((yield* under(world, "d", { query, after: Position.start, except }, 4, "x")).version, 1)
    const mine = yield* Effect.flip(under(world, "e", { query, after: Position.start, except }))
    Assert.equal(mine.reason._tag, "AppendConditionFailed", "what was appended under a condition counts for the next")
  })
)

const both = law("a condition and an expected version must both hold", (world) =>
  Effect.gen(function* () {
    const query: EventQuery = [{ tags: ["x"] }]
    const { condition } = yield* world.store.readMatching(query)
    const append = { stream: world.stream(), expected: 3, events: tagged(1, "x"), condition }
    const { reason } = yield* Effect.flip(world.store.append(append))
    Assert.equal(reason, new VersionConflict({ stream: world.stream(), expected: 3, actual: 0 }))
    yield* world.append(world.stream("2"), "any", tagged(1, "x"))
    const late = yield* Effect.flip(world.store.append({ ...append, expected: "none" }))
    Assert.equal(late.reason._tag, "AppendConditionFailed")
    Assert.equal(yield* world.store.streamState(world.stream()), { version: 0, tombstoned: false })
  })
)

const severalStreams = law("several appends in one keep nothing when one of their conditions does not hold", (world) =>
  Effect.gen(function* () {
    const { condition } = yield* world.store.readMatching([{ tags: ["x"] }])
    const append = (name: string, tag: string) => ({
      stream: world.stream(name),
      expected: "none" as const,
      events: tagged(1, tag)
    })
    const [first] = yield* world.store.appendAll([{ ...append("a", "x"), condition }, append("b", "x")])
    Assert.equal(first?.version, 1, "what goes together does not stand in its own way")
    const { reason } = yield* Effect.flip(world.store.appendAll([append("c", "y"), { ...append("d", "y"), condition }]))
    Assert.equal(reason._tag, "AppendConditionFailed")
    for (const name of ["c", "d"]) Assert.equal(yield* world.data(world.stream(name)), [], name)
  })
)

const named = law(
  "an append under a condition and an id is answered again, though its own events fit by then",
  (world) =>
    Effect.gen(function* () {
      const { condition } = yield* world.store.readMatching([{ tags: ["x"] }])
      const append = { stream: world.stream(), expected: "none" as const, events: tagged(1, "x"), condition, id: "a" }
      const receipt = yield* world.store.append(append)
      const again = { ...receipt, repeated: true }
      Assert.equal(yield* world.store.append(append), again)
      Assert.equal(yield* world.store.appendAll([append]), [again])
      Assert.equal((yield* world.data(world.stream())).length, 1)
    })
)

const nothing = law("an append of no events checks its condition, and writes nothing", (world) =>
  Effect.gen(function* () {
    const { condition } = yield* world.store.readMatching([{ tags: ["x"] }])
    const append = { stream: world.stream(), expected: "none" as const, events: [], condition }
    Assert.equal(yield* world.store.append(append), { stream: world.stream(), version: 0, position: Position.start })
    const { position } = yield* world.append(world.stream("2"), "any", tagged(1, "x"))
    const { reason } = yield* Effect.flip(world.store.append(append))
    Assert.equal(reason, new AppendConditionFailed({ stream: world.stream(), after: condition.after, position }))
  })
)

const unfit = law(
  "a query that asks for nothing, or for what no event can have, is refused, and the field named",
  (world) =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [query: EventQuery, path: string]> = [
        [[], ""],
        [[{ tags: ["x"] }, { types: [] }], "[1].types"],
        [[{ tags: ["x", ""] }], "[0].tags[1]"],
        [[{ types: ["a\0"] }], "[0].types[0]"],
        [[{ tags: ["\ud800"] }], "[0].tags[0]"],
        [[{ tags: ["x".repeat(513)] }], "[0].tags[0]"]
      ]
      const paths = (reason: object) =>
        reason instanceof InvalidInput ? reason.issues.map(({ path }) => path) : reason
      for (const [query, path] of cases) {
        const read = yield* Effect.flip(world.store.readMatching(query))
        Assert.equal(paths(read.reason), [`query${path}`])
        const append = yield* Effect.flip(under(world, "a", { query, after: Position.start }))
        Assert.equal(paths(append.reason), [`condition.query${path}`])
      }
      for (const after of [-1, 0.5, Number.NaN]) {
        const wrong = { query: [{}], after: Position.make(after) }
        Assert.equal(paths((yield* Effect.flip(under(world, "a", wrong))).reason), ["condition"], String(after))
      }
    })
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  reads,
  holds,
  fails,
  known,
  both,
  severalStreams,
  named,
  nothing,
  unfit
]
