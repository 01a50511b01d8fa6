/**
 * An inbox in Redis, of consumers whose effects are in no transaction with it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redis from "effect/persistence/Redis"
import * as Schema from "effect/Schema"
import * as Position from "../../domain/Position.ts"
import { part } from "../../domain/QueryKey.ts"
import { ClaimingInbox } from "../../ports/Inbox.ts"
import type { Claimed, ClaimingDriver, Place } from "../../ports/InboxDriver.ts"
import { InboxError } from "../../ports/InboxError.ts"
import { type Ask, asking } from "./internal/asking.ts"
import { script } from "./internal/scripting.ts"
import type { RedisConnection } from "./RedisConnection.ts"

/**
 * Messages in a hash each: who has it, until when by the server's clock, and whether it was handled.
 *
 * **Details**
 *
 * - It is a `ClaimingInbox` and no `Inbox`: Redis cannot note a message in the transaction of a handler. Use `Inbox.onceClaimed`.
 * - Ids run out by themselves, `keep` after they were confirmed. A segment of a log is one hash, however many its messages,
 *   and stays.
 * - Without Redis no handler runs: the failure is a `StorageFailure`, and the message comes again.
 *
 * **Gotchas**
 *
 * A failover forgets the last claims and confirmations, and a server that was emptied all of them: messages that come again then are
 * handled again. Keep ids for longer than whoever sends may send again.
 *
 * **Example** (Mails that are sent once)
 *
 * ```ts no-run needs a server
 * import { Inbox, TenantContext } from "effect-cqrs"
 * import { RedisConnection, RedisInbox } from "effect-cqrs/redis"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const send = Inbox.onceClaimed("mailer", (mail: { readonly id: string }) => mail)(({ id }) => Effect.log(`sending ${id}`))
 *
 * const layer = RedisInbox.layer({ keep: "3 days" }).pipe(Layer.provide(RedisConnection.layerConfig()))
 * await Effect.runPromise(send({ id: "m-1" }).pipe(Effect.provide([layer, TenantContext.layerSingle])))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: {
  /** What all keys begin with; `effect-cqrs` when absent. */
  readonly prefix?: string | undefined
  /** For how long ids are remembered after they were confirmed; 8 days when absent. */
  readonly keep?: Duration.Input | undefined
}): Layer.Layer<ClaimingInbox, never, RedisConnection | Redis.Redis> =>
  Layer.effect(
    ClaimingInbox,
    Effect.gen(function* () {
      const asked = yield* asking("Inbox")
      const prefix = options?.prefix ?? "effect-cqrs"
      const keep = whole(Duration.toMillis(Duration.fromInputUnsafe(options?.keep ?? "8 days")))
      const ask: Ask<InboxError> = (operation, of, keys, args, decode) =>
        Effect.mapError(asked(operation, of, keys, args, decode), (reason) => new InboxError({ reason }))

      const segmentKey = (consumer: string, source: string, segment: number) =>
        `${prefix}:inbox:${part(consumer)}:${part(source)}:${segment}`
      const keyOf = (place: Place) =>
        "id" in place
          ? `${prefix}:{${part(place.tenant)}}:inbox:${part(place.consumer)}:${part(place.id)}`
          : segmentKey(place.consumer, place.source, place.segment)
      // An id is at its only position.
      const given = (place: Place, token: string) => ["id" in place ? "1" : String(place.position), token]
      /** How long the key stays: 0 is for ever. */
      const stay = (place: Place, millis: string) => ("id" in place ? millis : "0")

      const driver: ClaimingDriver = {
        claim: (place, token, millis) => {
          const args = [...given(place, token), whole(millis), stay(place, whole(millis))]
          return Effect.map(ask("claim", claim, [keyOf(place)], args, decodeClaimed), (reply): Claimed => {
            if (reply === "claimed") return { _tag: "Claimed" }
            return reply === "handled" ? { _tag: "Handled" } : { _tag: "Held", remaining: reply }
          })
        },
        renew: (place, token, millis) => {
          const args = [...given(place, token), whole(millis), stay(place, whole(millis))]
          const renewed = ask("renew", claim, [keyOf(place)], args, decodeClaimed)
          return Effect.map(renewed, (reply) => reply === "claimed")
        },
        confirm: (place, token) => {
          const args = [...given(place, token), stay(place, keep)]
          return Effect.map(ask("confirm", confirm, [keyOf(place)], args, decodeNumber), (reply) => reply === 1)
        },
        release: (place, token) =>
          Effect.asVoid(ask("release", release, [keyOf(place)], given(place, token), decodeNumber)),
        position: (consumer, source, segment) =>
          ask("position", position, [segmentKey(consumer, source, segment)], [], decodePosition)
      }
      return driver
    })
  )

const whole = (millis: number) => String(Math.max(1, Math.ceil(millis)))

const decodeClaimed = Schema.decodeUnknownResult(Schema.Union([Schema.Literals(["claimed", "handled"]), Schema.Number]))
const decodeNumber = Schema.decodeUnknownResult(Schema.Number)
const decodePosition = Schema.decodeUnknownResult(Schema.NumberFromString.pipe(Schema.decodeTo(Position.Position)))

// KEYS: message or segment; ARGV: position, token, ...
// A claim that ran out is nobody's, and whoever had it may confirm as long as no other has come.
const found = `
local row = redis.call('HMGET', KEYS[1], 'done', 'by', 'token', 'until')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local done = tonumber(row[1] or '0') >= tonumber(ARGV[1])
local other = row[3] and row[3] ~= ARGV[2] and tonumber(row[4]) > now
`

// ARGV: position, token, for how long in ms, how long the key stays in ms
const claim = script(`${found}
if done then return 'handled' end
if other then return tonumber(row[4]) - now end
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'until', string.format('%.0f', now + tonumber(ARGV[3])))
if ARGV[4] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 'claimed'
`)

// ARGV: position, token, how long the key stays in ms
const confirm = script(`${found}
if done then return row[1] == ARGV[1] and row[2] == ARGV[2] and 1 or 0 end
if other then return 0 end
redis.call('HSET', KEYS[1], 'done', ARGV[1], 'by', ARGV[2])
redis.call('HDEL', KEYS[1], 'token', 'until')
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
`)

const release = script(`
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'token', 'until')
return 1
`)

const position = script("return redis.call('HGET', KEYS[1], 'done') or '0'")
