/**
 * Our own cache: by itself, and around a query.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Caching, Middleware, on, Position, Query, QueryBus, QueryCache } from "effect-cqrs"
import { ReadModelStore, TenantContext, TenantId } from "effect-cqrs"
import type { Slot } from "effect-cqrs/QueryCacheDriver"
import { RedisConnection, RedisQueryCache } from "effect-cqrs/redis"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import { type Contender, perSecond, type Round } from "../../harness.ts"
import * as Caches from "../../peers/caches.ts"
import * as Task from "../../task.ts"
import { inFlight } from "../store/ours.ts"

const Answer = Schema.Struct({ taskId: Schema.String, title: Schema.String, done: Schema.Boolean })

class FindTask extends Query.Class<FindTask>()("FindTask", {
  payload: { taskId: Schema.String },
  success: Answer
}) {}

const ttl = 300_000
const ids = Array.from({ length: Task.answers }, (_, n) => `t-${n}`)
const idOf = (n: number): string => ids[n % Task.answers] ?? ""

type Handling = Layer.Layer<QueryBus.Handler<"FindTask">, unknown>

const kept = Middleware.use(
  Caching.cached(FindTask, { ttl, grace: ttl, tags: ({ taskId }) => Task.tagsOf(taskId).slice(1) })
)

const trivial = on(FindTask, ({ taskId }) => Effect.succeed({ taskId, title: "Write", done: true }))

const Tasks = ReadModelStore.collection("tasks", Answer)
const reading = on(FindTask, ({ taskId }) => Effect.flatMap(Tasks.get(taskId), Effect.fromOption).pipe(Effect.orDie))
const Documents = Layer.effectDiscard(
  Effect.forEach(ids, (id, n) => Tasks.set(id, Task.answer(n))).pipe(Effect.provide(TenantContext.layerSingle))
).pipe(Layer.provideMerge(ReadModelStore.layerMemory))

const selecting = on(FindTask, ({ taskId }) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const found = yield* sql<typeof Answer.Type>`select task_id as "taskId", title, done from task
      where task_id = ${taskId}`
    return yield* Effect.fromNullishOr(found[0])
  }).pipe(Effect.orDie)
)
const rows = (database: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table task (task_id text primary key, title text not null, done boolean not null)`
      yield* sql`insert into task select 't-' || n, 'Write', n % 2 = 0 from generate_series(0, 99999) n`
      yield* sql`analyze task`
    })
  ).pipe(Layer.provideMerge(PgClient.layer({ url: Redacted.make(database), maxConnections: Task.connections })))

const shared = (redis: string, prefix: string, entries: number) =>
  RedisQueryCache.layer({ prefix, entries }).pipe(
    Layer.provide(RedisConnection.layer({ target: { url: Redacted.make(redis) } }))
  )

interface How {
  readonly clients?: number
  /** Whether one query is asked again and again; otherwise each is made by its class, its arguments checked. */
  readonly again?: boolean
}

/** Asks by so many at once, of all that there is in turn. All of it was asked before. */
const asking = async (Live: Handling, { again = false, clients = 1 }: How = {}): Promise<Round> => {
  const runtime = ManagedRuntime.make(Layer.merge(Live, TenantContext.layerSingle))
  const made = ids.map((taskId) => new FindTask({ taskId }))
  const ask = (n: number) =>
    QueryBus.ask((again ? made[n % made.length] : undefined) ?? new FindTask({ taskId: idOf(n) }))
  await runtime.runPromise(Effect.forEach(ids, (_, n) => ask(n), { concurrency: 32, discard: true }))
  let n = 0
  return perSecond(inFlight(runtime.runPromise, clients, () => () => ask(n++)))
}

/** Not kept at all. */
export const bare = {
  trivial:
    (how?: How): Contender =>
    () =>
      asking(QueryBus.handlers(trivial), how),
  document:
    (how?: How): Contender =>
    () =>
      asking(QueryBus.handlers(reading).pipe(Layer.provide(Documents)), how),
  row:
    (how?: How): Contender =>
    ({ database }) =>
      asking(QueryBus.handlers(selecting).pipe(Layer.provide(rows(database))), how)
}

