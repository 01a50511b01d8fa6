/**
 * The connections of a program to Redis: one server, a primary behind sentinels, or a cluster.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Redis from "effect/persistence/Redis"
import type { ConnectionOptions } from "node:tls"
import * as clients from "./internal/clients.ts"
import { type Listener, Listening } from "./internal/listening.ts"
import * as RedisError from "./RedisError.ts"

export type { Address, Target } from "./internal/clients.ts"
export type { Listener } from "./internal/listening.ts"

/**
 * Where Redis is, and who comes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** `{ url }`, `{ sentinels, name }` or `{ cluster }`. A `rediss://` URL is TLS. */
  readonly target: clients.Target
  /** The user of an access control list; the default user when absent, or that of the URL. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted<string> | undefined
  /** TLS, with Node's options where the defaults do not fit. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /** How long to wait for a connection; 2 seconds when absent. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long to wait for an answer; 1 second when absent. Commands on a reserved connection wait for as long as they take. */
  readonly commandTimeout?: Duration.Input | undefined
  /** What the server calls the connections; `effect-cqrs` when absent. */
  readonly connectionName?: string | undefined
}

/**
 * What a program knows of its connections, beside the commands, which are those of `Redis` in `effect/persistence`.
 *
 * **Details**
 *
 * - `isUp`: whether a command sent at this moment has a connection to go by.
 * - `ping`: asks the server for an answer, and says by its error why there is none.
 * - `attempt`: turns the error of a command into a `RedisError`, which says what it means.
 * - `listen`: hears what is published on a channel, until its scope closes. Unlike a subscription of `Redis` it says when
 *   messages may have been missed. It never fails: it goes on trying. It completes when the channel is heard, or when the server
 *   could not be reached.
 * - `hear` and `tell`: the two ends of a channel that keeps the order of what is told by one program. In a cluster it is the server
 *   that has the channel's slot which passes it on, and no other has work with it; each channel that is heard there has a
 *   connection of its own.
 *
 * @category services
 * @since 0.1.0
 */
export class RedisConnection extends Context.Service<
  RedisConnection,
  {
    readonly isUp: () => boolean
    readonly ping: Effect.Effect<void, RedisError.RedisError>
    readonly attempt: <A, R>(
      operation: string,
      command: Effect.Effect<A, Redis.RedisError, R>
    ) => Effect.Effect<A, RedisError.RedisError, R>
    readonly listen: (channel: string, listener: Listener) => Effect.Effect<void, never, Scope.Scope>
    readonly hear: (channel: string, listener: Listener) => Effect.Effect<void, never, Scope.Scope>
    readonly tell: (channel: string, text: string) => Effect.Effect<void, RedisError.RedisError>
  }
>()("effect-cqrs/adapters/redis/RedisConnection") {}

/**
 * Connects, and stays connected.
 *
 * **Details**
 *
 * - A program starts without Redis, and goes on without it: commands fail at once while there is no connection, and work
 *   again when there is. The log says both, once each.
 * - A command that was on its way when the connection was lost fails with `Unreachable`: it may have been done, and is not
 *   sent again.
 * - Scripts go by their hash, and are loaded again by a server that does not know them: after a restart, a failover, or
 *   `SCRIPT FLUSH`. In a cluster they are loaded on every primary.
 * - The `Redis` it provides is that of `effect/persistence`, for all that Effect builds on it.
 *
 * **Example** (A counter)
 *
 * ```ts no-run needs a server
 * import { RedisConnection } from "effect-cqrs/redis"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 * import { Redis } from "effect/persistence/Redis"
 *
 * const program = Effect.flatMap(Redis, (redis) => redis.send<number>("INCR", "visits"))
 * const layer = RedisConnection.layer({ target: { url: Redacted.make("redis://127.0.0.1:6379") } })
 * await Effect.runPromise(Effect.provide(program, layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<RedisConnection | Redis.Redis> =>
  Layer.effectContext(make(options))

/**
 * Where Redis is, from the environment.
 *
 * **Details**
 *
 * `REDIS_URL`, or `REDIS_CLUSTER` with the servers of a cluster, or `REDIS_SENTINELS` and `REDIS_SENTINEL_NAME`; servers are
 * written `host:port`, with commas between them. Beside it `REDIS_USERNAME`, `REDIS_PASSWORD` and `REDIS_TLS` (`true`).
 *
 * **Example** (What it reads)
 *
 * ```ts
 * import { RedisConnection } from "effect-cqrs/redis"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 *
 * const env = ConfigProvider.fromUnknown({ REDIS_CLUSTER: "a:7000, b:7001", REDIS_TLS: "true" })
 * const options = await Effect.runPromise(RedisConnection.config.parse(env))
 * options.target // => { cluster: [{ host: "a", port: 7000 }, { host: "b", port: 7001 }] }
 * options.tls // => true
 * ```
 *
 * @category config
 * @since 0.1.0
 */
