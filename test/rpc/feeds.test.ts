// The log as typed streams over sockets: each event once, in order, whatever happens to server and connection.
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, Schema, Scope, Stream } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { Socket } from "effect/socket"
import { createServer } from "node:http"
import {
  Actor,
  Authenticator,
  Channel,
  Event,
  EventStore,
  LiveConnections,
  LiveTail,
  LiveTokens,
  Memory,
  StreamName,
  SystemContext,
  TenantContext,
  TenantId
} from "../../src/index.ts"
import { FeedClient, FeedServer } from "../../src/interfaces/rpc/index.ts"
import { sockets } from "./support.ts"

class Added extends Event.Class<Added>()(
  "Added",
  { n: Schema.BigInt, to: Schema.String },
  { tags: ({ to }) => [to] }
) {}
class Other extends Event.Class<Other>()("Other", {}, { tags: () => ["tenant"] }) {}

const append = (tenant: string, to: string, ...numbers: ReadonlyArray<bigint>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make("Sums", "1"),
      expected: "any",
      events: numbers.flatMap((n) => [new Added({ n, to }), new Other()])
    })
  ).pipe(TenantContext.provide(tenant))

/** Says who sends a request: `Bearer tenant/user`. */
const Tokens = Authenticator.layer(({ headers }) => {
  const [, tenant, user] = /^Bearer (\w+)\/(\w+)$/.exec(headers["authorization"] ?? "") ?? []
  return tenant === undefined || user === undefined
    ? Authenticator.unauthenticated
    : Effect.succeed({ tenant: TenantId.make(tenant), actor: Actor.user(user) })
})

interface Serving extends Partial<FeedServer.Options> {
  readonly port?: number
  readonly epoch?: string
  readonly limits?: LiveConnections.Options
}

/** A server over the log of the test, until it is killed. */
const serve = ({ epoch = "", limits, port = 0, ...options }: Serving = {}) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const store = yield* EventStore.EventStore
    const http = createServer()
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => http.closeAllConnections())
    )
    const given = { from: "start" as const, heartbeat: "1 second" as const, ...options }
    const routes = Layer.merge(
      FeedServer.layerHttp({ path: "/http", ...given }),
      FeedServer.layerWebSocket({ path: "/websocket", ...given })
    )
    const services = yield* HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
      Layer.provide([Tokens, LiveTail.layer(), LiveConnections.layer(limits)]),
      Layer.provide([Layer.succeed(EventStore.EventStore, store), SystemContext.layer("test")]),
      Layer.provide(LiveTokens.layerUnsigned(epoch)),
      Layer.provideMerge(
        NodeHttpServer.layer(() => http, { port, host: "127.0.0.1", gracefulShutdownTimeout: "100 millis" })
      ),
      Layer.fresh,
      Layer.build,
      Scope.provide(scope)
    )
    const { address } = Context.get(services, HttpServer.HttpServer)
    return { port: "port" in address ? address.port : 0, kill: Scope.close(scope, Exit.void) }
  })

