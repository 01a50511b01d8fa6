/** Channels of several processes on one Redis. */
import * as Layer from "effect/Layer"
import * as RedisEventBus from "../../src/adapters/redis/RedisEventBus.ts"
import type * as RedisStreamBus from "../../src/adapters/redis/RedisStreamBus.ts"
import * as LiveHub from "../../src/application/LiveHub.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as UnitOfWork from "../../src/ports/UnitOfWork.ts"
import { connection } from "../adapters/redis/connection.ts"

/** The channels of one process, among those on the same bus. */
export const hub = (
  url: string,
  prefix: string,
  heartbeat: number,
  bus: typeof RedisEventBus.layer | typeof RedisStreamBus.layer = RedisEventBus.layer
) =>
  Layer.fresh(LiveHub.layerBus({ heartbeat })).pipe(
    Layer.provide(Layer.fresh(bus({ events: [LiveHub.Signal], prefix }))),
    Layer.provide([SystemContext.layer("channels of all tenants"), UnitOfWork.layerMemory]),
    Layer.provide(Layer.fresh(connection(url)))
  )
