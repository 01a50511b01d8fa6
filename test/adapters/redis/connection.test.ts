import { describe, expect, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Redis from "effect/persistence/Redis"
import * as RedisConnection from "../../../src/adapters/redis/RedisConnection.ts"
import * as RedisError from "../../../src/adapters/redis/RedisError.ts"
import { run, script } from "../../../src/adapters/redis/internal/scripting.ts"
import * as proc from "../../services/proc.ts"
import { connection, eventually, ownCluster, ownServer, send, sharedUrl, withRedis } from "./support.ts"

const double = Redis.script((key: string, n: number) => [key, n], {
  lua: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)",
  numberOfKeys: 1
}).withReturnType<number>()

const triple = Redis.script((key: string, n: number) => [key, n], {
  lua: "return 3 * ARGV[1]",
  numberOfKeys: 1
}).withReturnType<number>()

const echo = script("return ARGV[1]")

const doubled = (key: string) => Effect.flatMap(Redis.Redis, (redis) => redis.eval(double)(key, 4))
const up = Effect.map(RedisConnection.RedisConnection, ({ isUp }) => isUp())

withRedis("a connection", () => {
  it.live("sends commands and scripts, which it loads again when they were forgotten", () =>
    Effect.gen(function* () {
      const key = `test:${crypto.randomUUID()}`
      expect(yield* doubled(key)).toBe(8)
      yield* send("SCRIPT", "FLUSH")
      expect(yield* doubled(key)).toBe(16)
      expect(yield* send("DEL", key)).toBe(1)
    }).pipe(Effect.provide(connection(sharedUrl())))
  )

  it.live("fails by meaning", () =>
    Effect.gen(function* () {
      const server = yield* ownServer({
        args: "--user app on >secret ~app:* +get +set +hello +ping +client +info --user default off".split(" ")
      })
      const reasonOf = (
        options: Omit<RedisConnection.Options, "target">,
        command: string,
        ...args: ReadonlyArray<string>
      ) =>
        Effect.gen(function* () {
          const redis = yield* RedisConnection.RedisConnection
          return yield* redis.attempt(command, send(command, ...args)).pipe(
            Effect.as("nothing"),
            Effect.catchTag("RedisError", ({ reason, retryable }) => Effect.succeed(`${reason._tag} ${retryable}`))
          )
        }).pipe(Effect.provide(connection(server.url, options)))
      const app = { username: "app", password: Redacted.make("secret") }
      expect(yield* reasonOf(app, "SET", "app:1", "a")).toBe("nothing")
      expect(yield* reasonOf(app, "SET", "other", "a")).toBe("Denied false")
      expect(yield* reasonOf(app, "SET", "app:1")).toBe("Refused false")
      expect(yield* reasonOf({ ...app, password: Redacted.make("wrong") }, "GET", "app:1")).toBe("Denied false")
    })
  )

  it.live("goes on without a server, fails at once meanwhile, and is back by itself", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const redis = yield* RedisConnection.RedisConnection
        const heard = yield* Queue.unbounded<string>()
        const say = (text: string) => void Queue.offerUnsafe(heard, text)
        yield* redis.listen("news", { message: say, up: () => say("up"), down: () => say("down") })
        expect(yield* Queue.take(heard)).toBe("up")
        yield* send("PUBLISH", "news", "1")
        expect(yield* Queue.take(heard)).toBe("1")

        yield* Effect.promise(() => server.kill())
        expect(yield* Queue.take(heard)).toBe("down")
        yield* eventually(
          "the loss is noticed",
          Effect.map(up, (is) => !is)
        )
        const began = performance.now()
        const error = yield* Effect.flip(redis.attempt("GET", send("GET", "a")))
        expect(error.reason._tag).toBe("Unreachable")
        expect(performance.now() - began).toBeLessThan(100)
        expect((yield* Effect.flip(redis.ping)).retryable).toBe(true)

        yield* Effect.promise(() => server.restart())
        expect(yield* Queue.take(heard)).toBe("up")
        yield* eventually("it is back", up)
        expect(yield* doubled("a")).toBe(8)
        yield* send("PUBLISH", "news", "2")
        expect(yield* Queue.take(heard)).toBe("2")
      }).pipe(Effect.scoped, Effect.provide(connection(server.url)))
    })
  )

  it.live("starts without a server, and says why it is not there", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(() => proc.freePort())
      yield* Effect.gen(function* () {
        const { isUp, ping } = yield* RedisConnection.RedisConnection
        expect(isUp()).toBe(false)
        expect((yield* Effect.flip(ping)).reason._tag).toBe("Unreachable")
      }).pipe(Effect.provide(connection(`redis://127.0.0.1:${port}`)))
    })
  )

  it.live("does not wait longer than it is told for a server that hangs", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const redis = yield* RedisConnection.RedisConnection
        const other = yield* Layer.build(Layer.fresh(connection(server.url, { commandTimeout: "5 seconds" })))
        const sleeping = yield* Effect.forkChild(Effect.provide(send("DEBUG", "SLEEP", "1"), other))
        yield* Effect.sleep("50 millis")
        const error = yield* Effect.flip(redis.attempt("GET", send("GET", "a")))
        expect(error.reason._tag).toBe("NoAnswer")
        yield* Fiber.await(sleeping)
        yield* eventually("it answers", Effect.map(Effect.exit(redis.ping), Exit.isSuccess))
      }).pipe(Effect.scoped, Effect.provide(connection(server.url)))
    })
  )

  it.live("hears again when its connection was killed", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const redis = yield* RedisConnection.RedisConnection
        const heard = yield* Queue.unbounded<string>()
        const say = (text: string) => void Queue.offerUnsafe(heard, text)
        yield* redis.listen("news", { message: say, up: () => say("up"), down: () => say("down") })
        expect(yield* Queue.take(heard)).toBe("up")
        yield* send("CLIENT", "KILL", "TYPE", "pubsub")
        expect(yield* Queue.take(heard)).toBe("down")
        expect(yield* Queue.take(heard)).toBe("up")
        yield* send("PUBLISH", "news", "1")
        expect(yield* Queue.take(heard)).toBe("1")
      }).pipe(Effect.scoped, Effect.provide(connection(server.url)))
    })
  )

  it.live("reserves connections for commands that wait", () =>
    Effect.gen(function* () {
      const key = `test:${crypto.randomUUID()}`
      const redis = yield* Redis.Redis
      const waiting = yield* Effect.forkChild(
        Effect.scoped(Effect.flatMap(redis.reserve, (own) => own.send<ReadonlyArray<string>>("BLPOP", key, "5")))
      )
      yield* Effect.sleep("500 millis")
      yield* send("RPUSH", key, "a")
      expect(yield* Fiber.join(waiting)).toEqual([key, "a"])
    }).pipe(Effect.provide(connection(sharedUrl())))
  )

  it.live("is found behind sentinels", () =>
    Effect.gen(function* () {
      const primary = yield* ownServer()
      const folder = proc.temporaryFolder("sentinel")
      const file = path.join(folder, "sentinel.conf")
      fs.writeFileSync(file, `sentinel monitor mine 127.0.0.1 ${primary.port} 1\n`)
      const port = yield* Effect.promise(() => proc.freePort())
      yield* Effect.acquireRelease(
        Effect.promise(() =>
          proc.start({
            command: `${primary.programs}/redis-server`,
            args: [file, "--sentinel", "--port", String(port), "--bind", "127.0.0.1"],
            folder,
            ready: /\+monitor master mine/
          })
        ),
        (running) => Effect.promise(() => running.stop())
      )
      const layer = RedisConnection.layer({ target: { sentinels: [{ host: "127.0.0.1", port }], name: "mine" } })
      expect(yield* Effect.provide(doubled("a"), layer)).toBe(8)
    })
  )

  it.live("spreads over a cluster, with scripts on all of its primaries", () =>
    Effect.gen(function* () {
      const nodes = yield* ownCluster
      const cluster = nodes.map(({ port }) => ({ host: "127.0.0.1", port }))
      yield* Effect.gen(function* () {
        const redis = yield* RedisConnection.RedisConnection
        yield* eventually("it is connected", up)
        for (const key of ["a", "b", "c", "d", "e", "f"]) expect(yield* doubled(key)).toBe(8)
        const heard = yield* Queue.unbounded<string>()
        const say = (text: string) => void Queue.offerUnsafe(heard, text)
        yield* redis.listen("news", { message: say, up: () => say("up"), down: () => say("down") })
        expect(yield* Queue.take(heard)).toBe("up")
        yield* send("PUBLISH", "news", "1")
        expect(yield* Queue.take(heard)).toBe("1")
      }).pipe(Effect.scoped, Effect.provide(RedisConnection.layer({ target: { cluster } })))
    })
  )

  it.live("loads scripts again in a cluster of which one server is gone", () =>
    Effect.gen(function* () {
      const nodes = yield* ownCluster
      const cluster = nodes.map(({ port }) => ({ host: "127.0.0.1", port }))
      const [first, , last] = nodes
      // Its slot is the first server's.
      const key = "{b}:1"
      yield* Effect.gen(function* () {
        yield* eventually("it is connected", up)
        expect([yield* doubled(key), yield* run(yield* Redis.Redis, echo, [key], ["1"])]).toEqual([8, "1"])
        yield* Effect.promise(() => last?.kill() ?? Promise.resolve())
        const others = Effect.exit(run(yield* Redis.Redis, echo, ["a"], ["1"]))
        // Each attempt is a reason to look for it anew.
        for (let n = 0; n < 10; n++) {
          yield* others
          yield* Effect.sleep("50 millis")
        }
        expect(Exit.isFailure(yield* others)).toBe(true)
        yield* Effect.provide(send("SCRIPT", "FLUSH"), connection(first?.url ?? ""))
        expect(yield* run(yield* Redis.Redis, echo, [key], ["2"])).toBe("2")
        expect(yield* (yield* Redis.Redis).eval(triple)(key, 4), "one that nobody has seen yet").toBe(12)
      }).pipe(Effect.provide([RedisConnection.layer({ target: { cluster } }), Logger.layer([])]))
    })
  )

  it.live("fails at once where no server of a cluster can be reached", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(() => proc.freePort())
      yield* Effect.gen(function* () {
        const redis = yield* Redis.Redis
        // Between two attempts it knows of no server at all.
        for (let n = 0; n < 20; n++) {
          expect(Exit.isFailure(yield* Effect.exit(run(redis, echo, ["a"], ["1"])))).toBe(true)
          expect(Exit.isFailure(yield* Effect.exit(send("SCRIPT", "LOAD", "return 1")))).toBe(true)
          yield* Effect.sleep("20 millis")
        }
      }).pipe(
        Effect.provide([
          RedisConnection.layer({ target: { cluster: [{ host: "127.0.0.1", port }] } }),
          Logger.layer([])
        ])
      )
    })
  )

  it.live("is TLS where it is asked for", (context) =>
    Effect.gen(function* () {
      const openssl = proc.which("openssl")
      if (openssl === undefined) return context.skip("there is no openssl to make a certificate with")
      const folder = proc.temporaryFolder("tls")
      const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")]
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(folder, { recursive: true })))
      const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
      execFileSync(openssl, [...made, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], {
        stdio: "ignore"
      })
      const port = yield* Effect.promise(() => proc.freePort())
      const files = [
        "--tls-cert-file",
        cert,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        cert,
        "--tls-auth-clients",
        "no"
      ]
      yield* ownServer({ args: ["--tls-port", `${port}`, ...files] })
      const url = `rediss://127.0.0.1:${port}`
      const trusted = connection(url, { tls: { ca: fs.readFileSync(cert) } })
      expect(yield* Effect.provide(doubled("a"), trusted)).toBe(8)
      const ping = Effect.flatMap(RedisConnection.RedisConnection, (redis) => redis.ping)
      expect((yield* Effect.flip(Effect.provide(ping, connection(url)))).reason._tag).toBe("Unreachable")
    })
  )
})

