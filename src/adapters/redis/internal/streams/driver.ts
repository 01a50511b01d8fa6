/** Groups over streams of Redis. */
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { part } from "../../../../domain/QueryKey.ts"
import type { Claim, Driver, Failure, Name, Parked, Taken } from "../../../../ports/EventGroupsDriver.ts"
import { EventGroupsError, InvalidGroup } from "../../../../ports/EventGroupsError.ts"
import * as StorageFailure from "../../../../ports/StorageFailure.ts"
import { RedisConnection } from "../../RedisConnection.ts"
import { run, type Script } from "../scripting.ts"
import * as scripts from "./scripts.ts"

/** The keys of one segment, for one group. */
const keysOf = (prefix: string, log: string, segment: number, group = "") => {
  const key = `${prefix}:log:{${part(log)}/${segment}}`
  const own = part(group)
  return {
    stream: `${key}:entries`,
    mark: `${key}:mark`,
    held: `${key}:held`,
    owner: `${key}:owner:${own}`,
    due: `${key}:due:${own}`,
    parked: `${key}:parked:${own}`,
    parkedKeys: `${key}:keys:${own}`
  }
}

export const make = (options: {
  readonly prefix: string
  readonly segments: number
}): Effect.Effect<Driver, never, Redis.Redis | RedisConnection> =>
  Effect.gen(function* () {
    const redis = yield* Redis.Redis
    const connection = yield* RedisConnection
    const { prefix, segments } = options
    const channel = (log: string) => `${prefix}:log:{${part(log)}}:added`
    const workers = ({ group, log }: Name) => `${prefix}:log:{${part(log)}}:workers:${part(group)}`
    const everywhere = Array.from({ length: segments }, (_, segment) => segment)

    const ask = <A>(
      operation: string,
      script: Script,
      keys: ReadonlyArray<string>,
      args: ReadonlyArray<string>,
      decode: (reply: unknown) => Result.Result<A, Schema.SchemaError>
    ): Effect.Effect<A, EventGroupsError> => {
      const called = `EventGroups.${operation}`
      const failed = (retryable: boolean, cause: unknown) =>
        Effect.fail(new EventGroupsError({ reason: StorageFailure.make({ operation: called, retryable, cause }) }))
      return connection.attempt(called, run(redis, script, keys, args)).pipe(
        Effect.matchEffect({
          onFailure: (error) => failed(error.retryable, error),
          onSuccess: (reply) => {
            const decoded = decode(reply)
            return Result.isSuccess(decoded) ? Effect.succeed(decoded.success) : failed(false, decoded.failure)
          }
        })
      )
    }

    /** All programs spread keys over the same number of segments: the first says how many. */
    const counted = (log: string) =>
      Effect.flatMap(
        ask("count", scripts.count, [`${prefix}:log:{${part(log)}}:segments`], [String(segments)], decodeText),
        (there) => {
          if (there === String(segments)) return Effect.void
          const issue = { path: "segments", message: `must be ${there}, as they are in ${log}` }
          return Effect.fail(new EventGroupsError({ reason: new InvalidGroup({ issues: [issue] }) }))
        }
      )

    const owner = (claim: Claim) => keysOf(prefix, claim.log, claim.segment, claim.group)
    const aside = (claim: Claim) => {
      const keys = owner(claim)
      return [keys.stream, keys.owner, keys.due, keys.parked, keys.parkedKeys, keys.held]
    }
    const makeDue = (name: Name, segment: number, changes: object, all: ReadonlyArray<string>) => {
      const keys = keysOf(prefix, name.log, segment, name.group)
      const args = [channel(name.log), String(segment), json(changes), ...all]
      return ask("due", scripts.due, [keys.due, keys.parked], args, decodeNumber)
    }

    return {
      segments,
      open: (log, segment, { floor, groups }) => {
        const keys = keysOf(prefix, log, segment)
        const opened = ask("open", scripts.open, [keys.stream, keys.mark], [String(floor), ...groups], decodeCount)
        return segment === 0 ? Effect.andThen(counted(log), opened) : opened
      },
      add: (log, segment, { entries, from, to }) => {
        const keys = keysOf(prefix, log, segment)
        const args = [String(from), String(to), channel(log), String(segment)]
        for (const { id, key, text } of entries) args.push(id, key, text)
        return ask("add", scripts.add, [keys.stream, keys.mark], args, decodeBoolean)
      },
      settle: (log, segment) => {
        const keys = keysOf(prefix, log, segment)
        return ask("settle", scripts.settle, [keys.stream, keys.mark, keys.held], [], decodeCount)
      },
      start: ({ group, log }, segment, at) => {
        const keys = keysOf(prefix, log, segment)
        const started = ask("start", scripts.start, [keys.stream], [group, at === "now" ? "$" : "0"], decodeBoolean)
        return Effect.asVoid(segment === 0 ? Effect.andThen(counted(log), started) : started)
      },
      join: (name, worker, millis) => ask("join", scripts.join, [workers(name)], [worker, whole(millis)], decodeNumber),
      leave: (name, worker) =>
        Effect.asVoid(
          connection.attempt("EventGroups.leave", redis.send("ZREM", workers(name), worker)).pipe(
            Effect.mapError(
              (cause) =>
                new EventGroupsError({
                  reason: StorageFailure.make({ operation: "EventGroups.leave", retryable: cause.retryable, cause })
                })
            )
          )
        ),
      claim: ({ group, log }, segment, worker, millis) => {
        const keys = keysOf(prefix, log, segment, group)
        const args = [group, worker, whole(millis)]
        return Effect.map(
          ask("claim", scripts.claim, [keys.stream, keys.owner, keys.parkedKeys], args, decodeClaimed),
          (reply) => {
            if (reply === "held") return undefined
            const [token, after, parked] = reply
            return { log, group, segment, worker, token, after: idOf(after), parked: sorted(pairs(parked)) }
          }
        )
      },
      renew: (claim, millis) =>
        ask("renew", scripts.renew, [owner(claim).owner], [held(claim), whole(millis)], decodeBoolean),
      release: (claim) => ask("release", scripts.release, [owner(claim).owner], [held(claim)], decodeBoolean),
      take: (claim, { handled, limit, millis, parked }) => {
        const keys = owner(claim)
        const args = [claim.group, held(claim), whole(millis), String(limit ?? ""), String(parked ?? ""), ...handled]
        return Effect.flatMap(
          ask("take", scripts.take, [keys.stream, keys.owner, keys.due, keys.parked], args, decodeTaken),
          (reply): Effect.Effect<Taken | undefined, EventGroupsError> => {
            if (reply === 0) return Effect.succeed(undefined)
            const [due, given] = reply
            const entries = given.map(([id, key, text, after, attempt]) => ({
              id,
              key,
              text,
              previous: idOf(after),
              attempt
            }))
            if (due === "") return Effect.succeed({ entries, due: undefined })
            const at = due.indexOf(" ")
            return Effect.map(read("take", claim.segment, due.slice(0, at), due.slice(at + 1), 0), (one) => ({
              entries,
              due: one
            }))
          }
        )
      },
      park: (claim, { id, key, text }, why) => {
        const behind = "behind" in why ? why.behind : ""
        const { category, error, attempts, retryInMillis } = "behind" in why ? waiting : why
        const entry = json({ key, text, category, error, attempts })
        const position = id.slice(0, id.indexOf("-"))
        const args = [claim.group, held(claim), id, behind, position, entry, optional(retryInMillis)]
        return ask("park", scripts.park, aside(claim), args, decodeBoolean)
      },
      settled: (claim, id, next) =>
        ask("settled", scripts.settled, aside(claim), [claim.group, held(claim), id, next ?? ""], decodeBoolean),
      failed: (claim, id, why) => {
        const args = [claim.group, held(claim), id]
        if ("behind" in why) args.push(why.behind, "", "")
        else {
          const { retryInMillis, ...changes } = why
          args.push("", json(changes), optional(retryInMillis))
        }
        return ask("failed", scripts.failed, aside(claim), args, decodeBoolean)
      },
      parked: ({ group, log }) =>
        Effect.map(
          Effect.forEach(
            everywhere,
            (segment) => {
              const keys = keysOf(prefix, log, segment, group)
              return Effect.flatMap(
                ask("parked", scripts.parked, [keys.due, keys.parked], [], decodeParked),
                ([entries, due]) => {
                  const dueAt = new Map(pairs(due).map(({ id, key }) => [id, Number(key)]))
                  return Effect.forEach(pairs(entries), ({ id, key }) =>
                    read("parked", segment, id, key, dueAt.get(id))
                  )
                }
              )
            },
            { concurrency: "unbounded" }
          ),
          (all) => sorted(all.flat())
        ),
      replay: (name, segment, all) => makeDue(name, segment, { attempts: 0 }, all),
      skip: (name, segment, id, reason) => makeDue(name, segment, { skipped: reason }, [id]),
      inspect: ({ group, log }) =>
        Effect.forEach(
          everywhere,
          (segment) => {
            const keys = keysOf(prefix, log, segment, group)
            return Effect.map(
              ask("inspect", scripts.inspect, [keys.stream, keys.owner, keys.parked], [group], decodeStanding),
              ([worker, token, lag, pending, parked]) => ({
                segment,
                owner: worker === "" ? undefined : { worker, token },
                lag,
                pending,
                parked
              })
            )
          },
          { concurrency: "unbounded" }
        ),
      remove: (name) =>
        Effect.forEach(
          everywhere,
          (segment) => {
            const keys = keysOf(prefix, name.log, segment, name.group)
            const all = [keys.stream, keys.owner, keys.due, keys.parked, keys.parkedKeys, keys.held]
            return ask("remove", scripts.remove, all, [name.group], decodeBoolean)
          },
          { concurrency: "unbounded", discard: true }
        ),
      listen: (log, wake) =>
        connection.listen(channel(log), {
          message: (text) => wake(Number(text)),
          // What was told before may have been missed.
          up: () => wake(undefined),
          down: () => undefined
        })
    }
  })

