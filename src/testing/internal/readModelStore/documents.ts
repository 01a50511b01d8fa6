/**
 * Laws about what is kept, for whom, and in which order.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count, Nest, nest, rich, richFields } from "../samples.ts"
import { race, racing } from "../world.ts"
import { Item, ids, item, law, ordered } from "./collections.ts"

const absent = law("what was never set is absent", ({ items }) =>
  Effect.gen(function* () {
    Assert.equal(yield* items.get("1"), Option.none())
    Assert.equal(yield* items.list(), [])
    yield* items.remove("1")
    Assert.equal(yield* items.get("1"), Option.none())
  })
)

const sets = law("the document that was set last is the one that is there, until it is removed", ({ items }) =>
  Effect.gen(function* () {
    yield* items.set("1", { text: "first", labels: { a: "1" } })
    yield* items.set("2", item("other"))
    Assert.equal(yield* items.get("1"), Option.some({ text: "first", labels: { a: "1" } }))
    yield* items.set("1", item("second"))
    Assert.equal(yield* items.get("1"), Option.some(item("second")))
    yield* items.remove("1")
    Assert.equal(yield* items.get("1"), Option.none())
    Assert.equal(yield* items.list(), [{ id: "2", document: item("other") }])
    yield* items.set("1", item("again"))
    Assert.equal(yield* items.get("1"), Option.some(item("again")))
  })
)

const updates = law(
  "an update sees the document or its absence, and answers with what it has made of it",
  ({ items }) =>
    Effect.gen(function* () {
      const add = (letter: string) =>
        items.update("1", (found) =>
          item(Option.match(found, { onNone: () => letter, onSome: ({ text }) => text + letter }))
        )
      for (const text of ["a", "ab", "abc"]) {
        Assert.equal(yield* add(text.slice(-1)), item(text))
        Assert.equal(yield* items.get("1"), Option.some(item(text)))
      }
    })
)

const order = law("a list is in the order of the ids by UTF-8 bytes", ({ items }) =>
  Effect.gen(function* () {
    for (const id of [...ordered.slice(7), ...ordered.slice(0, 7).toReversed()]) yield* items.set(id, item(id))
    Assert.equal(
      yield* items.list(),
      ordered.map((id) => ({ id, document: item(id) }))
    )
  })
)

const paging = law("lists of any size, each after the last id, make the whole list", ({ items }) =>
  Effect.gen(function* () {
    for (const id of ordered) yield* items.set(id, item(id))
    for (const limit of [1, 2, 4, 15, 16]) {
      const found: Array<string> = []
      let after = ""
      while (found.length < ordered.length) {
        const some = yield* ids(items, { after, limit })
        Assert.isTrue(some.length <= limit, `a list of ${some.length} documents, limited to ${limit}`)
        after = Assert.defined(some.at(-1), `nothing comes after ${after}`)
        found.push(...some)
      }
      Assert.equal(found, ordered, `lists of ${limit}`)
      Assert.equal(yield* ids(items, { after, limit }), [])
    }
    Assert.equal(yield* ids(items, { after: "C" }), ordered.slice(6))
    Assert.equal(yield* ids(items, { limit: 0 }), [])
  })
)

const most = law("a list that does not say its limit gives a thousand documents", ({ items }) =>
  Effect.gen(function* () {
    const many = count(ReadModelStore.defaultListLimit + 1, 10_000).map(String)
    yield* Effect.forEach(many, (id) => items.set(id, item(id)), { concurrency: 8 })
    Assert.equal(yield* ids(items), many.slice(0, -1))
    Assert.equal(yield* ids(items, { limit: 2000 }), many)
    Assert.equal(yield* ids(items, { after: many[0] }), many.slice(1))
  })
)

/** Ids that mean something to JavaScript, to paths, to patterns or to SQL. */
const strange = [
  "__proto__",
  "constructor",
  " ",
  "  ",
  "a/b",
  "a.b",
  "%",
  "_",
  "\\",
  "'; --",
  '"',
  "$1",
  "\t\n",
  "null"
]

const anyId = law("any text can be an id", ({ items }) =>
  Effect.gen(function* () {
    for (const [n, id] of strange.entries()) yield* items.set(id, item(String(n)))
    for (const [n, id] of strange.entries()) Assert.equal(yield* items.get(id), Option.some(item(String(n))), id)
    Assert.equal(new Set(yield* ids(items)), new Set(strange))
    for (const id of strange) yield* items.remove(id)
    Assert.equal(yield* items.list(), [])
  })
)

const tenants = law("a tenant neither sees nor changes what another has", ({ items, tenant }) =>
  Effect.gen(function* () {
    yield* items.set("1", item("mine"))
    for (const other of [`${tenant}a`, tenant.slice(0, -1), `${tenant}%`, `${tenant} `, tenant.toUpperCase()]) {
      yield* Effect.gen(function* () {
        Assert.equal(yield* items.get("1"), Option.none())
        Assert.equal(yield* items.list(), [])
        yield* items.remove("1")
        yield* items.update("1", (found) => item(Option.isNone(found) ? "theirs" : "mine"))
        Assert.equal(yield* items.list(), [{ id: "1", document: item("theirs") }])
      }).pipe(TenantContext.provide(other))
    }
    Assert.equal(yield* items.list(), [{ id: "1", document: item("mine") }])
  })
)

