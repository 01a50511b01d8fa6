/**
 * Events to subscribers, in the process and from one process to another.
 */
import { PgEventBus } from "effect-cqrs/postgres"
import { RedisConnection, RedisEventBus } from "effect-cqrs/redis"
import { Event, EventBus, TenantContext, UnitOfWork } from "effect-cqrs"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Contender, perSecond, type Suite } from "../harness.ts"
import { p99 } from "../latency.ts"
import * as Buses from "../peers/buses.ts"
import { hop, hops, type Open } from "../peers/hops.ts"
import * as Nest from "../peers/nest.ts"

export const needsDatabase = true
export const needsRedis = true

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { taskId: Schema.String, title: Schema.String }) {}

const created = () => new TaskCreated({ taskId: "t-1", title: "Write" })

let handled = 0

const published =
  (handlers: number): Contender =>
  () => {
    const runtime = ManagedRuntime.make(Layer.merge(EventBus.layerMemory, TenantContext.layerSingle))
    return perSecond((times) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const before = handled
          const bus = yield* EventBus.EventBus
          const history = yield* EventBus.EventBusHistory
          for (let n = 0; n < handlers; n++) {
            yield* bus.subscribe(EventBus.of(TaskCreated), () => Effect.sync(() => void handled++))
          }
          for (let n = 0; n < times; n++) yield* bus.publish([created()])
          yield* history.idle
          if (handled - before !== times * handlers) throw new Error(`${times} published, ${handled - before} handled`)
        }).pipe(Effect.scoped)
      )
    )
  }

/** A bus of its own at each end, as two processes have them. */
const over =
  (process: (url: string) => Layer.Layer<EventBus.EventBus, unknown>): Open =>
  async (url, heard) => {
    const [sender, listener] = [0, 1].map(() =>
      ManagedRuntime.make(Layer.merge(Layer.fresh(process(url)), TenantContext.layerSingle))
    )
    if (sender === undefined || listener === undefined) throw new Error("A bus has two ends")
    const listening = Effect.flatMap(EventBus.EventBus, (bus) =>
      Effect.andThen(
        bus.subscribe(EventBus.of(TaskCreated), () => Effect.sync(heard)),
        Effect.never
      )
    )
    listener.runFork(Effect.scoped(listening))
    const bus = await sender.runPromise(EventBus.EventBus)
    const other = await listener.runPromise(EventBus.EventBus)
    const link = () => sender.runPromise(bus.publish([created()]))
    // It is up before anybody listens, too.
    for (let n = 0; n < 50 || !other.isUp(); n++) await new Promise((resolve) => setTimeout(resolve, 10))
    return link
  }

const events = [TaskCreated]

const redis = over((url) =>
  RedisEventBus.layer({ events }).pipe(
    Layer.provide(RedisConnection.layer({ target: { url: Redacted.make(url) } })),
    Layer.provide(UnitOfWork.layerMemory)
  )
)

const postgres = over((url) =>
  PgEventBus.layer({ events }).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))
)

const suite: Suite = [
  {
    name: "publish to one handler",
    unit: "/s",
    target: { value: 1_000_000 },
    ours: published(1),
    peers: { "@nestjs/cqrs": Nest.published },
    beside: { EventEmitter: Buses.emitted(1) }
  },
  {
    name: "publish to twenty handlers",
    unit: "/s",
    ours: published(20),
    peers: { "@nestjs/cqrs": Nest.publishedTo(20) },
    beside: { EventEmitter: Buses.emitted(20) }
  },
  {
    name: "from one process to another by Redis",
    unit: "ms",
    less: true,
    target: { value: 1 },
    also: { [p99]: { unit: "ms", less: true } },
    ours: hop("redis", redis),
    peers: { ioredis: Buses.redisHop }
  },
  {
    name: "from one process to another by Redis, 100 at once",
    unit: "/s",
    ours: hops("redis", redis),
    peers: { ioredis: Buses.redisHops }
  },
  {
    name: "from one process to another by NOTIFY",
    unit: "ms",
    less: true,
    also: { [p99]: { unit: "ms", less: true } },
    ours: hop("database", postgres),
    peers: { pg: Buses.postgresHop }
  },
  {
    name: "from one process to another by NOTIFY, 100 at once",
    unit: "/s",
    ours: hops("database", postgres),
    peers: { pg: Buses.postgresHops }
  }
]

export default suite
