// Events to browsers and services, each from where it was: channels, a reader that comes back, an event that says less.
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import {
  Actor,
  Authenticator,
  Channel,
  Event,
  EventStore,
  LiveConnections,
  LiveTail,
  Memory,
  StreamName,
  SystemContext,
  TenantContext,
  TenantId
} from "effect-cqrs"
import { Sse, SseClient } from "effect-cqrs/sse"
import { createServer } from "node:http"

class Shipped extends Event.Class<Shipped>()(
  "Shipped",
  { order: Schema.String, owner: Schema.String, address: Schema.String },
  { tags: ({ owner }) => [Channel.user(owner), Channel.topic("orders")] }
) {}

// Who sends a request: `Authorization: Bearer ada`.
const Users = Authenticator.layer(({ headers }) => {
  const [, id] = /^Bearer (\w+)$/.exec(headers["authorization"] ?? "") ?? []
  return id === undefined
    ? Authenticator.unauthenticated
    : Effect.succeed({ tenant: TenantId.make("acme"), actor: Actor.user(id) })
})

const Route = HttpRouter.add(
  "GET",
  "/events",
  Sse.handle({
    events: [Shipped],
    from: "start",
    // Everybody may follow the orders, and sees the addresses of their own alone.
    rules: { read: (principal, channel) => channel.channel === "topic:orders" || Channel.isOwn(principal, channel) },
    visible: ({ actor }, stored) =>
      stored.tags.includes(Channel.user(actor.id))
        ? stored
        : { ...stored, data: { ...Object(stored.data), address: "(hidden)" } }
  })
)

const Live = HttpRouter.serve(Route, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide([LiveTail.layer(), LiveConnections.layer(), Users]),
  Layer.provide(SystemContext.layer("the tail reads for all tenants")),
  Layer.provideMerge(Memory.layer),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 1 }))
)

const ship = (order: string, owner: string, address: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make("Order", order),
      expected: "any",
      events: [new Shipped({ order, owner, address })]
    })
  ).pipe(TenantContext.provide("acme"))

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/events`
  // What an EventSource is in a browser, with types.
  const events = (user: string, channel: Channel.Channel) =>
    SseClient.events({
      url: `${url}?channel=${channel}`,
      events: [Shipped],
      headers: { authorization: `Bearer ${user}` }
    })

  yield* ship("1", "ada", "1 Main Street")
  yield* ship("2", "bob", "2 Side Street")
  yield* ship("3", "ada", "3 High Street")
  for (const { event } of yield* Stream.runCollect(Stream.take(events("ada", Channel.user("ada")), 2))) {
    console.log("ada:", event.order, event.address)
  }
  for (const { event } of yield* Stream.runCollect(Stream.take(events("bob", Channel.topic("orders")), 3))) {
    console.log("bob:", event.order, event.address)
  }
  const refused = yield* Effect.flip(Stream.runDrain(events("bob", Channel.user("ada"))))
  console.log(refused.message)
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide([Live, FetchHttpClient.layer])))

// prints:
// ada: 1 1 Main Street
// ada: 3 3 High Street
// bob: 1 (hidden)
// bob: 2 2 Side Street
// bob: 3 (hidden)
// The server refused the stream with status 403