export const config: Config.Config<Options> = Config.all({
  target: Config.Redacted("REDIS_URL").pipe(
    Config.map((url): clients.Target => ({ url })),
    Config.orElse(() => addressesOf("REDIS_CLUSTER").pipe(Config.map((cluster): clients.Target => ({ cluster })))),
    Config.orElse(() =>
      Config.all({ sentinels: addressesOf("REDIS_SENTINELS"), name: Config.String("REDIS_SENTINEL_NAME") })
    )
  ),
  username: optional(Config.String("REDIS_USERNAME")),
  password: optional(Config.Redacted("REDIS_PASSWORD")),
  tls: optional(Config.Boolean("REDIS_TLS"))
})

/**
 * Connects to where {@link config} says; `options` go before it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options?: Omit<Options, "target">
): Layer.Layer<RedisConnection | Redis.Redis, Config.ConfigError> =>
  Layer.effectContext(Effect.flatMap(config, (found) => make({ ...found, ...options })))

function optional<A>(self: Config.Config<A>): Config.Config<A | undefined> {
  return Config.map(Config.option(self), Option.getOrUndefined)
}

function addressesOf(name: string): Config.Config<ReadonlyArray<clients.Address>> {
  return Config.map(Config.schema(Addresses, name), (text) =>
    text.split(",").map((part) => {
      const at = part.lastIndexOf(":")
      return { host: part.slice(0, at).trim(), port: Number(part.slice(at + 1)) }
    })
  )
}

const Addresses = Schema.String.check(
  Schema.isPattern(/^\s*[^\s,]+:\d{1,5}\s*(,\s*[^\s,]+:\d{1,5}\s*)*$/, {
    message: "must be host:port, with commas between"
  })
)

const make = (given: Options): Effect.Effect<Context.Context<RedisConnection | Redis.Redis>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const options: clients.Options = {
      target: given.target,
      username: given.username,
      password: given.password,
      tls: given.tls,
      connectTimeout: Duration.fromInputUnsafe(given.connectTimeout ?? "2 seconds"),
      commandTimeout: Duration.fromInputUnsafe(given.commandTimeout ?? "1 second"),
      connectionName: given.connectionName ?? "effect-cqrs"
    }
    const { client, whyNot } = yield* opened(options)
    const open = (attempt: number, address: clients.Address | undefined) => clients.listening(options, attempt, address)
    const listening = new Listening(open)
    const send = sender(client, whyNot)
    const redis = yield* Redis.make({
      send,
      subscribe: (channel, onMessage) =>
        Effect.as(
          listened(listening, channel, {
            message: (message) => onMessage({ channel, message }),
            up: () => undefined,
            down: () => undefined
          }),
          Effect.never
        ),
      connect: Effect.sync(() => {
        const own = clients.blocking(options)
        own.on("error", () => undefined)
        return { send: sender(own, () => undefined), close: Effect.sync(() => own.disconnect()) }
      })
    })
    yield* Effect.forkScoped(listening.run)
    const connection: RedisConnection["Service"] = {
      isUp: () => client.status === "ready",
      ping: Effect.asVoid(attempt("PING", send("PING"))),
      attempt,
      listen: (channel, listener) => listened(listening, channel, listener),
      hear: (channel, listener) =>
        Effect.suspend(() => {
          if (!client.isCluster) return listened(listening, channel, listener)
          const own = new Listening(open, "sharded")
          return Effect.andThen(Effect.forkScoped(own.run), listened(own, channel, listener))
        }),
      tell: (channel, text) => {
        const command = client.isCluster ? "spublish" : "publish"
        return Effect.asVoid(attempt(command.toUpperCase(), send(command, channel, text)))
      }
    }
    return Context.make(RedisConnection, connection).pipe(Context.add(Redis.Redis, redis))
  })

const attempt: RedisConnection["Service"]["attempt"] = (operation, command) =>
  Effect.mapError(command, ({ cause }) => RedisError.from(operation, cause))

const listened = (listening: Listening, channel: string, listener: Listener) =>
  Effect.asVoid(Effect.acquireRelease(listening.add(channel, listener), () => listening.remove(channel, listener)))

/** The shared client, after it is connected or could not be for a while. */
const opened = (
  options: clients.Options
): Effect.Effect<{ readonly client: clients.Client; readonly whyNot: () => unknown }, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changes = yield* Queue.unbounded<boolean>()
    const tried = Latch.makeUnsafe(false)
    let why: unknown
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = clients.shared(options)
        made.on("error", (error: unknown) => (why = error))
        made.on("node error", (error: unknown) => (why = error))
        made.on("ready", () => {
          why = undefined
          Queue.offerUnsafe(changes, true)
        })
        made.on("close", () => Queue.offerUnsafe(changes, false))
        return made
      }),
      (made) => Effect.sync(() => made.disconnect())
    )
    const where = clients.describe(options.target)
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        let lostAt: number | undefined
        while (true) {
          const up = yield* Queue.take(changes)
          yield* tried.open
          const now = yield* Clock.currentTimeMillis
          if (up && lostAt !== undefined) {
            yield* Effect.logInfo(`Redis is back after ${Duration.format(Duration.millis(now - lostAt))}: ${where}`)
            lostAt = undefined
          } else if (!up && lostAt === undefined) {
            lostAt = now
            yield* Effect.logWarning(
              `Going on without Redis: ${where}`,
              RedisError.from("CONNECT", why ?? "the connection was closed")
            )
          }
        }
      })
    )
    yield* Effect.ignore(Effect.timeout(tried.await, options.connectTimeout))
    return { client, whyNot: () => why }
  })

