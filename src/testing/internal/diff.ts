/**
 * Where two values differ, in words: one line for each place, with the path that leads there.
 */
import * as Equal from "effect/Equal"
import * as Formatter from "effect/Formatter"

const mostLines = 12
const longestText = 240

/** A value on one line, cut where it gets too long to read. */
export const show = (value: unknown): string => {
  const text = Formatter.format(value)
  return text.length <= longestText
    ? text
    : `${text.slice(0, longestText)}... (${text.length - longestText} more characters)`
}

/** One line for each difference; none when the values are equal. */
export const differences = (actual: unknown, expected: unknown): ReadonlyArray<string> => {
  const found: Array<string> = []
  walk({ found, seen: new Map() }, "", actual, expected)
  return found
}

/** The differences as a text that is not too long to read. */
export const describe = (lines: ReadonlyArray<string>): string => {
  const shown = lines.slice(0, mostLines).map((line) => `  ${line}`)
  return [...shown, ...(lines.length > mostLines ? [`  and ${lines.length - mostLines} more differences`] : [])].join(
    "\n"
  )
}

interface Walk {
  readonly found: Array<string>
  /** The pairs that are being compared: a value may hold itself. */
  readonly seen: Map<object, Set<object>>
}

const absent = Symbol("nothing")
const showOrAbsent = (value: unknown) => (value === absent ? "nothing" : show(value))

const differ = (walk: Walk, path: string, actual: unknown, expected: unknown): void => {
  const at = path === "" ? "" : `${path.replace(/^\./, "")}: `
  walk.found.push(`${at}expected ${showOrAbsent(expected)}, got ${showOrAbsent(actual)}`)
}

const walk = (self: Walk, path: string, actual: unknown, expected: unknown): void => {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return
  if (!isObject(actual) || !isObject(expected) || prototypeOf(actual) !== prototypeOf(expected)) {
    return differ(self, path, actual, expected)
  }
  if (Equal.isEqual(actual) && Equal.isEqual(expected)) {
    return Equal.equals(actual, expected) ? undefined : differ(self, path, actual, expected)
  }
  const partners = self.seen.get(actual) ?? new Set()
  if (partners.has(expected)) return
  self.seen.set(actual, partners.add(expected))
  if (actual instanceof Date && expected instanceof Date) {
    return actual.getTime() === expected.getTime() ? undefined : differ(self, path, actual, expected)
  }
  if (actual instanceof Set && expected instanceof Set) return sets(self, path, actual, expected)
  const got = entriesOf(actual)
  const wanted = entriesOf(expected)
  for (const [key, value] of wanted) {
    walk(self, `${path}${segment(actual, key)}`, got.has(key) ? got.get(key) : absent, value)
  }
  for (const [key, value] of got) {
    if (!wanted.has(key)) differ(self, `${path}${segment(actual, key)}`, value, absent)
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

// An object without a prototype is as plain as one made by a literal.
const prototypeOf = (value: object): unknown => Object.getPrototypeOf(value) ?? Object.prototype

const entriesOf = (value: object): ReadonlyMap<unknown, unknown> => {
  if (value instanceof Map) return value
  if (Array.isArray(value)) return new Map(value.entries())
  const entries = new Map<unknown, unknown>(Object.entries(value))
  return value instanceof Error ? entries.set("name", value.name).set("message", value.message) : entries
}

const sets = (self: Walk, path: string, actual: ReadonlySet<unknown>, expected: ReadonlySet<unknown>): void => {
  const lacks = (set: ReadonlySet<unknown>, value: unknown) =>
    !set.has(value) && !Array.from(set).some((other) => differences(other, value).length === 0)
  for (const value of expected) if (lacks(actual, value)) differ(self, path, absent, value)
  for (const value of actual) if (lacks(expected, value)) differ(self, path, value, absent)
}

const segment = (parent: object, key: unknown): string => {
  if (Array.isArray(parent)) return `[${String(key)}]`
  return typeof key === "string" && /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${show(key)}]`
}
