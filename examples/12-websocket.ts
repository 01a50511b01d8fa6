// One socket both ways: events, commands and queries, messages to who is there, by a client with types.
import { NodeHttpServer, NodeSocket } from "@effect/platform-node"
import { Effect, Fiber, Layer, Queue, Schema, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import {
  Actor,
  Authenticator,
  Channel,
  Command,
  CommandBus,
  Event,
  EventStore,
  LiveConnections,
  LiveHub,
  LiveTail,
  Memory,
  on,
  Query,
  QueryBus,
  StreamName,
  SystemContext,
  TenantId
} from "effect-cqrs"
import { LiveSocket, LiveSocketClient } from "effect-cqrs/websocket"
import { createServer } from "node:http"

class Said extends Event.Class<Said>()("Said", { text: Schema.String }, { tags: () => ["tenant"] }) {}

class Empty extends Schema.TaggedError<Empty>()("Empty", {}) {}
class Say extends Command.Class<Say>()("Say", { payload: { text: Schema.String }, error: Empty }) {}
class Count extends Query.Class<Count>()("Count", { payload: {}, success: Schema.Int }) {}

const room = StreamName.make("Room", "1")
const Handlers = Layer.merge(
  CommandBus.handlers(
    on(Say, ({ text }) =>
      Effect.gen(function* () {
        if (text === "") return yield* new Empty()
        const store = yield* EventStore.EventStore
        yield* store.append({ stream: room, expected: "any", events: [new Said({ text })] })
      })
    )
  ),
  QueryBus.handlers(
    on(Count, () =>
      Effect.flatMap(EventStore.EventStore, (store) => Effect.map(store.streamState(room), ({ version }) => version))
    )
  )
)

const Users = Authenticator.layer(({ url }) => {
  const id = new URL(url, "http://localhost").searchParams.get("user")
  return id === null
    ? Authenticator.unauthenticated
    : Effect.succeed({ tenant: TenantId.make("acme"), actor: Actor.user(id) })
})

const messages = [Say, Count] as const
const isChat = ({ channel }: Channel.Parts) => channel === "topic:chat"
const Route = HttpRouter.add(
  "GET",
  "/live",
  LiveSocket.handle({
    messages,
    rules: {
      read: (principal, channel) => isChat(channel) || Channel.isOwn(principal, channel),
      publish: (_, channel) => isChat(channel)
    }
  })
)

const Live = HttpRouter.serve(Route, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(Handlers),
  Layer.provide([LiveTail.layer(), LiveConnections.layer(), LiveHub.layer, Users]),
  Layer.provide([Memory.layer, SystemContext.layer("the tail reads for all tenants")]),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 1 }))
)

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const url = `ws://127.0.0.1:${"port" in address ? address.port : 0}/live`
  const ada = yield* LiveSocketClient.make({ url: `${url}?user=ada`, messages })
  const bob = yield* LiveSocketClient.make({ url: `${url}?user=bob`, messages })

  const { receipt } = yield* LiveSocketClient.dispatch(ada, new Say({ text: "hello" }))
  yield* LiveSocketClient.execute(bob, new Say({ text: "and hello to you" }))
  console.log("said:", yield* LiveSocketClient.ask(ada, new Count(), { after: receipt }))
  console.log("refused:", (yield* Effect.flip(LiveSocketClient.execute(ada, new Say({ text: "" }))))._tag)

  const events = LiveSocketClient.events(bob, { channels: ["tenant"], events: [Said], after: "0" })
  for (const { event, position } of yield* Stream.runCollect(Stream.take(events, 2))) {
    console.log(`event ${position}:`, event.text)
  }

  const chat = yield* Queue.unbounded<LiveSocketClient.Happening>()
  yield* Effect.forkScoped(
    Stream.runForEach(LiveSocketClient.join(ada, Channel.topic("chat")), (happening) => Queue.offer(chat, happening))
  )
  const heard = Effect.map(Queue.take(chat), (happening) => console.log("ada sees", happening))
  yield* heard
  const there = yield* Effect.forkScoped(Stream.runDrain(LiveSocketClient.join(bob, Channel.topic("chat"))))
  yield* heard
  yield* LiveSocketClient.publish(bob, Channel.topic("chat"), "typing ...")
  yield* heard
  yield* Fiber.interrupt(there)
  yield* heard
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide([Live, NodeSocket.layerWebSocketConstructor])))

// prints:
// said: 2
// refused: Empty
// event 1: hello
// event 2: and hello to you
// ada sees { _tag: 'Members', members: [ { id: 'ada', kind: 'user' } ] }
// ada sees { _tag: 'Presence', actor: { id: 'bob', kind: 'user' }, isHere: true }
// ada sees {
//   _tag: 'Message',
//   from: { id: 'bob', kind: 'user' },
//   data: 'typing ...'
// }
// ada sees { _tag: 'Presence', actor: { id: 'bob', kind: 'user' }, isHere: false }