/** Kept in the process. */
export const cached = {
  trivial:
    (how?: How): Contender =>
    () =>
      asking(QueryBus.handlers(trivial.pipe(kept)).pipe(Layer.provide(QueryCache.layerMemory)), how),
  document:
    (how?: How): Contender =>
    () =>
      asking(QueryBus.handlers(reading.pipe(kept)).pipe(Layer.provide([QueryCache.layerMemory, Documents])), how),
  row:
    (how?: How): Contender =>
    ({ database }) =>
      asking(QueryBus.handlers(selecting.pipe(kept)).pipe(Layer.provide([QueryCache.layerMemory, rows(database)])), how)
}

/** Kept in Redis, and one answer in the process: it does not go without. */
export const cachedInRedis = {
  trivial:
    (how?: How): Contender =>
    ({ redis }) =>
      asking(QueryBus.handlers(trivial.pipe(kept)).pipe(Layer.provide(shared(redis, randomUUID(), 1))), how),
  row:
    (how?: How): Contender =>
    ({ database, redis }) =>
      asking(
        QueryBus.handlers(selecting.pipe(kept)).pipe(Layer.provide([shared(redis, randomUUID(), 1), rows(database)])),
        how
      )
}

/** What the middleware asks of the cache, and nothing else. */
export const cache: Contender = async () => {
  const runtime = ManagedRuntime.make(QueryCache.layerMemory)
  const driver = await runtime.runPromise(QueryCache.QueryCache)
  const slots = ids.map(
    (taskId): Slot => ({
      tenant: TenantId.make("default"),
      key: `FindTask:taskId=${JSON.stringify(taskId)}`,
      tags: QueryCache.tagsOf(Task.tagsOf(taskId)),
      source: undefined,
      decode: () => undefined
    })
  )
  const fill = Effect.fnUntraced(function* (slot: Slot, n: number) {
    const looked = yield* driver.look(slot, { after: Position.start, lease: 1000 })
    if (looked._tag !== "Vacant") return
    const outcome = Exit.succeed(Task.answer(n))
    const text = JSON.stringify(Task.answer(n))
    yield* driver.fill(slot, looked.ticket, { outcome, text, ttl, grace: ttl, cost: 0, position: Position.start })
  })
  await runtime.runPromise(Effect.forEach(slots, fill, { discard: true }))
  let n = 0
  return perSecond(async (times) => {
    for (let left = times; left > 0; left--) {
      const slot = slots[n++ % slots.length]
      if (slot === undefined || driver.peek(slot, Position.start, Date.now()) === undefined) {
        throw new Error("It was not kept")
      }
    }
  })
}

class Missed extends Query.Class<Missed>()("Missed", { payload: { taskId: Schema.String }, success: Answer }) {}

/** Two nodes of one process: each with its own connections, memory and handlers. */
export const missed: Contender = async ({ redis }) => {
  const prefix = randomUUID()
  let work: () => Promise<Task.Answer> = () => Promise.reject(new Error("Nothing is asked"))
  const node = async (): Promise<Caches.Node> => {
    const handler = on(Missed, () => Effect.promise(() => work())).pipe(
      Middleware.use(Caching.cached(Missed, { ttl, grace: ttl, tags: ({ taskId }) => Task.tagsOf(taskId).slice(1) }))
    )
    const Live = QueryBus.handlers(handler).pipe(Layer.provide(shared(redis, prefix, Task.answers)))
    const runtime = ManagedRuntime.make(Layer.merge(Live, TenantContext.layerSingle))
    await runtime.runPromise(Effect.void)
    return (taskId, worker) => {
      work = worker
      return runtime.runPromise(QueryBus.ask(new Missed({ taskId })))
    }
  }
  return Caches.stampede([await node(), await node()])
}