interface Send {
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError>
}

const sender = (client: clients.Client, whyNot: () => unknown): Send => {
  const gather = clients.gathering(client)
  function send<A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError>
  function send(command: string, ...args: ReadonlyArray<string>): Effect.Effect<unknown, Redis.RedisError> {
    return Effect.callback((resume) => {
      gather()
      answer(client, command, args).then(
        (value) => resume(Exit.succeed(value)),
        (cause: unknown) => {
          // That there is no connection says less than why there is none. Of a cluster one server may be gone while others reply.
          const why = client.status === "ready" ? undefined : whyNot()
          resume(Exit.fail(new Redis.RedisError({ cause: why ?? cause })))
        }
      )
    })
  }
  return send
}

const answer = (client: clients.Client, command: string, args: ReadonlyArray<string>): Promise<unknown> => {
  const nodes = "nodes" in client && command === "SCRIPT" ? client.nodes("master") : []
  // A cluster that cannot be reached has none, and says so.
  if (nodes.length === 0) return client.call(command, [...args])
  // Any primary may be asked to run it; one that is gone is sent it when it is back.
  return Promise.allSettled(nodes.map((node) => node.call(command, [...args]))).then((all) => {
    const done = all.find((one) => one.status === "fulfilled")
    return done === undefined ? Promise.reject(all.find((one) => one.status === "rejected")?.reason) : done.value
  })
}
