/**
 * Our store on a new database, and programs that run on it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Event, TenantContext } from "effect-cqrs"
import { PgEventStore, PgHighWater, PgMigrations, PgNotifier, Postgres } from "effect-cqrs/postgres"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import type { Work } from "../../harness.ts"
import * as Task from "../../task.ts"

export class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", Task.fields) {}

export const created = (taskId: string): TaskCreated => new TaskCreated({ taskId, title: "Write" })

export type Provided = Postgres.Services | TenantContext.TenantContext

/** All that a program gets from one process's layers. */
export const start = (database: string) =>
  ManagedRuntime.make(
    Layer.merge(
      Postgres.layerUrl(Redacted.make(database), { maxConnections: Task.connections }),
      TenantContext.layerSingle
    )
  )

/** The store alone, of which nobody moves the mark. */
export const startWithoutAgent = (database: string) => {
  const agent = Layer.succeed(PgHighWater.PgHighWater, { nudge: () => {}, state: Effect.never })
  const client = PgClient.layer({ url: Redacted.make(database), maxConnections: Task.connections })
  const store = PgEventStore.layerStore.pipe(
    Layer.provide([agent, PgNotifier.layerLocal]),
    Layer.provide(PgMigrations.layer),
    Layer.provide(client)
  )
  return ManagedRuntime.make(Layer.merge(store, TenantContext.layerSingle))
}

export type Program<R = Provided> = Effect.Effect<unknown, unknown, R>

/** Work by so many fibers of one program, each of which goes on as soon as it is done. */
export const inFlight = <R>(
  run: (program: Program<R>) => Promise<unknown>,
  workers: number,
  make: (worker: number) => () => Program<R>
): Work => {
  const all = Array.from({ length: workers }, (_, worker) => make(worker))
  return (times) => {
    let left = times
    const goOn = (once: () => Program<R>) => Effect.whileLoop({ while: () => left-- > 0, body: once, step: () => {} })
    return run(Effect.forEach(all, goOn, { concurrency: "unbounded", discard: true }))
  }
}