describe.each(sockets)("over %s", (transport) => {
  const as = (who: string, port: number) => {
    const options = { url: `127.0.0.1:${port}`, headers: { authorization: `Bearer ${who}` } }
    const client =
      transport === "HTTP"
        ? FeedClient.layerHttp({ ...options, url: `http://${options.url}/http` }).pipe(
            Layer.provide(FetchHttpClient.layer)
          )
        : FeedClient.layerWebSocket({ ...options, url: `ws://${options.url}/websocket` }).pipe(
            Layer.provide(Socket.layerWebSocketConstructorGlobal)
          )
    return Effect.provide(client, { local: true })
  }
  const read = (options?: FeedClient.Options) =>
    FeedClient.events([Added], { retry: "20 millis", longestRetry: "50 millis", ...options })
  const numbers = (options?: FeedClient.Options) =>
    Stream.flatMap(read(options), ({ events }) => Stream.fromIterable(events.map(({ event }) => event.n)))
  const live = <A, E>(name: string, program: Effect.Effect<A, E, EventStore.EventStore | Scope.Scope>) =>
    it.live(name, () => program.pipe(Effect.scoped, Effect.provide(Memory.layer)))

  live(
    "the tenant's events come typed, what was and what happens then, and no other tenant's",
    Effect.gen(function* () {
      const { port } = yield* serve({ events: [Added] })
      yield* append("acme", "tenant", 1n, 2n)
      yield* append("globex", "tenant", 666n)
      const got = yield* Queue.unbounded<bigint>()
      yield* Effect.forkChild(
        numbers().pipe(
          Stream.runForEach((n) => Queue.offer(got, n)),
          as("acme/ada", port)
        )
      )
      expect([yield* Queue.take(got), yield* Queue.take(got)]).toEqual([1n, 2n])
      yield* append("globex", "tenant", 667n)
      yield* append("acme", "tenant", 3n)
      expect(yield* Queue.take(got)).toBe(3n)
    })
  )

  live(
    "each comes once and in order while servers are killed and clients go on from their cursors",
    Effect.gen(function* () {
      const first = yield* serve({ events: [Added] })
      const { port } = first
      const got = yield* Queue.unbounded<bigint>()
      const reading = numbers().pipe(
        Stream.runForEach((n) => Queue.offer(got, n)),
        as("acme/ada", port)
      )
      yield* Effect.forkChild(reading, { startImmediately: true })
      let { kill } = first
      const seen: Array<bigint> = []
      for (let n = 0n; n < 12n; n += 3n) {
        yield* append("acme", "tenant", n, n + 1n)
        seen.push(yield* Queue.take(got))
        yield* kill
        yield* append("acme", "tenant", n + 2n)
        ;({ kill } = yield* serve({ events: [Added], port }))
        seen.push(yield* Queue.take(got), yield* Queue.take(got))
      }
      expect(seen).toEqual(Array.from({ length: 12 }, (_, n) => BigInt(n)))
      expect(yield* Queue.size(got)).toBe(0)
    })
  )

  live(
    "a client goes on after a cursor that it kept, and is told when that is of another history",
    Effect.gen(function* () {
      const { kill, port } = yield* serve({ events: [Added] })
      yield* append("acme", "tenant", 1n)
      const once = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
        Effect.map(Stream.runCollect(Stream.take(stream, 1)), ([a]) => a)
      const filled = Stream.filter(read(), ({ events }) => events.length > 0)
      const batch = yield* once(filled).pipe(as("acme/ada", port))
      yield* append("acme", "tenant", 2n)
      expect(yield* once(numbers({ after: batch?.cursor })).pipe(as("acme/ada", port))).toBe(2n)
      yield* kill
      yield* serve({ events: [Added], port, epoch: "restored" })
      const told = yield* once(read({ after: batch?.cursor })).pipe(as("acme/ada", port))
      expect(told).toMatchObject({ reset: true, events: [] })
    })
  )

  live(
    "channels are authorized, and bad requests refused for good",
    Effect.gen(function* () {
      const { port } = yield* serve({ events: [Added] })
      yield* append("acme", Channel.user("ada"), 1n)
      yield* append("acme", "tenant", 2n)
      const own = Stream.runCollect(Stream.take(numbers({ channels: ["user:ada", "tenant"] }), 2))
      expect(yield* own.pipe(as("acme/ada", port))).toEqual([1n, 2n])
      const refused = (who: string, options: FeedClient.Options) =>
        Effect.map(Effect.flip(Stream.runDrain(read(options))), ({ reason }) => reason._tag).pipe(as(who, port))
      expect(yield* refused("acme/eve", { channels: ["user:ada"] })).toBe("ChannelDenied")
      expect(yield* refused("acme/eve", { channels: ["nonsense"] })).toBe("InvalidChannel")
      expect(yield* refused("acme/eve", { channels: [""] })).toBe("Invalid")
      expect(yield* refused("acme/eve", { after: "x" })).toBe("InvalidCursor")
      expect(yield* refused("nobody", {})).toBe("Unauthenticated")
    })
  )

  live(
    "an event that is none of the classes ends the stream with what is wrong",
    Effect.gen(function* () {
      const { port } = yield* serve()
      yield* append("acme", "tenant", 1n)
      const error = yield* Effect.flip(Stream.runDrain(read())).pipe(as("acme/ada", port))
      expect(error.reason).toMatchObject({ _tag: "Invalid" })
    })
  )

  live(
    "a stream whose time is over is opened again; too many wait for a place",
    Effect.gen(function* () {
      const { port } = yield* serve({ events: [Added], limits: { lifetime: "50 millis", perPrincipal: 1 } })
      yield* append("acme", "tenant", 1n, 2n)
      const four = Effect.gen(function* () {
        const got = yield* Queue.unbounded<bigint>()
        const reading = yield* Effect.forkChild(Stream.runForEach(numbers(), (n) => Queue.offer(got, n)))
        const taken = [yield* Queue.take(got), yield* Queue.take(got), yield* Queue.take(got), yield* Queue.take(got)]
        yield* Fiber.interrupt(reading)
        return taken
      }).pipe(as("acme/ada", port))
      const later = Effect.sleep("200 millis").pipe(Effect.andThen(append("acme", "tenant", 3n, 4n)))
      const [one, two] = yield* Effect.all([four, four, later], { concurrency: "unbounded" })
      expect([one, two]).toEqual([
        [1n, 2n, 3n, 4n],
        [1n, 2n, 3n, 4n]
      ])
    })
  )
})
