/**
 * Who is told of the steps of flows: a writer in the background that nobody waits for.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import type * as Flow from "../domain/Flow.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { PreparedAppend } from "./EventStoreDriver.ts"
import { FlowStore } from "./FlowStore.ts"
import type { Entry } from "./FlowStoreDriver.ts"
import { Writer } from "./internal/flowWriter.ts"
import type { AppendReceipt } from "./Receipt.ts"
import { UnitOfWork } from "./UnitOfWork.ts"

/**
 * What became of the steps that a recorder was told of, since it began.
 *
 * **Details**
 *
 * - `recorded`: they are in the store.
 * - `waiting`: they are in the queue.
 * - `dropped`: the queue was full, or the program ended before they could be written.
 * - `refused`: no storage can keep them as they are.
 * - `lost`: the store failed in a way that does not pass.
 * - `failures`: how often a write failed, those included that succeeded when they were tried again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly recorded: number
  readonly waiting: number
  readonly dropped: number
  readonly refused: number
  readonly lost: number
  readonly failures: number
}

/**
 * The recorder of a program.
 *
 * **Details**
 *
 * - `unsafeRecord` takes a step at once. It never waits and never fails: what finds the queue full is dropped and counted.
 * - `afterCommit` runs an effect after the commit of the unit of work that is open, or at once: what is undone has not
 *   happened.
 * - `maxAgeMillis`: handlers of events that were recorded longer ago are no part of a request any more.
 * - `flush` waits until all that was taken before is written, or is known to be lost.
 *
 * Event stores, consumers, projections, subscriptions and relays tell the recorder that is in their context, when there is one;
 * buses do so by `FlowRecording.middleware`.
 *
 * @category services
 * @since 0.1.0
 */
export class FlowRecorder extends Context.Service<
  FlowRecorder,
  {
    readonly unsafeRecord: (entry: Entry) => void
    readonly afterCommit: (hook: Effect.Effect<void>) => Effect.Effect<void>
    readonly maxAgeMillis: number
    readonly flush: Effect.Effect<void>
    readonly counts: Effect.Effect<Counts>
  }
>()("effect-cqrs/ports/FlowRecorder") {}

/**
 * How a recorder works.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many steps may wait to be written; 10,000 when absent. */
  readonly capacity?: number | undefined
  /** How many steps are written at once; 500 when absent. */
  readonly batchSize?: number | undefined
  /** How long a step waits for others to be written with it; 100 ms when absent. */
  readonly linger?: Duration.Input | undefined
  /** How long the program's end waits for what is not written yet; 5 seconds when absent. */
  readonly drain?: Duration.Input | undefined
  /** How long steps are kept; 30 days when absent. */
  readonly keepFor?: Duration.Input | undefined
  /** The handlers of an event that was recorded longer ago are not recorded; 1 day when absent. */
  readonly maxAge?: Duration.Input | undefined
  /** Whether to log a line for each step as well, with its ids as annotations; `false` when absent. */
  readonly log?: boolean | undefined
}

