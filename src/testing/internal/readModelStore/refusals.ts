/**
 * Laws about what no store can keep, and what does not fit its schema.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { unkeepable } from "../samples.ts"
import { Item, ids, item, law, ordered, type World } from "./collections.ts"

/** The write is refused for exactly this field, and the collection is as empty as it was. */
const refused = (
  { items }: World,
  writing: Effect.Effect<
    unknown,
    ReadModelStore.ReadModelError,
    ReadModelStore.ReadModelStore | TenantContext.TenantContext
  >,
  path: string,
  what: string
) =>
  Effect.gen(function* () {
    const { issues } = yield* Assert.fails(writing, "InvalidDocument")
    Assert.equal(
      issues.map((issue) => issue.path),
      [path],
      what
    )
    Assert.equal(yield* items.list(), [], what)
  })

const refusals = law(
  "text that no store can keep is refused in a document, its id, its collection and its tenant",
  (world) =>
    Effect.gen(function* () {
      const { items, name, tenant } = world
      for (const [what, text] of unkeepable) {
        yield* refused(world, items.set("1", item(text)), "text", what)
        yield* refused(world, items.set("1", { text: "", labels: { a: "", b: text } }), "labels.b", what)
        yield* refused(world, items.set("1", { text: "", labels: { [text]: "" } }), `labels.${text}`, what)
        yield* refused(world, items.set(text, item("")), "id", what)
        yield* refused(
          world,
          items.update(text, () => item("")),
          "id",
          what
        )
        yield* refused(world, ReadModelStore.collection(name + text, Item).set("1", item("")), "collection", what)
        yield* refused(world, items.set("1", item("")).pipe(TenantContext.provide(tenant + text)), "tenant", what)
      }
      yield* refused(world, items.set("", item("")), "id", "an empty id")
      yield* refused(world, items.set("1", item("")).pipe(TenantContext.provide("")), "tenant", "an empty tenant")
      yield* refused(
        world,
        items.set("1", item("")).pipe(TenantContext.provide("a\nb")),
        "tenant",
        "a control character"
      )
      yield* refused(world, ReadModelStore.collection("", Item).set("1", item("")), "collection", "an empty collection")
    })
)

const limits = law("an id takes 1024 bytes of UTF-8 and not one more", (world) =>
  Effect.gen(function* () {
    const fits = ["x".repeat(1024), "é".repeat(512), "😀".repeat(256)]
    for (const id of fits)
      yield* refused(world, world.items.set(`${id}x`, item("")), "id", `${id.slice(-2)} and one more`)
    for (const id of fits) yield* world.items.set(id, item(id))
    Assert.equal(yield* ids(world.items), fits)
  })
)

const impossible = law(
  "what could never be set is absent, and a list goes on where it would stand",
  ({ items, name, tenant }) =>
    Effect.gen(function* () {
      for (const id of ordered) yield* items.set(id, item(id))
      for (const [what, text] of unkeepable) {
        Assert.equal(yield* items.get(text), Option.none(), what)
        yield* items.remove(text)
        const elsewhere = ReadModelStore.collection(name + text, Item)
        Assert.equal(yield* elsewhere.get("a"), Option.none(), what)
        Assert.equal(yield* elsewhere.list(), [], what)
        yield* elsewhere.remove("a")
        const asNobody = TenantContext.provide(tenant + text)
        Assert.equal(yield* asNobody(items.get("a")), Option.none(), what)
        Assert.equal(yield* asNobody(items.list()), [], what)
        yield* asNobody(items.remove("a"))
      }
      Assert.equal(yield* ids(items), ordered)
      for (const after of ["B\0", "B\0\0x", "B\0😀"]) Assert.equal(yield* ids(items, { after }), ordered.slice(5))
      Assert.equal(yield* ids(items, { after: "\0" }), ordered)
      Assert.equal(yield* ids(items, { after: "\ud83d" }), ["\uffff", "😀"])
    })
)

const unfit = law("a document that does not fit its schema is refused when it is set and when it is read", (world) =>
  Effect.gen(function* () {
    const { items, name } = world
    const measures = ReadModelStore.collection(
      name,
      Schema.Struct({ celsius: Schema.Finite, at: Schema.NonEmptyString })
    )
    const writing = Assert.fails(measures.set("1", { celsius: Number.NaN, at: "" }), "InvalidDocument")
    Assert.equal(
      (yield* writing).issues.map(({ path }) => path),
      ["celsius", "at"]
    )
    Assert.equal(yield* items.list(), [])
    yield* measures.set("ok", { celsius: 1, at: "noon" })
    yield* items.set("wrong", item("elsewhere"))
    Assert.equal(yield* measures.get("ok"), Option.some({ celsius: 1, at: "noon" }))
    for (const reading of [Effect.asVoid(measures.get("wrong")), Effect.asVoid(measures.list())]) {
      const { collection, id, issues } = yield* Assert.fails(reading, "InvalidDocument")
      Assert.equal([collection, id, issues.map(({ path }) => path)], [name, "wrong", ["celsius", "at"]])
    }
  })
)

export const laws: ReadonlyArray<Law.Law<ReadModelStore.ReadModelStore>> = [refusals, limits, impossible, unfit]
