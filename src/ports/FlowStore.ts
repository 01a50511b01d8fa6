/**
 * The steps of flows: which commands, events and handlers one request has set in motion.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as FieldIssue from "../domain/FieldIssue.ts"
import * as Flow from "../domain/Flow.ts"
import type { Driver, Entry, Page, Read } from "./FlowStoreDriver.ts"
import { FlowStoreError, InvalidStep } from "./FlowStoreError.ts"
import { correlationIssue, issuesOf } from "./internal/flowIssues.ts"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryFlowStore.ts"
import { tenantIssue, textIssue } from "./internal/text.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * The steps of flows by tenant and correlation id.
 *
 * **Details**
 *
 * - `record` keeps steps, each in the flow it names, all or none. A step of a flow is kept once: given again, the one that
 *   `Flow.supersedes` the other stays, whichever comes first.
 * - `read` gives the steps of one flow of the tenant, page by page in the order of their ids: `truncated` says that there are
 *   more, and `after` the last id is where they are.
 * - `purge` forgets what was recorded that long ago, whole days of it: some is kept for a day longer.
 *
 * Inside a unit of work all is kept or undone with the rest.
 *
 * **Example** (Recorded and read)
 *
 * ```ts
 * import { Flow, FlowStore, TenantContext, TenantId } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const flows = yield* FlowStore.FlowStore
 *   const flow = { tenant: TenantId.make("default"), correlationId: "r-1" }
 *   yield* flows.record([{ ...flow, step: { id: "c", kind: "command", name: "CreateTask", at: 1 } }])
 *   const { steps, truncated } = yield* flows.read("r-1")
 *   return [Flow.toText(Flow.make("r-1", steps)), truncated]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([FlowStore.layerMemory, TenantContext.layerSingle])))
 * // => ["flow r-1\n└─ command CreateTask", false]
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class FlowStore extends Context.Service<
  FlowStore,
  {
    readonly record: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, FlowStoreError>
    readonly read: (correlationId: string, options?: Read) => Effect.Effect<Page, FlowStoreError, TenantContext>
    readonly purge: (olderThan: Duration.Duration) => Effect.Effect<void, FlowStoreError>
  }
>()("effect-cqrs/ports/FlowStore") {}

/**
 * What is wrong with a step that no storage can keep; nothing as a rule.
 *
 * @category checking
 * @since 0.1.0
 */
export const issues = (entry: Entry): ReadonlyArray<FieldIssue.FieldIssue> => issuesOf(entry)

/**
 * The store over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): FlowStore["Service"] => ({
  record: (entries) =>
    Effect.suspend(() => {
      const last = new Map<string, Entry>()
      for (const entry of entries) {
        const wrong = issues(entry)
        if (wrong.length > 0) {
          return Effect.fail(new FlowStoreError({ reason: new InvalidStep({ id: entry.step.id, issues: wrong }) }))
        }
        const key = `${entry.tenant}\0${entry.correlationId}\0${entry.step.id}`
        const before = last.get(key)
        if (before === undefined || Flow.supersedes(entry.step, before.step)) last.set(key, entry)
      }
      return last.size === 0 ? Effect.void : driver.record(Array.from(last.values()))
    }),
  read: (correlationId, options) =>
    Effect.flatMap(TenantContext, ({ id: tenant }) => {
      const limit = Math.min(Math.max(Math.floor(options?.limit ?? 1000), 1), 10_000) || 1
      const after = options?.after ?? ""
      // What can never have been recorded is not asked for.
      if (
        tenantIssue(tenant) !== undefined ||
        correlationIssue(correlationId) !== undefined ||
        textIssue("after", after) !== undefined
      ) {
        return Effect.succeed({ steps: [], truncated: false })
      }
      return Effect.map(driver.read(tenant, correlationId, { after, limit: limit + 1 }), (steps) => ({
        steps: steps.length > limit ? steps.slice(0, limit) : steps,
        truncated: steps.length > limit
      }))
    }),
  purge: driver.purge
})

/**
 * A store of flows in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<FlowStore> = Layer.effect(
  FlowStore,
  Effect.map(Journal.MemoryJournal, (journal) => make(makeMemory(journal)))
).pipe(Layer.provide(Journal.layer))
