/**
 * What a rewritten block calls where it said `// =>`.
 */
import * as Equal from "effect/Equal"
import { format, inspect, isDeepStrictEqual } from "node:util"

/** The outcome of each expectation that was reached: nothing, or what is wrong. */
export const outcomes: Map<string, string | undefined> = new Map()

/** Expects a value; gives it back, so that it can stand where the value stood. */
export const equals = <A>(key: string, actual: A, expected: unknown): A => {
  record(key, matches(actual, expected), inspect(actual, { depth: 8 }), inspect(expected, { depth: 8 }))
  return actual
}

/** Expects what a console call prints, whatever its line breaks. */
export const prints =
  (key: string, expected: string) =>
  (...args: ReadonlyArray<unknown>): void => {
    const printed = format(...args)
    const words = (text: string) => text.replace(/\s+/g, " ").trim()
    record(key, words(printed) === words(expected), printed, expected)
  }

// Reached twice, as in a loop, it must hold each time.
const record = (key: string, holds: boolean, actual: string, expected: string) => {
  const wrong = holds ? undefined : `expected ${expected}, got ${actual}`
  outcomes.set(key, outcomes.get(key) ?? wrong)
}

/** Deep equality, in which a literal also stands for an instance with the same fields. */
const matches = (actual: unknown, expected: unknown): boolean => {
  if (Equal.equals(actual, expected) || isDeepStrictEqual(actual, expected)) return true
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, index) => matches(actual[index], item))
    )
  }
  if (!isRecord(actual) || !isRecord(expected) || Object.getPrototypeOf(expected) !== Object.prototype) return false
  const keys = Object.keys(expected)
  return (
    Object.keys(actual).length === keys.length &&
    keys.every((key) => Object.hasOwn(actual, key) && matches(actual[key], expected[key]))
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
