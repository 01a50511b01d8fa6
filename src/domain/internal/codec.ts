/** Fields as they are stored: to JSON and back, without throwing. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Fields } from "../Message.ts"

export type Coder = (value: unknown) => Result.Result<unknown, SchemaIssue.Issue>

/** From fields to JSON. */
export const encoder = (fields: Fields): Coder => {
  // A struct of no fields lets everything through, and with it the tag.
  if (Object.keys(fields).length === 0) return () => Result.succeed({})
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(Schema.Struct(fields)), { errors: "all" })
  return (value) => Result.mapError(encode(value), (error) => error.issue)
}

/** From JSON to fields. */
export const fieldsDecoder = (fields: Fields): Coder => {
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Schema.Struct(fields)), { errors: "all" })
  return (data) => Result.mapError(decode(data), (error) => error.issue)
}

/** From JSON of the fields to an instance. */
export const decoder = (self: Schema.Codec<unknown, unknown> & { readonly tag: string }): Coder => {
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(self), { errors: "all" })
  return (data) => Result.mapError(decode({ _tag: self.tag, ...Object(data) }), (error) => error.issue)
}

/** Why a stored version cannot be read by code that knows so many. */
export const refuse = (versions: number, stored: number): Result.Result<never, SchemaIssue.Issue> =>
  Result.fail(
    new SchemaIssue.InvalidValue({
      expected: `a version from 1 to ${versions}, not ${stored}: other code stored it`
    })
  )
