import * as Layer from "effect/Layer"
import * as RedisLease from "../../../src/adapters/redis/RedisLease.ts"
import * as LeaseLaws from "../../../src/testing/LeaseLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { connection, sharedUrl, withRedis } from "./support.ts"

withRedis("leases in Redis", () => {
  checkLaws(
    "RedisLease.layer",
    { BestEffortLease: LeaseLaws.bestEffort },
    RedisLease.layer().pipe(Layer.provide(connection(sharedUrl()))),
    { sessions: Number.POSITIVE_INFINITY }
  )
})
