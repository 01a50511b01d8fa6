import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as childProcess from "node:child_process"
import * as path from "node:path"
import * as RedisStreamBus from "../../src/adapters/redis/RedisStreamBus.ts"
import * as Channel from "../../src/application/Channel.ts"
import { LiveHub } from "../../src/application/LiveHub.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as LiveHubLaws from "../../src/testing/LiveHubLaws.ts"
import { checkLaws } from "../laws/checkLaws.ts"
import { hub } from "./bus.ts"
import { connection, eventually, ownServer, send, sharedUrl, withRedis } from "../adapters/redis/support.ts"

type Hub = LiveHub["Service"]

const chat = Channel.topic("chat")
const built = (url: string, channel: string, heartbeat: number, bus?: Parameters<typeof hub>[3]) =>
  Effect.map(Layer.build(hub(url, channel, heartbeat, bus)), (services) => Context.get(services, LiveHub))
const join = (one: Hub, id: string) =>
  one.join(chat, { actor: Actor.user(id), message: () => true, presence: () => undefined })
const is = (one: Hub, ...ids: ReadonlyArray<string>) =>
  Effect.map(
    one.members(chat),
    (actors) =>
      actors
        .map(({ id }) => id)
        .sort()
        .join() === ids.join()
  )

/** Another process, in the channel as a user; it is killed when the test ends. */
const worker = (url: string, channel: string, heartbeat: number, user: string) =>
  Effect.gen(function* () {
    const file = path.join(import.meta.dirname, "worker.ts")
    const got: Array<unknown> = []
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const args = [url, channel, String(heartbeat), user]
        const made = childProcess.fork(file, args, { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] })
        made.on("message", (message) => got.push(message))
        return made
      }),
      (made) => Effect.sync(() => made.kill("SIGKILL"))
    )
    yield* eventually(
      `${user} has joined`,
      Effect.sync(() => got.includes("joined"))
    )
    return { got, kill: (signal: NodeJS.Signals) => Effect.sync(() => child.kill(signal)) }
  })

withRedis("channels on Redis", () => {
  checkLaws(
    "LiveHub.layerBus on Redis",
    { LiveHub: LiveHubLaws.laws },
    Layer.effect(
      LiveHubLaws.Nodes,
      Effect.gen(function* () {
        const channel = `live:${crypto.randomUUID()}`
        return { one: yield* built(sharedUrl(), channel, 100), other: yield* built(sharedUrl(), channel, 100) }
      })
    ),
    { sessions: Number.POSITIVE_INFINITY }
  )

  checkLaws(
    "LiveHub.layerBus on a stream of Redis",
    { LiveHub: LiveHubLaws.laws },
    Layer.effect(
      LiveHubLaws.Nodes,
      Effect.gen(function* () {
        const channel = `live:${crypto.randomUUID()}`
        const [one, other] = [
          yield* built(sharedUrl(), channel, 100, RedisStreamBus.layer),
          yield* built(sharedUrl(), channel, 100, RedisStreamBus.layer)
        ]
        return { one, other }
      })
    ),
    { sessions: Number.POSITIVE_INFINITY }
  )

  it.live(
    "have who was connected to a killed process gone within three heartbeats, and a paused one back",
    () =>
      Effect.gen(function* () {
        const channel = `live:${crypto.randomUUID()}`
        const heartbeat = 400
        const here = yield* built(sharedUrl(), channel, heartbeat)
        yield* join(here, "ada")
        const [bob, cy] = yield* Effect.all(
          ["bob", "cy"].map((user) => worker(sharedUrl(), channel, heartbeat, user)),
          { concurrency: 2 }
        )
        yield* eventually("all are there", is(here, "ada", "bob", "cy"))
        yield* here.publish(chat, "hello")
        for (const one of [bob, cy]) {
          yield* eventually(
            "the message has come",
            Effect.sync(() => one?.got.includes("hello") === true)
          )
        }
        const began = performance.now()
        yield* bob?.kill("SIGKILL") ?? Effect.void
        yield* cy?.kill("SIGSTOP") ?? Effect.void
        yield* eventually("they are gone", is(here, "ada"))
        // Three heartbeats, one until that is noticed, and what a busy machine adds.
        expect(performance.now() - began).toBeLessThan(4 * heartbeat + 2000)
        yield* cy?.kill("SIGCONT") ?? Effect.void
        yield* eventually("who was paused is back", is(here, "ada", "cy"))
      }).pipe(Effect.provide([TenantContext.layerSingle, Logger.layer([])])),
    30_000
  )

  it.live(
    "agree again after connections were killed, a server hung, and everything in it was lost",
    () =>
      Effect.gen(function* () {
        const server = yield* ownServer()
        const [one, other] = [yield* built(server.url, "live", 150), yield* built(server.url, "live", 150)]
        const harm = (...command: readonly [string, ...ReadonlyArray<string>]) =>
          Effect.ignore(send(...command).pipe(Effect.provide(connection(server.url))))
        yield* join(one, "ada")
        yield* eventually("the first is there", is(other, "ada"))
        const joinedWhile = (id: string, harmed: Effect.Effect<unknown>) => Effect.andThen(harmed, join(other, id))

        yield* joinedWhile("bob", harm("CLIENT", "KILL", "TYPE", "pubsub"))
        for (const each of [one, other]) yield* eventually("they agree", is(each, "ada", "bob"))
        yield* joinedWhile("cy", harm("DEBUG", "SLEEP", "1"))
        for (const each of [one, other]) yield* eventually("they agree", is(each, "ada", "bob", "cy"))
        yield* Effect.promise(() => server.kill())
        yield* join(one, "dan")
        yield* eventually("each has its own", is(one, "ada", "dan"))
        yield* eventually("each has its own", is(other, "bob", "cy"))
        yield* Effect.promise(() => server.restart())
        for (const each of [one, other]) yield* eventually("they agree", is(each, "ada", "bob", "cy", "dan"))
      }).pipe(Effect.provide([TenantContext.layerSingle, Logger.layer([])])),
    30_000
  )
})
