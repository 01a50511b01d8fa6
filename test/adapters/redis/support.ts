/**
 * Servers of one's own, and what tests of Redis share.
 */
import { inject } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import { describe } from "vitest"
import * as proc from "../../services/proc.ts"
import * as servers from "../../services/servers.ts"
import { connection } from "./connection.ts"

export { connection }

/** A suite that needs Redis; its name says what to install where there is none. */
export const withRedis = (name: string, suite: () => void): void => {
  const has = inject("services").redis !== undefined
  describe.skipIf(!has)(has ? name : `${name} (skipped: ${servers.withoutRedis})`, suite)
}

/** The server that all suites share: only keys of one's own. */
export const sharedUrl = (): string => inject("services").redis ?? "redis://127.0.0.1:1"

export type RedisServer = Awaited<ReturnType<typeof servers.redis>>

/** A server that may be harmed. */
export const ownServer = (options?: servers.RedisOptions): Effect.Effect<RedisServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => servers.redis(options)),
    (server) => Effect.promise(() => server.stop())
  )

export const send = <A = unknown>(command: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(Redis.Redis, (redis) => redis.send<A>(command, ...args))

/** Waits for what must come true soon. */
export const eventually = <E, R>(what: string, isTrue: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 500; tries++) {
      if (yield* isTrue) return
      yield* Effect.sleep("10 millis")
    }
    return yield* Effect.die(new Error(`it did not become true that ${what}`))
  })

/** Three primaries, each with a third of the slots. */
export const ownCluster: Effect.Effect<ReadonlyArray<RedisServer>, unknown, Scope.Scope> = Effect.gen(function* () {
  const nodes = yield* Effect.forEach(
    [0, 1, 2],
    () =>
      Effect.gen(function* () {
        const bus = yield* Effect.promise(() => proc.freePort())
        const args = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", `${bus}`]
        return { bus, ...(yield* ownServer({ args })) }
      }),
    { concurrency: 3 }
  )
  const tell = (url: string, ...args: ReadonlyArray<string>) =>
    Effect.provide(send("CLUSTER", ...args), connection(url, { commandTimeout: "10 seconds" }))
  const [first] = nodes
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((16384 * index) / 3)
    yield* tell(node.url, "ADDSLOTSRANGE", `${from}`, `${Math.floor((16384 * (index + 1)) / 3) - 1}`)
    if (node !== first) yield* tell(node.url, "MEET", "127.0.0.1", `${first?.port}`, `${first?.bus}`)
  }
  for (const { url } of nodes) {
    const info = Effect.provide(send<string>("CLUSTER", "INFO"), connection(url, { commandTimeout: "10 seconds" }))
    yield* eventually(
      "the cluster is whole",
      Effect.map(info, (text) => /cluster_state:ok[^]*known_nodes:3/.test(text))
    )
  }
  return nodes
})
