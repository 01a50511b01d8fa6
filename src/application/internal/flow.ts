/** How those who call handlers of events and messages tell the recorder of flows, when there is one. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Envelope } from "../../domain/RecordedEvent.ts"
import * as FlowRecorder from "../../ports/FlowRecorder.ts"
import type { Entry } from "../../ports/FlowStoreDriver.ts"
import type { Claimed } from "../../ports/OutboxDriver.ts"
import { ProjectionTarget } from "../../ports/ProjectionTarget.ts"

export type Recorder = FlowRecorder.FlowRecorder["Service"]

/** What a recorder needs to know of an event. */
type Handled = Pick<Envelope, "id" | "tenant" | "metadata" | "recordedAt">

/** The recorder of the running fiber. What a rebuild does again has happened before, and is not recorded. */
export const recorderOf = (fiber: Fiber.Fiber<unknown, unknown>): Recorder | undefined =>
  fiber.getRef(ProjectionTarget) === undefined
    ? Context.getOrUndefined(fiber.context, FlowRecorder.FlowRecorder)
    : undefined

/** Records how a handler ends for each of these events, which it handles as one. */
export const handling = <A, E, R>(
  recorder: Recorder,
  handler: string,
  events: ReadonlyArray<Handled & { readonly attempt: number; readonly part?: string }>,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const at = clock.currentTimeMillisUnsafe()
    const recent = events.filter(({ recordedAt }) => at - recordedAt <= recorder.maxAgeMillis)
    if (recent.length === 0) return self
    return Effect.onExitPrimitive(self, (exit) => {
      const millis = clock.currentTimeMillisUnsafe() - at
      const told = recent.map(({ attempt: attempts, id, metadata: { correlationId }, part = "", tenant }) => {
        const step = { id: `${id}/${handler}${part}`, kind: "handler", name: handler, causationId: id, at } as const
        return [
          { tenant, correlationId, step },
          { millis, attempts }
        ] as const
      })
      return endAll(recorder, told, exit)
    })
  })

/** Records how the delivery of a message ends. */
export const delivering = <A, E, R>(claimed: Claimed, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const recorder = recorderOf(fiber)
    if (recorder === undefined) return self
    const clock = fiber.getRef(Clock.Clock)
    const begun = clock.currentTimeMillisUnsafe()
    return Effect.onExitPrimitive(self, (exit) => {
      const { attempts, id, metadata, queue, tenant, type } = claimed
      const { causationId, correlationId, occurredAt: at } = metadata
      const step = { id, kind: "message", name: type, causationId, at, place: queue } as const
      const millis = clock.currentTimeMillisUnsafe() - begun
      return FlowRecorder.ended(recorder, { tenant, correlationId, step }, exit, { millis, attempts: attempts + 1 })
    })
  })

type Timing = Parameters<typeof FlowRecorder.ended>[3]

/** One hook for all, however many events a handler has handled. */
const endAll = (
  recorder: Recorder,
  all: ReadonlyArray<readonly [Entry, Timing]>,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> | undefined => {
  const record = () => {
    for (const [{ step, ...flow }, timing] of all) {
      recorder.unsafeRecord({ ...flow, step: { ...step, outcome: FlowRecorder.outcomeOf(exit, timing) } })
    }
  }
  if (Exit.isSuccess(exit)) return recorder.afterCommit(Effect.sync(record))
  record()
  return undefined
}

/** Counts how often a handler was called for an event that it has not handled yet, as long as this process runs. */
export class Tries {
  private readonly failed = new Map<string, number>()

  /** Records a handler that is not told which attempt it is. */
  record<A, E, R>(
    recorder: Recorder,
    handler: string,
    events: ReadonlyArray<Handled>,
    self: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const tried = events.map((event) => ({ ...event, attempt: (this.failed.get(event.id) ?? 0) + 1 }))
      return Effect.onExitPrimitive(handling(recorder, handler, tried, self), (exit) => {
        this.note(tried, Exit.isSuccess(exit))
        return undefined
      })
    })
  }

  private note(tried: ReadonlyArray<{ readonly id: string; readonly attempt: number }>, hasSucceeded: boolean): void {
    // What never comes again, like the events of an append that was refused, is not counted for ever.
    if (this.failed.size > 10_000) this.failed.clear()
    if (!hasSucceeded) for (const { attempt, id } of tried) this.failed.set(id, attempt)
    else if (this.failed.size > 0) for (const { id } of tried) this.failed.delete(id)
  }
}