const waiting: Failure = { category: "Behind", error: "", attempts: 0, retryInMillis: undefined }

const whole = (millis: number) => String(Math.max(1, Math.ceil(millis)))
const optional = (millis: number | undefined) => (millis === undefined ? "" : String(Math.max(0, Math.ceil(millis))))

/** The server reads no half of a character, as a text may have that was cut. */
const json = (fields: object) =>
  JSON.stringify(fields, (_, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value))

const held = ({ token, worker }: Claim) => `${token} ${worker}`

const idOf = (id: string) => (id === "0-0" ? undefined : id)

/** What a hash is answered as. */
const pairs = (list: ReadonlyArray<string>) =>
  Array.from({ length: list.length / 2 }, (_, n) => ({ id: list[2 * n] ?? "", key: list[2 * n + 1] ?? "" }))

const sorted = <A extends { readonly id: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const [position, index] = [(id: string) => Number(id.split("-")[0]), (id: string) => Number(id.split("-")[1])]
  return all.toSorted((a, b) => position(a.id) - position(b.id) || index(a.id) - index(b.id))
}

const Aside = Schema.fromJsonString(
  Schema.Struct({
    key: Schema.String,
    text: Schema.String,
    category: Schema.Literals(["HandlerFailed", "Unread", "Unfinished", "Behind"]),
    error: Schema.String,
    attempts: Schema.Number,
    at: Schema.Number,
    skipped: Schema.optionalKey(Schema.String)
  })
)
const decodeAside = Schema.decodeUnknownResult(Aside)

