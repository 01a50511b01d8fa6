/**
 * Leases in Redis: to save work, not to protect what must have one writer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { part } from "../../domain/QueryKey.ts"
import { BestEffortLease } from "../../ports/Lease.ts"
import type { Acquired, BestEffortDriver, Standing } from "../../ports/LeaseDriver.ts"
import { LeaseError } from "../../ports/LeaseError.ts"
import { type Ask, asking } from "./internal/asking.ts"
import { script } from "./internal/scripting.ts"
import type { RedisConnection } from "./RedisConnection.ts"

/**
 * Leases that run out by themselves, with tokens from a counter beside each.
 *
 * **Details**
 *
 * It is a `BestEffortLease` and no `Lease`. A failover can forget that somebody has one, and the last tokens; a server that is
 * emptied begins at 1. So two holders with equal tokens are possible, and no resource could tell them apart. What must have one
 * writer takes a `Lease` from PostgreSQL.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: {
  /** What all keys begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
}): Layer.Layer<BestEffortLease, never, RedisConnection | Redis.Redis> =>
  Layer.effect(
    BestEffortLease,
    Effect.gen(function* () {
      const asked = yield* asking("Lease")
      const prefix = options?.prefix ?? "effect-cqrs"
      const keysOf = (tenant: string, name: string) => {
        const key = `${prefix}:{${part(tenant)}}:lease:${part(name)}`
        return [`${key}:holder`, `${key}:token`]
      }
      const ask: Ask<LeaseError> = (operation, of, keys, args, decode) =>
        Effect.mapError(asked(operation, of, keys, args, decode), (reason) => new LeaseError({ reason }))
      const driver: BestEffortDriver = {
        acquire: (tenant, name, holder, millis) =>
          Effect.map(
            ask("acquire", acquire, keysOf(tenant, name), [holder, whole(millis)], decodeAcquired),
            (reply): Acquired =>
              reply[0] === "granted" ? { _tag: "Granted", token: reply[1] } : { _tag: "Held", ...standingOf(reply) }
          ),
        renew: (tenant, name, token, millis) =>
          ask("renew", renew, keysOf(tenant, name), [`${token}|`, whole(millis)], decodeBoolean),
        release: (tenant, name, token) =>
          ask("release", renew, keysOf(tenant, name), [`${token}|`, "0"], decodeBoolean),
        standing: (tenant, name) =>
          Effect.map(ask("standing", standing, keysOf(tenant, name), [], decodeStanding), (reply) =>
            reply === null ? undefined : standingOf(reply)
          )
      }
      return driver
    })
  )

const whole = (millis: number) => String(Math.max(1, Math.ceil(millis)))

const standingOf = (reply: typeof Held.Type): Standing => ({
  holder: reply[1],
  token: reply[2],
  remaining: Math.max(0, reply[3])
})

const Held = Schema.Tuple([Schema.Literal("held"), Schema.String, Schema.NumberFromString, Schema.Number])
const decodeAcquired = Schema.decodeUnknownResult(
  Schema.Union([Schema.Tuple([Schema.Literal("granted"), Schema.Number]), Held])
)
const decodeStanding = Schema.decodeUnknownResult(Schema.NullOr(Held))
const decodeNumber = Schema.decodeUnknownResult(Schema.Number)
const decodeBoolean = (reply: unknown) => Result.map(decodeNumber(reply), (number) => number === 1)

const held = `
local held = redis.call('GET', KEYS[1])
if held then
  local at = string.find(held, '|', 1, true)
  return { 'held', string.sub(held, at + 1), string.sub(held, 1, at - 1), redis.call('PTTL', KEYS[1]) }
end
`

const acquire = script(`${held}
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token .. '|' .. ARGV[1], 'PX', ARGV[2])
return { 'granted', token }
`)

const standing = script(`${held}
return nil
`)

const renew = script(`
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`)
