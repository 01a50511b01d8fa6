/**
 * What a command wrote: the token with which a reader can wait for it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Position from "../domain/Position.ts"

/**
 * The streams that were appended to, in the order of their first appends, each with its new version, and the last position
 * written; position 0 when nothing was.
 *
 * **Details**
 *
 * It is plain data: send it to a client and take it back with the next query, to let that query wait for its own writes.
 *
 * @category models
 * @since 0.1.0
 */
export const Receipt = Schema.Struct({
  streams: Schema.Array(Schema.Struct({ stream: Schema.String, version: Schema.Int })),
  position: Position.Position
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Receipt extends Schema.Schema.Type<typeof Receipt> {}

/**
 * What one append wrote. `position` is that of its last event, 0 when it had none.
 *
 * @category models
 * @since 0.1.0
 */
export interface AppendReceipt {
  readonly stream: string
  readonly version: number
  readonly position: Position.Position
  /** True when the append had been written before under its id, and this is what it had come to; absent otherwise. */
  readonly repeated?: boolean | undefined
}

/**
 * Where the appends of the running fiber are noted; absent when nobody asked.
 *
 * @category services
 * @since 0.1.0
 */
export const Collector: Context.Reference<Array<AppendReceipt> | undefined> = Context.Reference<
  Array<AppendReceipt> | undefined
>("effect-cqrs/ports/Receipt/Collector", { defaultValue: () => undefined })

/**
 * Notes what an append has written, for the dispatch that the running fiber belongs to: where it is known without appending.
 *
 * @category combinators
 * @since 0.1.0
 */
export const note = (append: AppendReceipt): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Collector)?.push(append)
    return Effect.void
  })

/**
 * What the queries of the running fiber are to read at least; absent when anything will do.
 *
 * @category services
 * @since 0.1.0
 */
export const After: Context.Reference<{ readonly position: Position.Position } | undefined> = Context.Reference<
  { readonly position: Position.Position } | undefined
>("effect-cqrs/ports/Receipt/After", { defaultValue: () => undefined })

/**
 * Lets all queries that an effect asks read what this receipt is of, if their handlers wait for it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const after =
  (receipt: { readonly position: Position.Position }) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, After, receipt)

/**
 * One receipt for many appends: the highest version of each stream, the highest position of all, in whatever order they are.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromAppends = (appends: ReadonlyArray<AppendReceipt>): Receipt => {
  const versions = new Map<string, number>()
  let position = Position.start
  for (const append of appends) {
    versions.set(append.stream, Math.max(append.version, versions.get(append.stream) ?? 0))
    position = Position.max(position, append.position)
  }
  return { streams: Array.from(versions, ([stream, version]) => ({ stream, version })), position }
}

/**
 * Forgets the appends of an effect that failed: for units of work, whose failure undoes them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const forgetOnFailure = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const appends = fiber.getRef(Collector)
    if (appends === undefined) return self
    const before = appends.length
    return Effect.onExit(self, (exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) appends.length = before
      })
    )
  })
