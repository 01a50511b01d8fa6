import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Option, Result, Schema } from "effect"
import { Event, FieldIssue, Upcaster } from "../../src/index.ts"

// The history of one event, from the first release to today.
const v1 = { name: Schema.String, born: Schema.optional(Schema.DateTimeUtc) }
const v2 = { first: Schema.String, last: Schema.String, born: Schema.Option(Schema.DateTimeUtc) }
const Millis = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(10n ** 15n), maximum: 10n ** 15n }))
const v3 = { first: Schema.String, last: Schema.String, bornMillis: Schema.Option(Millis) }

type Fields<F extends Schema.Struct.Fields> = Schema.Struct.Type<F>

const toV2 = ({ born, name }: Fields<typeof v1>): Fields<typeof v2> => {
  const [first = "", ...rest] = name.split(" ")
  return { first, last: rest.join(" "), born: Option.fromUndefinedOr(born) }
}
const toV3 = ({ born, first, last }: Fields<typeof v2>): Fields<typeof v3> => ({
  first,
  last,
  bornMillis: Option.map(born, (at) => BigInt(at.epochMilliseconds))
})
const toV4 = ({ bornMillis, first, last }: Fields<typeof v3>) => ({
  names: new Set([first, last]),
  born: Option.map(bornMillis, (at) => DateTime.makeUnsafe(Number(at)))
})

class PersonNamed extends Event.Class<PersonNamed>()(
  "PersonNamed",
  { names: Schema.ReadonlySet(Schema.String), born: Schema.Option(Schema.DateTimeUtc) },
  { upcasters: Upcaster.from(v1).next(v2, toV2).next(v3, toV3).current(toV4) }
) {}

const read = (data: unknown, version: number) => PersonNamed[Event.TypeId](data, version)

/** The JSON that the code of an older version has stored. */
const storedBy = <F extends { readonly [key: string]: Schema.Codec<unknown, unknown> }>(fields: F) => {
  const encode = Schema.encodeUnknownSync(Schema.toCodecJson(Schema.Struct(fields)))
  return (value: unknown): unknown => JSON.parse(JSON.stringify(encode(value)))
}

const same = Schema.toEquivalence(PersonNamed)

/** Decodes an old event, and stores what came out as an event of today. */
const survives = (data: unknown, version: number, expected: PersonNamed): void => {
  const upcast = Result.getOrThrow(read(data, version))
  expect(upcast).toBeInstanceOf(PersonNamed)
  expect(same(upcast, expected)).toBe(true)
  const again = Result.getOrThrow(upcast[Event.TypeId].encode(upcast))
  expect(same(Result.getOrThrow(read(JSON.parse(JSON.stringify(again)), PersonNamed.version)), upcast)).toBe(true)
}

describe("every version that was ever stored decodes and encodes again", () => {
  it.effect.prop("version 1", [Schema.Struct(v1)], ([old]) =>
    Effect.sync(() => survives(storedBy(v1)(old), 1, new PersonNamed(toV4(toV3(toV2(old))))))
  )
  it.effect.prop("version 2", [Schema.Struct(v2)], ([old]) =>
    Effect.sync(() => survives(storedBy(v2)(old), 2, new PersonNamed(toV4(toV3(old)))))
  )
  it.effect.prop("version 3", [Schema.Struct(v3)], ([old]) =>
    Effect.sync(() => survives(storedBy(v3)(old), 3, new PersonNamed(toV4(old))))
  )
  it.effect.prop("today", [PersonNamed], ([event]) =>
    Effect.sync(() => {
      expect(PersonNamed.version).toBe(4)
      survives(Result.getOrThrow(event[Event.TypeId].encode(event)), 4, event)
    })
  )
})

describe("an old event that does not fit its version", () => {
  it("is refused with every bad field of that version", () => {
    const refused = read({ first: 1, last: 2, born: { _tag: "None" } }, 2)
    expect(Result.isFailure(refused) && FieldIssue.fromIssue(refused.failure).map(({ path }) => path)).toEqual([
      "first",
      "last"
    ])
  })

  it("is refused when what it becomes does not fit today's fields", () => {
    class Short extends Event.Class<Short>()(
      "Short",
      { text: Schema.String.check(Schema.isMaxLength(3)) },
      { upcasters: Upcaster.from({ long: Schema.String }).current(({ long }) => ({ text: long })) }
    ) {}
    expect(Result.isSuccess(Short[Event.TypeId]({ long: "abc" }, 1))).toBe(true)
    const refused = Short[Event.TypeId]({ long: "abcd" }, 1)
    expect(Result.isFailure(refused) && FieldIssue.fromIssue(refused.failure).map(({ path }) => path)).toEqual(["text"])
  })
})

it("only the steps after the stored version run", () => {
  const ran: Array<string> = []
  const note = <A>(step: string, value: A): A => {
    ran.push(step)
    return value
  }
  class Stepped extends Event.Class<Stepped>()(
    "Stepped",
    { n: Schema.Int },
    {
      upcasters: Upcaster.from({ n: Schema.Int })
        .next({ n: Schema.Int }, ({ n }) => note("1 to 2", { n: n + 1 }))
        .current(({ n }) => note("2 to 3", { n: n + 10 }))
    }
  ) {}
  const at = (version: number) => Result.getOrThrow(Stepped[Event.TypeId]({ n: 0 }, version)).n
  expect([at(1), at(2), at(3)]).toEqual([11, 10, 0])
  expect(ran).toEqual(["1 to 2", "2 to 3", "2 to 3"])
})
