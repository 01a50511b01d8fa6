/**
 * The open streams of a process: how many there may be, and how they end.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { TenantContext } from "../../ports/TenantContext.ts"
import { Draining, SseError, TooManyConnections } from "./SseError.ts"

/**
 * Admits streams of events and ends them.
 *
 * **Details**
 *
 * - `admit` takes a place until the scope closes, or fails with `TooManyConnections` or `Draining`.
 * - `drain` refuses what comes, and has each open stream tell its client to connect again in a while, and end. So does closing
 *   the layer.
 * - `draining` completes when that begins.
 * - `count` is how many are open.
 *
 * @category services
 * @since 0.1.0
 */
export class SseConnections extends Context.Service<
  SseConnections,
  {
    readonly admit: (principal?: string) => Effect.Effect<void, SseError, TenantContext | Scope.Scope>
    readonly drain: Effect.Effect<void>
    readonly draining: Effect.Effect<void>
    readonly count: Effect.Effect<number>
  }
>()("effect-cqrs/interfaces/sse/SseConnections") {}

/**
 * How many streams there may be at the same time. A principal is one of its tenant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Of the process; 10,000 when absent. */
  readonly total?: number | undefined
  /** Of one tenant; 1,000 when absent. */
  readonly perTenant?: number | undefined
  /** Of one principal; 10 when absent. */
  readonly perPrincipal?: number | undefined
}

const make = ({ perPrincipal = 10, perTenant = 1_000, total = 10_000 }: Limits = {}) =>
  Effect.gen(function* () {
    const open = new Map<string, number>()
    const ended = Deferred.makeUnsafe<void>()
    const drain = Effect.asVoid(Deferred.succeed(ended, undefined))
    yield* Effect.addFinalizer(() => drain)
    const add = (key: string, by: number) => {
      const count = (open.get(key) ?? 0) + by
      if (count === 0) open.delete(key)
      else open.set(key, count)
    }
    const take = (tenant: string, principal: string | undefined) =>
      Effect.suspend(() => {
        if (Deferred.isDoneUnsafe(ended)) return Effect.fail(new SseError({ reason: new Draining() }))
        const places = [
          { scope: "server", key: "", limit: total },
          { scope: "tenant", key: tenant, limit: perTenant },
          ...(principal === undefined
            ? []
            : [{ scope: "principal", key: JSON.stringify([tenant, principal]), limit: perPrincipal } as const])
        ] as const
        const full = places.find(({ key, limit }) => (open.get(key) ?? 0) >= limit)
        if (full !== undefined) {
          const { limit, scope } = full
          return Effect.fail(new SseError({ reason: new TooManyConnections({ scope, limit }) }))
        }
        for (const { key } of places) add(key, 1)
        return Effect.succeed(places)
      })
    return SseConnections.of({
      admit: (principal) =>
        Effect.flatMap(TenantContext, ({ id }) =>
          Effect.asVoid(
            Effect.acquireRelease(take(id, principal), (places) =>
              Effect.sync(() => {
                for (const { key } of places) add(key, -1)
              })
            )
          )
        ),
      drain,
      draining: Deferred.await(ended),
      count: Effect.sync(() => open.get("") ?? 0)
    })
  })

/**
 * The streams of this process, within limits. Provide it where the server is, so that it closes first.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (limits?: Limits): Layer.Layer<SseConnections> => Layer.effect(SseConnections, make(limits))
