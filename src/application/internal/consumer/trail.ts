/** Which of the events that were handled are remembered, and which of them the log still has. */
import * as Effect from "effect/Effect"
import * as Position from "../../../domain/Position.ts"
import type { Checkpoint, ConsumerState, EventMark } from "../../../ports/ConsumerStoreDriver.ts"
import { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"

const most = 16
const apart = 1000

/** The trail with one event more, or `undefined` when it is too near to the last one to be worth a write. */
export const add = (trail: ReadonlyArray<EventMark>, event: EventMark): ReadonlyArray<EventMark> | undefined => {
  const last = trail.at(-1)
  if (last !== undefined && event.position - last.position < apart) return undefined
  return thin([...trail, event])
}

// The further back, the less of it is kept: what goes is the one whose neighbours are nearest, as seen from the end.
const thin = (trail: ReadonlyArray<EventMark>): ReadonlyArray<EventMark> => {
  if (trail.length <= most) return trail
  const end = trail.at(-1)?.position ?? 0
  let [worst, least] = [1, Number.POSITIVE_INFINITY]
  for (let index = 1; index < trail.length - 1; index++) {
    const before = trail[index - 1]?.position ?? 0
    const gap = ((trail[index + 1]?.position ?? end) - before) / (end - before)
    if (gap < least) [worst, least] = [index, gap]
  }
  return trail.filter((_, index) => index !== worst)
}

/** What the log has at the place of an event: its id when there is one. */
const idAt = (position: number): Effect.Effect<string | undefined, EventStoreError, EventStore | SystemContext> =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const page = yield* store.readAllTenants({ after: Position.make(position - 1), limit: 1 })
    const [event] = page.events
    return event?.position === position ? event.id : undefined
  })

type Diverged = Extract<ConsumerState, { readonly status: "diverged" }>

/** Where a segment goes on, or how its history is not the log's. */
export const verify = (
  segment: number,
  { epoch: saved, event, position, trail }: Checkpoint,
  log: { readonly epoch: string; readonly mark: Position.Position }
): Effect.Effect<Position.Position | Diverged, EventStoreError, EventStore | SystemContext> =>
  Effect.gen(function* () {
    const last = event ?? trail.at(-1)
    if (last !== undefined && last.id !== "") {
      const found = yield* idAt(last.position)
      if (found !== last.id) {
        return { status: "diverged", segment, expected: last, ...(found === undefined ? {} : { found }) }
      }
    }
    // In another epoch the log may have lost its end behind that event: what came in its place was never read.
    if (saved !== undefined && saved !== log.epoch) return Position.make(Math.min(position, last?.position ?? 0))
    if (position <= log.mark) return position
    return last === undefined || last.position <= log.mark
      ? Position.make(last?.position ?? 0)
      : { status: "diverged", segment, expected: last }
  })

/** The checkpoint at the last event that both histories have, as far as the trail remembers. */
export const lastCommon = ({
  event,
  trail
}: Checkpoint): Effect.Effect<Checkpoint, EventStoreError, EventStore | SystemContext> =>
  Effect.gen(function* () {
    const remembered = event === undefined ? trail : [...trail.filter((mark) => mark.position < event.position), event]
    for (let index = remembered.length - 1; index >= 0; index--) {
      const mark = remembered[index]
      if (mark === undefined) continue
      if (mark.id === "" || (yield* idAt(mark.position)) === mark.id) {
        const rest = remembered.slice(0, mark.id === "" ? index + 1 : index)
        return {
          position: Position.make(mark.position),
          event: mark.id === "" ? undefined : mark,
          trail: rest,
          epoch: undefined
        }
      }
    }
    return { position: Position.start, event: undefined, trail: [], epoch: undefined }
  })

/** A checkpoint that begins after a position, whatever stands there. */
export const from = (position: Position.Position): Checkpoint => ({
  position,
  event: undefined,
  trail: position === 0 ? [] : [{ position, id: "" }],
  epoch: undefined
})

/** The checkpoint that stands where it is, or at the end of the log if that is before. */
export const here = ({ position }: Checkpoint): Effect.Effect<Checkpoint, EventStoreError, EventStore> =>
  Effect.gen(function* () {
    const mark = yield* (yield* EventStore).mark
    return from(Position.make(Math.min(position, mark)))
  })
