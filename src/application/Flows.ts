/**
 * Flows as they were recorded: from a correlation id to the tree of what it set in motion.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Flow from "../domain/Flow.ts"
import * as Position from "../domain/Position.ts"
import { EventStore } from "../ports/EventStore.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import { FlowStore } from "../ports/FlowStore.ts"
import type { FlowStoreError } from "../ports/FlowStoreError.ts"
import type { TenantContext } from "../ports/TenantContext.ts"

/**
 * What is known of a flow. `steps` are those in the tree, in the order of time; `truncated` says that there are more than were
 * asked for, and that the tree lacks them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Found {
  readonly flow: Flow.Flow
  readonly steps: ReadonlyArray<Flow.Step>
  readonly truncated: boolean
}

/**
 * How much of a flow to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** At most so many steps; 10,000 when absent. */
  readonly limit?: number | undefined
}

/**
 * The flow of a correlation id, of the tenant that asks: the commands, queries, events, handlers and messages that were
 * recorded.
 *
 * **Details**
 *
 * It reads by the key of what was recorded, and never the log. A flow that nothing is known of has no roots.
 *
 * **Example** (What a command has caused)
 *
 * ```ts
 * import { Flow, Flows, FlowStore, TenantContext, TenantId } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* FlowStore.FlowStore
 *   const flow = { tenant: TenantId.make("default"), correlationId: "r-1" }
 *   yield* store.record([
 *     { ...flow, step: { id: "c", kind: "command", name: "Create", at: 1 } },
 *     { ...flow, step: { id: "e", kind: "event", name: "Created", causationId: "c", at: 2 } }
 *   ])
 *   const found = yield* Flows.of("r-1")
 *   return Flow.toText(found.flow).split("\n")
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([FlowStore.layerMemory, TenantContext.layerSingle])))
 * // => ["flow r-1", "└─ command Create", "   └─ event Created"]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const of = (
  correlationId: string,
  options?: Options
): Effect.Effect<Found, FlowStoreError, FlowStore | TenantContext> =>
  Effect.map(recorded(correlationId, limitOf(options)), ({ steps, truncated }) =>
    toFound(correlationId, steps, truncated)
  )

/**
 * The same with the events of the log that carry the correlation id, for what was appended while nobody recorded.
 *
 * **Gotchas**
 *
 * The log has no index for this: all of the tenant's events after the position are read. Give one that is shortly before the
 * flow.
 *
 * @category reading
 * @since 0.1.0
 */
export const withLog = (
  correlationId: string,
  options?: Options & { readonly after?: Position.Position | undefined }
): Effect.Effect<Found, FlowStoreError | EventStoreError, FlowStore | EventStore | TenantContext> =>
  Effect.gen(function* () {
    const limit = limitOf(options)
    const known = yield* recorded(correlationId, limit)
    const store = yield* EventStore
    const steps = new Map(known.steps.map((step) => [step.id, step]))
    let after = options?.after ?? Position.start
    while (true) {
      const { cursor, events, mark } = yield* store.readAll({ after, limit: 1000 })
      for (const stored of events) {
        if (stored.metadata.correlationId !== correlationId || steps.has(stored.id)) continue
        if (steps.size >= limit) return toFound(correlationId, [...steps.values()], true)
        steps.set(stored.id, Flow.ofEvent(stored))
      }
      if (cursor >= mark || cursor === after) break
      after = cursor
    }
    return toFound(correlationId, [...steps.values()], known.truncated)
  })

const limitOf = (options: Options | undefined): number => Math.max(1, Math.floor(options?.limit ?? 10_000)) || 1

const recorded = (correlationId: string, limit: number) =>
  Effect.gen(function* () {
    const store = yield* FlowStore
    const all: Array<Flow.Step> = []
    while (true) {
      const { steps, truncated } = yield* store.read(correlationId, {
        after: all.at(-1)?.id,
        limit: Math.min(1000, limit - all.length)
      })
      all.push(...steps)
      if (!truncated || all.length >= limit || steps.length === 0) return { steps: all, truncated }
    }
  })

const toFound = (correlationId: string, steps: ReadonlyArray<Flow.Step>, truncated: boolean): Found => ({
  flow: Flow.make(correlationId, steps),
  steps: steps.toSorted((a, b) => a.at - b.at),
  truncated
})
