/** One segment of a consumer as its owner runs it: from its checkpoint on, until it is told to stop. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Latch from "effect/Latch"
import type * as Position from "../../../domain/Position.ts"
import * as Segments from "../../../domain/Segment.ts"
import type { ConsumerState } from "../../../ports/ConsumerStoreDriver.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import * as SegmentLayout from "../../../ports/SegmentLayout.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"
import { type Ended, Progress, type Segment, type Services } from "./handling.ts"
import type { Item } from "./model.ts"
import type { Pages } from "./pages.ts"
import * as Trail from "./trail.ts"

/** Why a segment no longer runs. */
export type Exit =
  | Ended
  | { readonly _tag: "Stopped" }
  | { readonly _tag: "Diverged"; readonly state: Extract<ConsumerState, { readonly status: "diverged" }> }

export interface Running<R> extends Segment<R> {
  readonly pages: Pages
  /** The mark of the log, and the keys of all segments that have parked events, as of after the claim. */
  readonly mark: Position.Position
  readonly parked: ReadonlyArray<string>
  /** Open when the segment should stop at the next occasion. */
  readonly stop: Latch.Latch
  /** Until when this process may take the segment for its own, by its own clock. */
  readonly validUntil: () => number
}

/** How long a checkpoint may lag behind what was read when nothing was to be handled. */
const idleSave = 5000
/** How often parked events are looked at, in milliseconds. */
const drainEvery = 1000
/** Over how many pages a batch is gathered. */
const batchedPages = 4

export const run = <R>(self: Running<R>): Effect.Effect<Exit, never, R | Services | EventStore | SystemContext> =>
  Effect.catch(follow(self), (ended: Ended) => Effect.succeed<Exit>(ended)).pipe(
    Effect.ensuring(Effect.sync(() => self.pages.leave(self.claim.token))),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.succeed<Exit>({ _tag: "Again", cause })
    )
  )

const follow = Effect.fnUntraced(function* <R>(self: Running<R>) {
  const { claim, definition, pages, stop } = self
  const store = yield* EventStore
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const logOf = <A, E, R1>(effect: Effect.Effect<A, E, R1>) =>
    Effect.mapError(effect, (error): Ended => ({ _tag: "Again", cause: Cause.fail(error) }))

  const verified = yield* logOf(Trail.verify(claim.segment.id, claim.checkpoint, self))
  if (typeof verified === "object") return { _tag: "Diverged", state: verified } as const
  const progress = new Progress(self)
  let reached = verified
  // Behind its checkpoint, only what came in place of a lost end of the log is left to be handled.
  if (verified !== claim.checkpoint.position) yield* progress.advance(verified)
  if (self.parked.some((key) => Segments.has(claim.segment, Segments.hash(key)))) yield* progress.drain()
  let drained = now()
  let savedAt = now()
  const within = definition.within === undefined ? 0 : Duration.toMillis(definition.within)
  let batch: Array<Item> = []
  let batchSince = 0
  let batchPages = 0

  const flush = Effect.fnUntraced(function* (to: Position.Position) {
    const items = batch
    batch = []
    batchPages = 0
    yield* progress.process(items, to)
    savedAt = now()
  })

  /** Takes what was read already, until a batch is full. */
  const collect = (): void => {
    while (batch.length < definition.batchSize) {
      const page = pages.cached(reached)
      if (page === undefined) return
      for (const item of page.of(claim.segment)) {
        const { position } = item.stored
        if (position <= reached) continue
        if (SegmentLayout.isAhead(claim.ahead, item.hash, position)) continue
        if (batch.length === 0) batchSince = now()
        batch.push(item)
        if (batch.length >= definition.batchSize) {
          reached = position
          return
        }
      }
      reached = page.to
      if (batch.length > 0) batchPages++
    }
  }

  while (true) {
    if (stop.isOpen()) {
      if (batch.length === 0) yield* progress.advance(reached)
      return { _tag: "Stopped" } as const
    }
    if (now() >= self.validUntil()) return { _tag: "Again", cause: Cause.fail("the lease may have run out") } as const
    if (progress.blocked.size > 0 && now() - drained >= drainEvery) {
      yield* progress.drain()
      drained = now()
    }
    if (batch.length === 0 && reached !== progress.saved && now() - savedAt >= idleSave) {
      yield* progress.advance(reached)
      savedAt = now()
    }
    const before = reached
    collect()
    yield* pages.reached(claim.token, reached)
    const isFull = batch.length >= definition.batchSize || batchPages >= batchedPages
    // Far behind the end of the log, the next page soon fills the batch.
    const isDue = within === 0 ? !pages.hasMore(reached) : now() - batchSince >= within
    if (batch.length > 0 && (isFull || isDue)) {
      yield* flush(reached)
      continue
    }
    if (reached > before) continue
    const page = yield* logOf(pages.read(reached))
    if (page.mark < reached) return { _tag: "Again", cause: Cause.fail("the log is shorter than it was") } as const
    if (page.to > reached) continue
    // Caught up: whatever comes next wakes it.
    const waits = [
      self.validUntil() - now(),
      ...(batch.length > 0 ? [batchSince + within - now()] : []),
      ...(batch.length === 0 && reached !== progress.saved ? [savedAt + idleSave - now()] : []),
      ...(progress.blocked.size > 0 ? [drained + drainEvery - now()] : [])
    ]
    yield* logOf(store.changed(reached)).pipe(
      Effect.raceFirst(stop.await),
      Effect.raceFirst(Effect.sleep(Math.max(Math.min(...waits), 1)))
    )
  }
})
