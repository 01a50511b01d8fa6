/** Outcomes as text, by what the query's class declares of its success and its errors. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Message from "../../../domain/Message.ts"

export type Outcome = Exit.Exit<unknown, unknown>

export interface Codec {
  /** Undefined for what is not as the class declares. */
  readonly encode: (outcome: Outcome) => string | undefined
  readonly decode: (text: string) => Outcome | undefined
}

/** The one error that an effect failed with; nothing when there were several, or a defect. */
export const errorOf = (outcome: Outcome): Option.Option<unknown> => {
  if (Exit.isSuccess(outcome)) return Option.none()
  const [reason, ...more] = outcome.cause.reasons
  return reason !== undefined && more.length === 0 && Cause.isFailReason(reason)
    ? Option.some(reason.error)
    : Option.none()
}

/** Whether an answer says that there is nothing. */
export const isAbsent = (value: unknown): boolean =>
  value === undefined || value === null || (Option.isOption(value) && Option.isNone(value))

export const codecOf = ({ error, success }: Pick<Message.AnyClass, "success" | "error">): Codec => {
  const ofSuccess = Schema.toCodecJson(success)
  const ofError = Schema.toCodecJson(error)
  const encodeSuccess = Schema.encodeUnknownResult(ofSuccess)
  const encodeError = Schema.encodeUnknownResult(ofError)
  const decodeSuccess = Schema.decodeUnknownResult(ofSuccess)
  const decodeError = Schema.decodeUnknownResult(ofError)
  const text = (name: string, encoded: Result.Result<unknown, unknown>) =>
    Result.isSuccess(encoded) ? JSON.stringify({ [name]: encoded.success ?? null }) : undefined
  return {
    encode: careful((outcome) => {
      if (Exit.isSuccess(outcome)) return text("value", encodeSuccess(outcome.value))
      const failed = errorOf(outcome)
      return Option.isSome(failed) ? text("error", encodeError(failed.value)) : undefined
    }),
    decode: careful((stored) => {
      const json: unknown = JSON.parse(stored)
      if (Predicate.hasProperty(json, "value")) {
        const value = decodeSuccess(json.value)
        return Result.isSuccess(value) ? Exit.succeed(value.success) : undefined
      }
      if (!Predicate.hasProperty(json, "error")) return undefined
      const failed = decodeError(json.error)
      return Result.isSuccess(failed) ? Exit.fail(failed.success) : undefined
    })
  }
}

/** What a class throws says as much as what it refuses. */
const careful =
  <A, B>(f: (value: A) => B | undefined) =>
  (value: A): B | undefined => {
    try {
      return f(value)
    } catch {
      return undefined
    }
  }
