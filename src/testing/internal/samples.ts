/**
 * The events and values that laws write.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Event from "../../domain/Event.ts"

/** A number and nothing else. */
export class Noted extends Event.Class<Noted>()("LawNoted", { n: Schema.Int }) {}

/** Another type, for telling types apart. */
export class Counted extends Event.Class<Counted>()("LawCounted", { n: Schema.Int }) {}

/** An event that can be found by the tags it carries. */
export class Tagged extends Event.Class<Tagged>()(
  "LawTagged",
  { n: Schema.Int, tags: Schema.Array(Schema.String) },
  { tags: ({ tags }) => tags }
) {}

/** Text in every place that text can have. */
export class Texts extends Event.Class<Texts>()("LawTexts", {
  text: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  lines: Schema.Array(Schema.Struct({ sku: Schema.String }))
}) {}

export const noted = (...numbers: ReadonlyArray<number>): ReadonlyArray<Noted> => numbers.map((n) => new Noted({ n }))

export const texts = (fields: {
  readonly text?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly lines?: ReadonlyArray<{ readonly sku: string }>
}): Texts => new Texts({ text: "", labels: {}, lines: [], ...fields })

/** Numbers from `first` on. */
export const count = (length: number, first = 1): ReadonlyArray<number> =>
  Array.from({ length }, (_, index) => first + index)

/** Every kind of value that a field can have and JSON has not, and some that JSON has and others spoil. */
export const richFields = {
  bigint: Schema.BigInt,
  date: Schema.Date,
  dateTime: Schema.DateTimeUtc,
  some: Schema.Option(Schema.Option(Schema.Int)),
  none: Schema.Option(Schema.Int),
  set: Schema.ReadonlySet(Schema.String),
  map: Schema.ReadonlyMap(Schema.String, Schema.BigInt),
  undefined: Schema.UndefinedOr(Schema.String),
  null: Schema.NullOr(Schema.String),
  nested: Schema.Array(Schema.Array(Schema.Array(Schema.Int))),
  absent: Schema.optionalKey(Schema.String),
  numbers: Schema.Array(Schema.Number),
  texts: Schema.Array(Schema.String),
  record: Schema.Record(Schema.String, Schema.String),
  json: Schema.Json
} satisfies Schema.Struct.Fields

/** Keys that mean something to JavaScript, to paths or to databases. */
const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "",
  " ",
  "a.b",
  "a[0]",
  "$ref",
  '"',
  "\\",
  "'",
  "--",
  "é",
  "😀",
  "10",
  "9"
]

// JSON text makes own properties of all of them; a literal would set a prototype.
const hostile = `{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(key)}`).join()}}`

export const rich: Schema.Struct<typeof richFields>["Type"] = {
  bigint: -(2n ** 200n),
  date: new Date(-1),
  dateTime: DateTime.makeUnsafe("2026-11-30T23:59:59.999Z"),
  some: Option.some(Option.none()),
  none: Option.none(),
  set: new Set(["b", "a", ""]),
  map: new Map([
    ["x", 1n],
    ["", -1n]
  ]),
  undefined: undefined,
  null: null,
  nested: [[], [[]], [[1], [], [2, 3]]],
  numbers: [
    0,
    1,
    -1,
    0.1,
    1e21,
    1e-7,
    123456789012345680,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY
  ],
  texts: [
    "",
    " ",
    "\t\r\n\u0001\u007f\u0085",
    "\u2028\u2029\ufeff\uffff\ufffd",
    "e\u0301 é",
    "日本語",
    "👩‍👩‍👧‍👦 😀 𝒳 \u{10ffff}",
    "\\u0000 \\ \" ' ` ; -- /* $1 %s",
    "true",
    "null",
    "[]"
  ],
  record: JSON.parse(hostile),
  json: JSON.parse(`{"deep":${hostile},"list":[1,"1",true,null,{}]}`)
}

/** A value that holds itself so many times over. */
export type Nest = { readonly inner: Nest | null }
export const Nest: Schema.Codec<Nest> = Schema.Struct({
  inner: Schema.NullOr(Schema.suspend((): Schema.Codec<Nest> => Nest))
})

export const nest = (depth: number): Nest => {
  let value: Nest = { inner: null }
  for (let level = 1; level < depth; level++) value = { inner: value }
  return value
}

/** Texts that some database cannot hold. */
export const unkeepable: ReadonlyArray<readonly [what: string, text: string]> = [
  ["\\u0000", "a\0b"],
  ["\\u0000 alone", "\0"],
  ["a lone high surrogate", "a\ud800b"],
  ["a high surrogate at the end", "a\ud83d"],
  ["a lone low surrogate", "\udc00"]
]
