/**
 * What became of a shape: whether code with the shape of now reads all that was stored in the shape of before.
 *
 * @since 0.1.0
 */
import * as Equal from "effect/Equal"
import type * as Schema from "effect/Schema"
import * as Shape from "./Shape.ts"

/**
 * One change at one place.
 *
 * **Details**
 *
 * - `removed`: a field is stored and no longer read.
 * - `required`: a field is not always stored, and must be there now.
 * - `changed`: what is stored is not what is expected now, or may not pass what it must pass now.
 * - `added`: a field may be there now.
 * - `widened`: more is accepted than before.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly kind: "removed" | "required" | "changed" | "added" | "widened"
  /** Like the path of a `FieldIssue`; `[]` stands for the elements of an array, `.*` for the values of a record. */
  readonly path: string
  /** What was and what is, like `was string, is number`. */
  readonly message: string
}

/**
 * Whether stored events may no longer be read, or lose something when they are.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isBreaking = (self: Change): boolean =>
  self.kind === "removed" || self.kind === "required" || self.kind === "changed"

/**
 * The changes from fields that were stored to the fields of now.
 *
 * **Example** (One that breaks and one that does not)
 *
 * ```ts
 * import { Shape, ShapeChange } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * const before = Shape.of({ total: Schema.Int })
 * const now = Shape.of({ total: Schema.String, note: Schema.optionalKey(Schema.String) })
 *
 * ShapeChange.between(before, now).map(({ kind, message, path }) => `${kind} ${path}: ${message}`)
 * // => [
 * //   "changed total: was number that passes isInt, is string",
 * //   "added note: is optional, string"
 * //   ]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const between = (before: Shape.FieldShapes, now: Shape.FieldShapes): ReadonlyArray<Change> =>
  fields(before, now, "")

const fields = (before: Shape.FieldShapes, now: Shape.FieldShapes, path: string): ReadonlyArray<Change> => {
  const at = (name: string) => (path === "" ? name : `${path}.${name}`)
  const kept = Object.entries(before).flatMap(([name, was]) => {
    const is = now[name]
    return is === undefined
      ? [change("removed", at(name), `was ${Shape.format(was)}, is gone`)]
      : field(Shape.details(was), Shape.details(is), at(name))
  })
  const added = Object.entries(now).flatMap(([name, is]) => {
    if (name in before) return []
    return Shape.details(is).optional === true
      ? [change("added", at(name), `is optional, ${Shape.format(is)}`)]
      : [change("required", at(name), `was not stored, is required, ${Shape.format(is)}`)]
  })
  return [...kept, ...added]
}

const field = (was: Shape.Details, is: Shape.Details, path: string): ReadonlyArray<Change> => {
  if (was.optional === true && is.optional !== true) {
    return [change("required", path, "was optional, is required"), ...value(was, is, path)]
  }
  const changes = value(was, is, path)
  return was.optional === is.optional || changes.length > 0
    ? changes
    : [change("widened", path, "was required, is optional")]
}

const value = (before: Shape.Shape, now: Shape.Shape, path: string): ReadonlyArray<Change> => {
  const { optional: _, ...was } = Shape.details(before)
  const { optional: __, ...is } = Shape.details(now)
  if (Equal.equals(was, is)) return []
  const found = accepted(was, is, path)
  return found.length > 0 ? found : [change("widened", path, `was ${Shape.format(was)}, is ${Shape.format(is)}`)]
}

// The changes that matter between two shapes that are not the same, none when all of `was` is also `is`.
const accepted = (was: Shape.Details, is: Shape.Details, path: string): ReadonlyArray<Change> => {
  const changed = [change("changed", path, `was ${Shape.format(was)}, is ${Shape.format(is)}`)]
  if (missing(was.checks, is.checks)) return changed
  if (is.type === "json") return []
  if (was.type === "union") {
    const members = (was.anyOf ?? []).map((one) => value(one, is, path))
    return members.some((found) => found.some(isBreaking)) ? deepest(members, changed, path) : []
  }
  if (is.type === "union") return amongst(was, is.anyOf ?? [], path, changed)
  if (was.type === "literal") return literals(was, is) ? [] : changed
  if (was.type !== is.type || was.levels !== is.levels) return changed
  if (is.as !== undefined && is.as !== was.as) return changed
  switch (was.type) {
    case "object":
      return object(was, is, path) ?? changed
    case "array":
      return value(was.items ?? "json", is.items ?? "json", `${path}[]`)
    case "tuple":
      return tuple(was, is, path) ?? changed
    default:
      return []
  }
}

const amongst = (
  was: Shape.Details,
  members: ReadonlyArray<Shape.Shape>,
  path: string,
  changed: ReadonlyArray<Change>
): ReadonlyArray<Change> => {
  if (
    was.type === "literal" &&
    (was.of ?? []).every((one) => members.some((is) => literals({ ...was, of: [one] }, is)))
  ) {
    return []
  }
  const tries = members.map((is) => value(was, is, path))
  const fitting = tries.filter((found) => !found.some(isBreaking))
  // What is only wider says less than what was added.
  if (fitting.length > 0) return fitting.find((found) => found.some(({ kind }) => kind === "added")) ?? []
  return deepest(tries, changed, path)
}

// Where a member of a union differs within, that is the change, rather than the union as a whole.
const deepest = (
  tries: ReadonlyArray<ReadonlyArray<Change>>,
  changed: ReadonlyArray<Change>,
  path: string
): ReadonlyArray<Change> =>
  tries.find((found) => found.some(isBreaking) && found.every((one) => one.path !== path && !isTag(one))) ?? changed

// A member with another tag is another member.
const isTag = ({ path }: Change): boolean => /(^|\.)(_tag|type|kind)$/.test(path)

const literals = (was: Shape.Details, now: Shape.Shape): boolean => {
  const is = Shape.details(now)
  if (is.checks !== undefined || is.as !== undefined) return false
  return (was.of ?? []).every((one) => (is.type === "literal" ? is.of?.includes(one) === true : is.type === typeof one))
}

const object = (was: Shape.Details, is: Shape.Details, path: string): ReadonlyArray<Change> | undefined => {
  const [before = [], now = []] = [was.entries, is.entries]
  if (before.length !== now.length) return undefined
  const entries = before.flatMap((one, index) => {
    const other = now[index]
    return other === undefined
      ? []
      : [...value(one.keys, other.keys, path), ...value(one.values, other.values, `${path}.*`)]
  })
  return [...fields(was.fields ?? {}, is.fields ?? {}, path), ...entries]
}

const tuple = (was: Shape.Details, is: Shape.Details, path: string): ReadonlyArray<Change> | undefined => {
  const [before = [], now = []] = [was.elements, is.elements]
  if (!Equal.equals(was.rest, is.rest) || before.length > now.length) return undefined
  if (now.slice(before.length).some((one) => Shape.details(one).optional !== true)) return undefined
  return before.flatMap((one, index) =>
    field(Shape.details(one), Shape.details(now[index] ?? "json"), `${path}[${index}]`)
  )
}

// Whether a value may fail a check of now, as far as what it has passed before tells.
const missing = (before: ReadonlyArray<Shape.Check> = [], now: ReadonlyArray<Shape.Check> = []): boolean =>
  now.some((check) => !before.some((passed) => implies(passed, check)))

const implies = (passed: Shape.Check, check: Shape.Check): boolean => {
  if (Equal.equals(passed, check)) return true
  if (passed === "isInt" && check === "isFinite") return true
  if (typeof passed === "string" || typeof check === "string") return false
  return Object.entries(check).every(([name, limits]) => {
    const before = passed[name]
    return (
      isRecord(before) &&
      isRecord(limits) &&
      [...Object.keys(before), ...Object.keys(limits)].every((key) => within(key, before[key], limits[key]))
    )
  })
}

const within = (key: string, before: unknown, now: unknown): boolean => {
  if (before === now) return true
  if (typeof before !== "number" || typeof now !== "number") return false
  return /^(exclusiveM|m)in/.test(key) ? now <= before : /^(exclusiveM|m)ax/.test(key) && now >= before
}

const isRecord = (json: Schema.Json | undefined): json is { readonly [key: string]: Schema.Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const change = (kind: Change["kind"], path: string, message: string): Change => ({ kind, path, message })
