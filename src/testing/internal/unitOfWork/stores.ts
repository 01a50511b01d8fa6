/**
 * All that takes part in a transaction, and how it stands.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Position from "../../../domain/Position.ts"
import { type CheckpointError, CheckpointStore } from "../../../ports/CheckpointStore.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import * as ReadModelStore from "../../../ports/ReadModelStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import { UnitOfWork } from "../../../ports/UnitOfWork.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { noted } from "../samples.ts"
import { type Options, unique, World } from "../world.ts"

/** What a transaction spans. */
export type Stores = UnitOfWork | EventStore | ReadModelStore.ReadModelStore | CheckpointStore

type Failure = EventStoreError | ReadModelStore.ReadModelError | CheckpointError
type Services = ReadModelStore.ReadModelStore | TenantContext.TenantContext

/** What each store holds. */
export interface Standing {
  readonly events: ReadonlyArray<number>
  readonly version: number
  readonly documents: ReadonlyArray<string>
  readonly checkpoint: number
}

/** A stream, a collection and a checkpoint of one's own, which move together from 0 on. */
export class Place {
  readonly world: World
  readonly unit: UnitOfWork["Service"]
  readonly checkpoints: CheckpointStore["Service"]
  readonly documents: ReadModelStore.Collection<number>
  readonly reader: string

  constructor(world: World, unit: UnitOfWork["Service"], checkpoints: CheckpointStore["Service"]) {
    this.world = world
    this.unit = unit
    this.checkpoints = checkpoints
    this.documents = ReadModelStore.collection(`law_${world.token}`, Schema.Int)
    this.reader = `law-${world.token}`
  }

  /** Takes all three from `n - 1` to `n`. */
  write(n: number): Effect.Effect<void, Failure, Services> {
    const { checkpoints, documents, reader, world } = this
    return Effect.gen(function* () {
      yield* world.append(world.stream(), n - 1, noted(n))
      yield* documents.set(String(n), n)
      yield* checkpoints.save(reader, Position.make(n - 1), Position.make(n))
    })
  }

  /** How all three stand, for who asks. */
  get standing(): Effect.Effect<Standing, Failure, Services> {
    const { checkpoints, documents, reader, world } = this
    return Effect.gen(function* () {
      const data = yield* world.data(world.stream())
      const { version } = yield* world.store.streamState(world.stream())
      return {
        events: data.flatMap((one) => (one instanceof Object && "n" in one ? [Number(one.n)] : [])),
        version,
        documents: (yield* documents.list()).map(({ id }) => id),
        checkpoint: yield* checkpoints.load(reader)
      }
    })
  }

  /** All three stand at `n`, each having gone through every number before. */
  standsAt(n: number, about: string): Effect.Effect<void, Failure, Services> {
    const numbers = Array.from({ length: n }, (_, index) => index + 1)
    const expected = { events: numbers, version: n, documents: numbers.map(String), checkpoint: n }
    return Effect.map(this.standing, (standing) => Assert.equal(standing, expected, about))
  }
}

/** A law about a place of its own. */
export const law = <A, E, R>(
  name: string,
  body: (place: Place) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | Stores> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        yield* ReadModelStore.ReadModelStore
        const world = new World(yield* EventStore, yield* unique)
        const place = new Place(world, yield* UnitOfWork, yield* CheckpointStore)
        return yield* body(place).pipe(TenantContext.provide(world.tenant))
      }),
    options
  )
