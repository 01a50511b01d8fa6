/**
 * Consumers of one's own, for the laws about them.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Position from "../../../domain/Position.ts"
import { ConsumerStore } from "../../../ports/ConsumerStore.ts"
import type { Claim, SegmentInfo } from "../../../ports/ConsumerStoreDriver.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { type Options, unique } from "../world.ts"

export type Store = ConsumerStore["Service"]

export const at = Position.make
export const long = Duration.seconds(60)
export const short = Duration.millis(150)

/** A law about a consumer of its own, with four segments that begin at the start of the log. */
export const law = <A, E, R>(
  name: string,
  body: (store: Store, consumer: string) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<R | ConsumerStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const store = yield* ConsumerStore
        const consumer = `law-${yield* unique}`
        yield* store.open(consumer, { segments: 4, after: Position.start })
        return yield* body(store, consumer)
      }),
    options
  )

/** Claims one segment. */
export const claimOne = (store: Store, consumer: string, worker: string, lease = long) =>
  Effect.map(
    store.claim(consumer, worker, { limit: 1, lease }),
    ([claim]): Claim => Assert.defined(claim, `${worker} could claim nothing`)
  )

/** A segment as the store shows it. */
export const shown = (store: Store, consumer: string, id: number) =>
  Effect.map(
    store.inspect(consumer),
    ({ segments }): SegmentInfo =>
      Assert.defined(
        segments.find(({ segment }) => segment.id === id),
        `there is no segment ${id}`
      )
  )