const collections = law("collections have documents of their own", ({ items, name }) =>
  Effect.gen(function* () {
    const others = ["a", " ", "%", "A"].map((end) => ReadModelStore.collection(name + end, Item))
    yield* items.set("1", item("mine"))
    for (const other of others) {
      Assert.equal(yield* other.get("1"), Option.none(), other.name)
      yield* other.set("1", item(other.name))
    }
    for (const other of others) Assert.equal(yield* other.list(), [{ id: "1", document: item(other.name) }])
    Assert.equal(yield* items.list(), [{ id: "1", document: item("mine") }])
  })
)

const clears = law("clearing a collection empties it for all tenants, and no other", ({ items, name, tenant }) =>
  Effect.gen(function* () {
    const store = yield* ReadModelStore.ReadModelStore
    const asOther = TenantContext.provide(`${tenant}-other`)
    const longer = ReadModelStore.collection(`${name}a`, Item)
    for (const id of ["1", "2"]) {
      yield* items.set(id, item(id))
      yield* asOther(items.set(id, item(id)))
      yield* longer.set(id, item(id))
    }
    yield* store.clear(name)
    Assert.equal(yield* items.list(), [])
    Assert.equal(yield* asOther(items.list()), [])
    Assert.equal(yield* items.get("1"), Option.none())
    Assert.equal(yield* ids(longer), ["1", "2"])
    yield* store.clear(name)
    yield* items.set("1", item("again"))
    Assert.equal(yield* ids(items), ["1"])
  })
)

const exchanges = law("two collections exchange their contents as often as they are told to", ({ items, name }) =>
  Effect.gen(function* () {
    const store = yield* ReadModelStore.ReadModelStore
    const other = ReadModelStore.collection(`${name}x`, Item)
    const third = ReadModelStore.collection(`${name}y`, Item)
    const all = Effect.all([ids(items), ids(other), ids(third)])
    yield* items.set("a", item("a"))
    yield* other.set("b", item("b"))
    yield* store.exchange(items.name, other.name)
    Assert.equal(yield* all, [["b"], ["a"], []])
    yield* items.set("c", item("c"))
    yield* other.remove("a")
    Assert.equal(yield* all, [["b", "c"], [], []])
    yield* store.exchange(third.name, items.name)
    Assert.equal(yield* all, [[], [], ["b", "c"]])
    yield* store.exchange(items.name, third.name)
    yield* store.exchange(items.name, other.name)
    Assert.equal(yield* all, [[], ["b", "c"], []])
    yield* store.clear(other.name)
    yield* items.set("d", item("d"))
    Assert.equal(yield* all, [["d"], [], []])
    Assert.equal(yield* other.get("b"), Option.none())
  })
)

const everyKind = law("a document with all kinds of values comes back as it was", ({ name }) =>
  Effect.gen(function* () {
    const riches = ReadModelStore.collection(name, Schema.Struct(richFields))
    yield* riches.set("1", rich)
    Assert.equal(yield* riches.get("1"), Option.some(rich))
    Assert.equal(yield* riches.list(), [{ id: "1", document: rich }])
  })
)

const anySchema = law("a document can be a number, a text, a list or null", ({ name }) =>
  Effect.gen(function* () {
    const values = ReadModelStore.collection(name, Schema.Json)
    const documents = [0, -1.5, "", "text", true, false, null, [], [1, [2]], {}]
    for (const [n, document] of documents.entries()) yield* values.set(String(n), document)
    for (const [n, document] of documents.entries()) {
      Assert.equal(yield* values.get(String(n)), Option.some(document), JSON.stringify(document))
    }
  })
)

const large = law("a document of a megabyte and one nested two hundred times come back", ({ items, name }) =>
  Effect.gen(function* () {
    const long = item("😀".repeat(500_000))
    yield* items.set("long", long)
    Assert.equal(yield* items.get("long"), Option.some(long))
    const nests = ReadModelStore.collection(`${name}n`, Nest)
    yield* nests.set("deep", nest(200))
    Assert.equal(yield* nests.get("deep"), Option.some(nest(200)))
  })
)

const together = law(
  "documents that are set at the same time are all there",
  ({ items }) =>
    Effect.gen(function* () {
      const many = count(40, 10).map(String)
      yield* race(many.map((id) => items.set(id, item(id))))
      Assert.equal(yield* ids(items), many)
      yield* race(many.map((id) => items.set("one", item(id))))
      const { text } = Option.getOrThrow(yield* items.get("one"))
      Assert.isTrue(many.includes(text), `the document is none of those that were set: ${text}`)
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<ReadModelStore.ReadModelStore>> = [
  absent,
  sets,
  updates,
  order,
  paging,
  most,
  anyId,
  tenants,
  collections,
  clears,
  exchanges,
  everyKind,
  anySchema,
  large,
  together
]
