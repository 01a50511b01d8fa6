/**
 * Which events of an aggregate may change places.
 *
 * @since 0.1.0
 */

/**
 * For each type of event, the types that it commutes with: one after the other, or the other way round, they lead to the
 * same state. What is said of one is said of the other, so each pair is written once; a type may commute with itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Table<Tag extends string> = { readonly [One in Tag]?: ReadonlyArray<Tag> | undefined }

/**
 * The declared pairs of an aggregate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Commuting {
  readonly pairs: ReadonlyArray<readonly [one: string, other: string]>
  /** Whether two types were declared to commute, in either order. */
  readonly has: (one: string, other: string) => boolean
}

/**
 * The pairs of a table.
 *
 * **Example** (Declared once, true both ways)
 *
 * ```ts
 * import { Commuting } from "effect-cqrs"
 *
 * const table = Commuting.make({ Tagged: ["Tagged", "Noted"] })
 *
 * table.has("Noted", "Tagged") // => true
 * table.has("Noted", "Noted") // => false
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (table: Table<string> = {}): Commuting => {
  const known = new Map<string, readonly [string, string]>()
  for (const [one, others = []] of Object.entries(table)) {
    for (const other of others) {
      if (!known.has(keyOf(other, one))) known.set(keyOf(one, other), [one, other])
    }
  }
  return {
    pairs: [...known.values()],
    has: (one, other) => known.size > 0 && (known.has(keyOf(one, other)) || known.has(keyOf(other, one)))
  }
}

const keyOf = (one: string, other: string) => `${one}\0${other}`
