/**
 * How an event that was stored in an older shape becomes the shape of today.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import type { Fields } from "./Message.ts"

/**
 * The finished way from every older version to `Out`, today's fields.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upcaster<out Out> {
  /** How many older versions there are; today's version is one more. */
  readonly versions: number
  /** Takes stored JSON of an older version (1 or greater) to today's fields. */
  readonly upcast: (data: unknown, version: number) => Result.Result<Out, SchemaIssue.Issue>
}

/**
 * A way that is still being described: it ends in the fields `Last` of the newest older version.
 *
 * @category models
 * @since 0.1.0
 */
export interface Chain<Last> {
  /** The next version's fields, and how the version before becomes it. */
  readonly next: <const F extends Fields>(
    fields: F,
    upcast: (old: Last) => Schema.Struct.Type<F>
  ) => Chain<Schema.Struct.Type<F>>
  /** How the newest older version becomes the fields of today. */
  readonly current: <Out>(upcast: (old: Last) => Out) => Upcaster<Out>
}

interface Step {
  readonly decode: (data: unknown) => Result.Result<unknown, SchemaIssue.Issue>
  // A method, so that a step over any fields fits: the chain's types have matched each step to the one before.
  upcast(old: unknown): unknown
}

/**
 * Starts at the fields of version 1.
 *
 * **Details**
 *
 * The version of an event is counted here and nowhere else: an event class without upcasters is at version 1, one
 * `current` after one `from` makes it version 2, and so on. Old events are never rewritten; they are upcast when read.
 *
 * **Example** (A name split in two)
 *
 * ```ts
 * import { Event, Upcaster } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class PersonNamed extends Event.Class<PersonNamed>()("PersonNamed", { first: Schema.String, last: Schema.String }, {
 *   upcasters: Upcaster.from({ name: Schema.String }).current(({ name }) => {
 *     const [first = "", last = ""] = name.split(" ")
 *     return { first, last }
 *   })
 * }) {}
 *
 * PersonNamed.version // => 2
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = <const F extends Fields>(fields: F): Chain<Schema.Struct.Type<F>> => chain([], decoder(fields))

const decoder = (fields: Fields): Step["decode"] => {
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Schema.Struct(fields)), { errors: "all" })
  return (data) => Result.mapError(decode(data), (error) => error.issue)
}

const chain = <Last>(steps: ReadonlyArray<Step>, decode: Step["decode"]): Chain<Last> => ({
  next: (fields, upcast) => chain([...steps, { decode, upcast }], decoder(fields)),
  current: <Out>(last: (old: Last) => Out) => {
    const all = [...steps, { decode, upcast: last }]
    return { versions: all.length, upcast: (data: unknown, version: number) => run<Out>(all, data, version) }
  }
})

function run<Out>(steps: ReadonlyArray<Step>, data: unknown, version: number): Result.Result<Out, SchemaIssue.Issue>
function run(steps: ReadonlyArray<Step>, data: unknown, version: number): unknown {
  const first = steps[version - 1]
  if (first === undefined) return Result.succeed(data)
  return Result.map(first.decode(data), (old) =>
    steps.slice(version - 1).reduce((value, step) => step.upcast(value), old)
  )
}