const read = (
  operation: string,
  segment: number,
  id: string,
  text: string,
  due: number | undefined
): Effect.Effect<Parked, EventGroupsError> => {
  const decoded = decodeAside(text)
  if (Result.isSuccess(decoded)) {
    return Effect.succeed({ ...decoded.success, id, segment, due, skipped: decoded.success.skipped })
  }
  const reason = StorageFailure.make({
    operation: `EventGroups.${operation}`,
    retryable: false,
    cause: decoded.failure
  })
  return Effect.fail(new EventGroupsError({ reason }))
}

const decodeText = Schema.decodeUnknownResult(Schema.String)
const decodeCount = Schema.decodeUnknownResult(Schema.NumberFromString)
const decodeNumber = Schema.decodeUnknownResult(Schema.Number)
const decodeBoolean = (reply: unknown) => Result.map(decodeNumber(reply), (number) => number === 1)
const decodeClaimed = Schema.decodeUnknownResult(
  Schema.Union([
    Schema.Tuple([Schema.NumberFromString, Schema.String, Schema.Array(Schema.String)]),
    Schema.Literal("held")
  ])
)
const Entry = Schema.Tuple([Schema.String, Schema.String, Schema.String, Schema.String, Schema.Number])
const decodeTaken = Schema.decodeUnknownResult(
  Schema.Union([Schema.Tuple([Schema.String, Schema.Array(Entry)]), Schema.Literal(0)])
)
const decodeParked = Schema.decodeUnknownResult(
  Schema.Tuple([Schema.Array(Schema.String), Schema.Array(Schema.String)])
)
const decodeStanding = Schema.decodeUnknownResult(
  Schema.Tuple([Schema.String, Schema.NumberFromString, Schema.Number, Schema.Number, Schema.Number])
)