/**
 * Records steps in the `FlowStore` by a writer in the background, and forgets old ones hourly.
 *
 * **Details**
 *
 * What waits is written in batches, by one statement each. A store that does not answer is tried again with pauses up to 2
 * seconds; every failure is logged. Meanwhile the queue fills, and what finds it full is dropped: `counts` and the metrics
 * `effect_cqrs_flow_recorded`, `_dropped` (by reason) and `_waiting` say so, and the log as well. When the program ends, what
 * waits is written first.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<FlowRecorder, never, FlowStore | UnitOfWork> =>
  Layer.effect(
    FlowRecorder,
    Effect.gen(function* () {
      const store = yield* FlowStore
      const { afterCommit } = yield* UnitOfWork
      const writer = new Writer(store.record, {
        capacity: Math.max(1, options?.capacity ?? 10_000),
        batchSize: Math.max(1, options?.batchSize ?? 500),
        linger: Duration.fromInputUnsafe(options?.linger ?? "100 millis"),
        drain: Duration.fromInputUnsafe(options?.drain ?? "5 seconds"),
        log: options?.log ?? false
      })
      yield* writer.start()
      yield* store.purge(Duration.fromInputUnsafe(options?.keepFor ?? "30 days")).pipe(
        Effect.catch((error) => Effect.logWarning("Old flows were not forgotten; the next time is in an hour", error)),
        Effect.repeat(Schedule.spaced("1 hour")),
        Effect.forkScoped
      )
      return {
        unsafeRecord: (entry) => writer.take(entry),
        afterCommit,
        maxAgeMillis: Duration.toMillis(Duration.fromInputUnsafe(options?.maxAge ?? "1 day")),
        flush: writer.flush(),
        counts: Effect.sync(() => writer.counts())
      }
    })
  )

/**
 * Records a step with how it ended: a success after the commit of the unit of work that is open, anything else at once.
 *
 * @category recording
 * @since 0.1.0
 */
export const ended = (
  recorder: FlowRecorder["Service"],
  entry: Entry,
  exit: Exit.Exit<unknown, unknown>,
  timing: { readonly millis: number; readonly attempts: number }
): Effect.Effect<void> | undefined => {
  const outcome = outcomeOf(exit, timing)
  const whole = { ...entry, step: { ...entry.step, outcome } }
  if (outcome._tag === "Succeeded") return recorder.afterCommit(Effect.sync(() => recorder.unsafeRecord(whole)))
  recorder.unsafeRecord(whole)
  return undefined
}

/**
 * How handling ended, without what it was about: of an error only its tag is told.
 *
 * @category conversions
 * @since 0.1.0
 */
export const outcomeOf = (
  exit: Exit.Exit<unknown, unknown>,
  { attempts, millis }: { readonly millis: number; readonly attempts: number }
): Flow.Outcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Succeeded", millis, attempts }
  const { cause } = exit
  const died = cause.reasons.find(Cause.isDieReason)
  if (died !== undefined) return { _tag: "Failed", error: nameOf(died.defect), millis, attempts }
  const failed = cause.reasons.find(Cause.isFailReason)
  return failed === undefined
    ? { _tag: "Failed", error: "Interrupted", millis, attempts }
    : { _tag: "Refused", error: nameOf(failed.error), millis, attempts }
}

// The ports' errors say what happened in their reason. What has no tag may hold what nobody should read.
const nameOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "reason")) {
    const tag = tagOf(error.reason)
    if (tag !== undefined) return tag
  }
  const name = tagOf(error) ?? (error instanceof Error ? error.name : undefined) ?? typeof error
  return name.slice(0, 200).toWellFormed().replaceAll("\0", "")
}

const tagOf = (value: unknown): string | undefined =>
  Predicate.hasProperty(value, "_tag") && typeof value._tag === "string" ? value._tag : undefined

/**
 * Records the events of appends, after the commit of the unit of work that is open: for event stores.
 *
 * @category recording
 * @since 0.1.0
 */
export const appended = (
  recorder: FlowRecorder["Service"],
  tenant: TenantId,
  appends: ReadonlyArray<Pick<PreparedAppend, "stream" | "events">>,
  receipts: ReadonlyArray<AppendReceipt>
): Effect.Effect<void> =>
  recorder.afterCommit(
    Effect.sync(() => {
      for (const [index, { events, stream }] of appends.entries()) {
        const receipt = receipts[index]
        // What was written before has the ids that it had then.
        if (receipt === undefined || receipt.repeated === true) continue
        const before = receipt.version - events.length
        for (const [offset, { id, metadata, type }] of events.entries()) {
          const { causationId, correlationId, occurredAt: at } = metadata
          const place = `${stream}@${before + offset + 1}`
          recorder.unsafeRecord({
            tenant,
            correlationId,
            step: { id, kind: "event", name: type, causationId, at, place }
          })
        }
      }
    })
  )
