/** Fields as they are stored: to JSON and back, without throwing. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Fields } from "../Message.ts"

export type Coder = (value: unknown) => Result.Result<unknown, SchemaIssue.Issue>

const everyIssue = { errors: "all" } as const

type Run = (value: unknown) => Result.Result<unknown, Schema.SchemaError>

// What stops at the first issue takes half the time: only what fails is run again, to list every issue.
const coder =
  (first: Run, every: Run): Coder =>
  (value) => {
    const coded = first(value)
    return Result.isSuccess(coded) ? Result.succeed(coded.success) : Result.mapError(every(value), ({ issue }) => issue)
  }

/** From fields to JSON. */
export const encoder = (fields: Fields): Coder => {
  // A struct of no fields lets everything through, and with it the tag.
  if (Object.keys(fields).length === 0) return () => Result.succeed({})
  const codec = Schema.toCodecJson(Schema.Struct(fields))
  return coder(Schema.encodeUnknownResult(codec), Schema.encodeUnknownResult(codec, everyIssue))
}

/** From JSON to fields. */
export const fieldsDecoder = (fields: Fields): Coder => {
  const codec = Schema.toCodecJson(Schema.Struct(fields))
  return coder(Schema.decodeUnknownResult(codec), Schema.decodeUnknownResult(codec, everyIssue))
}

/** From JSON of the fields to an instance. */
export const decoder = (self: Schema.Codec<unknown, unknown> & { readonly tag: string }): Coder => {
  const codec = Schema.toCodecJson(self)
  const decode = coder(Schema.decodeUnknownResult(codec), Schema.decodeUnknownResult(codec, everyIssue))
  return (data) => decode({ _tag: self.tag, ...Object(data) })
}

/** Why a stored version cannot be read by code that knows so many. */
export const refuse = (versions: number, stored: number): Result.Result<never, SchemaIssue.Issue> =>
  Result.fail(
    new SchemaIssue.InvalidValue({
      expected: `a version from 1 to ${versions}, not ${stored}: other code stored it`
    })
  )
