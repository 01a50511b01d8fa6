/**
 * Pages of long answers: by number with a total, or each after the last key of the one before.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * How many there are on a page of a request that does not say.
 *
 * @category limits
 * @since 0.1.0
 */
export const defaultSize = 20

/**
 * The most that a page may have.
 *
 * @category limits
 * @since 0.1.0
 */
export const maxSize = 100

const size = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: maxSize })))

/**
 * The fields of a query for pages by number; take the rest from {@link window}.
 *
 * **Example** (A query that answers with pages)
 *
 * ```ts
 * import { Page, Query } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class ListTasks extends Query.Class<ListTasks>()("ListTasks", {
 *   payload: { ...Page.numbered },
 *   success: Page.of(Schema.String)
 * }) {}
 *
 * const query = new ListTasks({ page: 2 })
 * Page.window(query) // => { page: 2, size: 20, offset: 20 }
 * const { hasNext, pages } = Page.make(["t-21"], query, 21)
 * const shown = [pages, hasNext] // => [2, false]
 * ```
 *
 * @category fields
 * @since 0.1.0
 */
export const numbered: {
  readonly page: Schema.optionalKey<Schema.Int>
  readonly size: Schema.optionalKey<Schema.Int>
} = {
  page: Schema.optionalKey(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000_000 })))),
  size: Schema.optionalKey(size)
}

/**
 * The fields of a query for pages after a key.
 *
 * @category fields
 * @since 0.1.0
 */
export const keyset: {
  readonly cursor: Schema.optionalKey<Schema.String>
  readonly size: Schema.optionalKey<Schema.Int>
} = {
  cursor: Schema.optionalKey(Schema.String.pipe(Schema.check(Schema.isBetweenLength(1, 512)))),
  size: Schema.optionalKey(size)
}

/**
 * What a query asks for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Asked {
  readonly page?: number | undefined
  readonly size?: number | undefined
}

/**
 * Which rows a page shows: the first page and {@link defaultSize} where nothing is said.
 *
 * @category getters
 * @since 0.1.0
 */
export const window = ({ page = 1, size = defaultSize }: Asked) => ({ page, size, offset: (page - 1) * size })

/**
 * A page with its number. `pages` is 0 when there is nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page<out A> {
  readonly items: ReadonlyArray<A>
  readonly page: number
  readonly size: number
  readonly total: number
  readonly pages: number
  readonly hasNext: boolean
  readonly hasPrevious: boolean
}

/**
 * A page after a key; `next` is the cursor of the page that follows, absent at the end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keyed<out A> {
  readonly items: ReadonlyArray<A>
  readonly next?: string
}

/**
 * The page that a query asks for, of so many in all.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A>(items: ReadonlyArray<A>, asked: Asked, total: number): Page<A> => {
  const { page, size } = window(asked)
  const pages = Math.ceil(total / size)
  return { items, page, size, total, pages, hasNext: page < pages, hasPrevious: page > 1 && pages > 0 }
}

/**
 * A page after a key, from one row more than it shows: read `size + 1` of them.
 *
 * **Example** (The cursor is the last row's key)
 *
 * ```ts
 * import { Page } from "effect-cqrs"
 *
 * Page.keyed([1, 2, 3], { size: 2 }, String) // => { items: [1, 2], next: "2" }
 * Page.keyed([3], { size: 2 }, String) // => { items: [3] }
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const keyed = <A>(
  rows: ReadonlyArray<A>,
  { size = defaultSize }: { readonly size?: number | undefined },
  cursorOf: (row: A) => string
): Keyed<A> => {
  const items = rows.slice(0, size)
  const last = items.at(-1)
  return rows.length > size && last !== undefined ? { items, next: cursorOf(last) } : { items }
}

/** The annotation by which an interface knows a page. */
const key = "~effect-cqrs/Page"

/**
 * The schema of a page with its number.
 *
 * @category schemas
 * @since 0.1.0
 */
export const of = <S extends Schema.Constraint>(item: S) =>
  Schema.Struct({
    items: Schema.Array(item),
    page: Schema.Int,
    size: Schema.Int,
    total: Schema.Int,
    pages: Schema.Int,
    hasNext: Schema.Boolean,
    hasPrevious: Schema.Boolean
  }).annotate({ [key]: "numbered" })

/**
 * The schema of a page after a key.
 *
 * @category schemas
 * @since 0.1.0
 */
export const keyedOf = <S extends Schema.Constraint>(item: S) =>
  Schema.Struct({ items: Schema.Array(item), next: Schema.optionalKey(Schema.String) }).annotate({ [key]: "keyed" })

/**
 * Whether a schema is that of pages, and of which.
 *
 * @category guards
 * @since 0.1.0
 */
export const kindOf = (schema: Schema.Constraint): "numbered" | "keyed" | undefined => {
  const kind = schema.ast.annotations?.[key]
  return kind === "numbered" || kind === "keyed" ? kind : undefined
}
