/**
 * What laws of projections share: a projection of one's own that numbers its events, and ways to watch what is read of it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Projection from "../../../application/Projection.ts"
import * as Event from "../../../domain/Event.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import type { CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { ProjectionStore } from "../../../ports/ProjectionStore.ts"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import type { AppendReceipt } from "../../../ports/Receipt.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import type { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { type Options, settled, unique } from "../world.ts"

/** What a projection in the background stands on. */
export type Ports = EventStore | CheckpointStore | ReadModelStore.ReadModelStore | ProjectionStore | UnitOfWork

/** What is read: which version wrote it, how many events it knows, and their sum; two documents that must agree. */
export const View = Schema.Struct({ version: Schema.Int, count: Schema.Int, sum: Schema.Int })

export type View = typeof View.Type

type Writes = Effect.Effect<
  unknown,
  ReadModelStore.ReadModelError,
  ReadModelStore.ReadModelStore | TenantContext.TenantContext
>

const makeWorld = (token: string) => {
  class Added extends Event.Class<Added>()(`Added${token}`, { n: Schema.Int }) {}
  const views = ReadModelStore.collection(`law_${token}`, View)
  const stream = StreamName.make(`Law${token}`, "1")
  const name = `law-${token}`

  const write = (version: number, amounts: ReadonlyArray<number>) => (id: string) =>
    views.update(id, (before) => {
      const { count, sum } = Option.getOrElse(before, () => ({ count: 0, sum: 0 }))
      return { version, count: count + amounts.length, sum: sum + amounts.reduce((a, b) => a + b, 0) }
    })

  /** Handlers of one version; `around` is told of the events of each batch before they are written. */
  const projection = (
    version: number,
    options: { readonly batchSize?: number; readonly around?: (write: Writes, first: number) => Writes } = {}
  ) =>
    Projection.batched(name, {
      version,
      events: [Added],
      collections: [views],
      batchSize: options.batchSize ?? 5,
      retries: 0,
      handle: (batch) => {
        const amounts = batch.map(({ event }) => event.n)
        const both = Effect.forEach(["one", "other"], write(version, amounts), { discard: true })
        return options.around === undefined ? both : options.around(both, amounts[0] ?? 0)
      }
    })

  const append = (
    ...amounts: ReadonlyArray<number>
  ): Effect.Effect<AppendReceipt, EventStoreError, EventStore | TenantContext.TenantContext> =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const receipt = yield* store.append({ stream, expected: "any", events: amounts.map((n) => new Added({ n })) })
      // A rebuild goes as far as the mark, and leaves the rest to the runner.
      yield* settled(store, receipt.position)
      return receipt
    })

  /** Both documents as one statement reads them: each is complete, or none is there. */
  const read: Effect.Effect<
    View | undefined,
    ReadModelStore.ReadModelError,
    ReadModelStore.ReadModelStore | TenantContext.TenantContext
  > = Effect.map(views.list(), (all) => {
    const [one, other] = all.map(({ document }) => document)
    Assert.equal(all.length === 0 || all.length === 2, true, `documents that were read: ${all.length}`)
    Assert.equal(one, other, "two documents of one version")
    return one
  })

  return { name, views, projection, append, read }
}

export type World = ReturnType<typeof makeWorld>

/** A law about a projection of its own. */
export const law = <A, E, R>(
  name: string,
  body: (world: World) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<Exclude<R, TenantContext.TenantContext>, SystemContext.SystemContext> | Ports> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        yield* ReadModelStore.ReadModelStore
        const token = yield* unique
        return yield* body(makeWorld(token)).pipe(
          TenantContext.provide(`law-${token}`),
          SystemContext.provide("laws of projections"),
          // A runner that is not up to date says so.
          Effect.provideService(References.MinimumLogLevel, "Error")
        )
      }),
    options
  )
