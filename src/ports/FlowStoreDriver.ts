/**
 * What a store of flows keeps, and what an adapter of one implements.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Step } from "../domain/Flow.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { FlowStoreError } from "./FlowStoreError.ts"

/**
 * A step of a flow, and whose flow it is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly tenant: TenantId
  readonly correlationId: string
  readonly step: Step
}

/**
 * Which steps of a flow to read, in the order of their ids.
 *
 * @category models
 * @since 0.1.0
 */
export interface Read {
  /** Only those whose id comes after this one. */
  readonly after?: string | undefined
  /** At most so many, 1,000 when absent, and never more than 10,000. */
  readonly limit?: number | undefined
}

/**
 * Steps of a flow, and whether there are more after the last of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page {
  readonly steps: ReadonlyArray<Step>
  readonly truncated: boolean
}

/**
 * What an adapter implements; the promises are those of `FlowStore`.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver {
  /** Each is checked, and no two are the same step of one flow. */
  readonly record: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, FlowStoreError>
  /** The first steps after an id (all when it is empty) in the order of the ids' code points, at most `limit`. */
  readonly read: (
    tenant: TenantId,
    correlationId: string,
    options: { readonly after: string; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<Step>, FlowStoreError>
  readonly purge: (olderThan: Duration.Duration) => Effect.Effect<void, FlowStoreError>
}
