/**
 * What laws about documents share.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Law from "../../Law.ts"
import { type Options, unique } from "../world.ts"

export const Item = Schema.Struct({ text: Schema.String, labels: Schema.Record(Schema.String, Schema.String) })

export const item = (text: string): typeof Item.Type => ({ text, labels: {} })

/** A collection of one's own, as a tenant of one's own. */
export interface World {
  readonly name: string
  readonly items: ReadModelStore.Collection<typeof Item.Type>
  readonly tenant: string
}

export const law = <A, E, R>(
  name: string,
  body: (world: World) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | ReadModelStore.ReadModelStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        yield* ReadModelStore.ReadModelStore
        const token = yield* unique
        const made: World = {
          name: `law_${token}`,
          items: ReadModelStore.collection(`law_${token}`, Item),
          tenant: `law-${token}`
        }
        return yield* body(made).pipe(TenantContext.provide(made.tenant))
      }),
    options
  )

export const ids = (
  items: World["items"],
  options?: ReadModelStore.List
): Effect.Effect<
  ReadonlyArray<string>,
  ReadModelStore.ReadModelError,
  ReadModelStore.ReadModelStore | TenantContext.TenantContext
> => Effect.map(items.list(options), (documents) => documents.map(({ id }) => id))

/** In the order of their bytes, which is not that of UTF-16: the last two. */
export const ordered: ReadonlyArray<string> = [
  "!",
  "10",
  "9",
  "A",
  "B",
  "Ba",
  "_",
  "a",
  "b",
  "z",
  "\u0080",
  "é",
  "日",
  "\uffff",
  "😀"
]
