/**
 * The clients that follow events live in a process: how many there may be, what they cost, and how they end.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { TenantContext } from "../ports/TenantContext.ts"
import * as Measures from "./internal/live/measures.ts"
import { Draining, LiveError, TooManyConnections } from "./LiveError.ts"

/**
 * What is called for one connection: `tick` about once a second with the time, which answers how many positions of the log
 * the client is behind; `drain` once, when the server begins to shut down. Both return at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pulse {
  readonly tick: (now: number) => number
  readonly drain: () => void
}

/**
 * A connection that was admitted. What it tells is measured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connection {
  /** So many events were given to the transport. */
  readonly sent: (events: number) => void
  /** The server gave the connection up, since the client takes nothing, is not there any more, or has had its time. */
  readonly closed: (why: "stalled" | "dead" | "expired") => void
  /** Has a connection looked after until what this returns is called. */
  readonly watch: (pulse: Pulse) => () => void
}

/**
 * Who connects, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Admission {
  readonly transport: "sse" | "websocket" | "rpc"
  /** Who connects, for the limit of connections per principal. */
  readonly principal?: string | undefined
}

/**
 * Admits clients and ends them.
 *
 * **Details**
 *
 * - `admit` takes a place until the scope closes, or fails with `TooManyConnections` or `Draining`.
 * - `drain` refuses what comes, and has each client told to connect again in a while. So does closing the layer.
 * - `draining` completes when that begins; `isDraining` says whether it has.
 * - `count` is how many are open.
 * - `stalled` and `lifetime` are those of {@link Options}, in milliseconds.
 *
 * The metrics are `effect_cqrs_live_connections` and `effect_cqrs_live_lag_positions` (of the client that is furthest behind), and the
 * counters `effect_cqrs_live_events_sent` and `effect_cqrs_live_closed` with the reason, all by transport.
 *
 * @category services
 * @since 0.1.0
 */
export class LiveConnections extends Context.Service<
  LiveConnections,
  {
    readonly admit: (admission: Admission) => Effect.Effect<Connection, LiveError, TenantContext | Scope.Scope>
    readonly drain: Effect.Effect<void>
    readonly draining: Effect.Effect<void>
    readonly isDraining: () => boolean
    readonly count: Effect.Effect<number>
    readonly stalled: number
    readonly lifetime: number
  }
>()("effect-cqrs/application/LiveConnections") {}

/**
 * How many connections there may be at the same time, and how long they may be of no use. A principal is one of its tenant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Of the process; 10,000 when absent. */
  readonly total?: number | undefined
  /** Of one tenant; 1,000 when absent. */
  readonly perTenant?: number | undefined
  /** Of one principal; 10 when absent. */
  readonly perPrincipal?: number | undefined
  /** For how long a client may take nothing of what it is sent before it is closed; 60 seconds when absent. */
  readonly stalled?: Duration.Input | undefined
  /** After how long a client is to connect again, and so to prove again who it is; an hour when absent. */
  readonly lifetime?: Duration.Input | undefined
}

const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const { perPrincipal = 10, perTenant = 1_000, total = 10_000 } = options
    const open = new Map<string, number>()
    const watched = { sse: new Set<Pulse>(), websocket: new Set<Pulse>(), rpc: new Set<Pulse>() }
    const measures = new Measures.Measures()
    const ended = Deferred.makeUnsafe<void>()

    const drain = Effect.suspend(() => {
      if (Deferred.isDoneUnsafe(ended)) return Effect.void
      for (const pulses of Object.values(watched)) for (const { drain } of pulses) drain()
      return Effect.asVoid(Deferred.succeed(ended, undefined))
    })

    const beat = Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      const now = yield* Clock.currentTimeMillis
      for (const transport of ["sse", "websocket", "rpc"] as const) {
        let lag = 0
        for (const { tick } of watched[transport]) lag = Math.max(lag, tick(now))
        measures.lag[transport] = lag
      }
      yield* measures.flush
    })
    yield* Effect.forkScoped(Effect.forever(beat))
    yield* Effect.addFinalizer(() => Effect.andThen(drain, measures.flush))

    const add = (key: string, by: number) => {
      const count = (open.get(key) ?? 0) + by
      if (count === 0) open.delete(key)
      else open.set(key, count)
    }
    const take = (tenant: string, { principal, transport }: Admission) =>
      Effect.suspend(() => {
        if (Deferred.isDoneUnsafe(ended)) return Effect.fail(new LiveError({ reason: new Draining() }))
        const places = [
          { scope: "server", key: "", limit: total },
          { scope: "tenant", key: JSON.stringify([tenant]), limit: perTenant },
          ...(principal === undefined
            ? []
            : [{ scope: "principal", key: JSON.stringify([tenant, principal]), limit: perPrincipal } as const])
        ] as const
        const full = places.find(({ key, limit }) => (open.get(key) ?? 0) >= limit)
        if (full !== undefined) {
          const { limit, scope } = full
          return Effect.fail(new LiveError({ reason: new TooManyConnections({ scope, limit }) }))
        }
        for (const { key } of places) add(key, 1)
        measures.open[transport]++
        return Effect.succeed(places)
      })

    const admit = (admission: Admission) =>
      Effect.gen(function* () {
        const { id } = yield* TenantContext
        const { transport } = admission
        yield* Effect.acquireRelease(take(id, admission), (places) =>
          Effect.sync(() => {
            for (const { key } of places) add(key, -1)
            measures.open[transport]--
          })
        )
        const pulses = watched[transport]
        const connection: Connection = {
          sent: (events) => void (measures.sent[transport] += events),
          closed: (why) => measures.closed(transport, why),
          watch: (pulse) => {
            pulses.add(pulse)
            return () => void pulses.delete(pulse)
          }
        }
        return connection
      })

    return LiveConnections.of({
      admit,
      drain,
      draining: Deferred.await(ended),
      isDraining: () => Deferred.isDoneUnsafe(ended),
      count: Effect.sync(() => open.get("") ?? 0),
      stalled: Duration.toMillis(options.stalled ?? "60 seconds"),
      lifetime: Duration.toMillis(options.lifetime ?? "1 hour")
    })
  })

/**
 * The connections of this process, within limits. Provide it where the server is, so that it closes first.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<LiveConnections> => Layer.effect(LiveConnections, make(options))