describe("the configuration of a connection", () => {
  const read = (env: Readonly<Record<string, string>>) =>
    Effect.map(
      RedisConnection.config.parse(ConfigProvider.fromUnknown(env)),
      ({ password, target, tls, username }) => ({
        target: "url" in target ? Redacted.value(target.url) : target,
        username,
        password: password === undefined ? undefined : Redacted.value(password),
        tls
      })
    )

  it.effect("is one of three places", () =>
    Effect.gen(function* () {
      const none = { username: undefined, password: undefined, tls: undefined }
      expect(yield* read({ REDIS_URL: "redis://a:1" })).toEqual({ ...none, target: "redis://a:1" })
      expect(yield* read({ REDIS_SENTINELS: "a:1,b:2", REDIS_SENTINEL_NAME: "mine", REDIS_PASSWORD: "p" })).toEqual({
        ...none,
        password: "p",
        target: {
          name: "mine",
          sentinels: [
            { host: "a", port: 1 },
            { host: "b", port: 2 }
          ]
        }
      })
      expect(yield* read({ REDIS_CLUSTER: "::1:7000", REDIS_USERNAME: "u", REDIS_TLS: "true" })).toEqual({
        ...none,
        username: "u",
        tls: true,
        target: { cluster: [{ host: "::1", port: 7000 }] }
      })
    })
  )

  it.effect("is refused when it is none", () =>
    Effect.gen(function* () {
      for (const env of [{}, { REDIS_CLUSTER: "a" }, { REDIS_CLUSTER: "a:1,," }, { REDIS_SENTINELS: "a:1" }]) {
        expect(Exit.isFailure(yield* Effect.exit(read(env)))).toBe(true)
      }
    })
  )
})

describe("errors of Redis", () => {
  it.each([
    ["Command timed out", "NoAnswer"],
    ["connect ECONNREFUSED 127.0.0.1:1", "Unreachable"],
    ["LOADING Redis is loading the dataset in memory", "Unreachable"],
    ["CLUSTERDOWN The cluster is down", "Unreachable"],
    ["NOAUTH Authentication required.", "Denied"],
    ["READONLY You can't write against a read only replica.", "NotWritable"],
    ["MISCONF Redis is configured to save RDB snapshots", "NotWritable"],
    ["ERR unknown command 'X'", "Refused"]
  ])("%s", (message, tag) => {
    const isReply = /^[A-Z]+ /.test(message)
    const cause = Object.assign(new Error(message), isReply ? { name: "ReplyError" } : {})
    expect(RedisError.from("X", cause).reason._tag).toBe(tag)
  })
})
