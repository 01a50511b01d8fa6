/**
 * A command from another process: ours with its authentication, decoding, ids and receipt, peers with what they have.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Actor, Authenticator, Command, CommandBus, on, TenantContext, TenantId } from "effect-cqrs"
import { BusClient, BusServer, MessageGroup } from "effect-cqrs/rpc"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Socket from "effect/socket/Socket"
import { createServer } from "node:http"
import { type Contender, inFlight, perSecond, type Suite } from "../harness.ts"
import { aspects, load } from "../load.ts"
import * as Web from "../peers/web.ts"

class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: Schema.NonEmptyString, title: Schema.NonEmptyString },
  success: Schema.Struct({ length: Schema.Int })
}) {}

const Tasks = MessageGroup.make(CreateTask)
const Handlers = CommandBus.handlers(on(CreateTask, ({ title }) => Effect.succeed({ length: title.length })))
const Ada = Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })

const Server = HttpRouter.serve(
  Layer.merge(
    BusServer.layerHttp(Tasks, { path: "/http", tracing: false }),
    BusServer.layerWebSocket(Tasks, { path: "/websocket", tracing: false })
  ),
  { disableListenLog: true, disableLogger: true }
).pipe(
  Layer.provide([Handlers, Ada]),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const start = async (): Promise<number> => {
  const runtime = ManagedRuntime.make(Server)
  const { address } = await runtime.runPromise(HttpServer.HttpServer)
  if (!("port" in address)) throw new Error("The server has no port")
  return address.port
}

const payload = { message: { taskId: "t-1", title: "Write" } }
const line = JSON.stringify({ _tag: "Request", id: "1", tag: "command/CreateTask", payload, headers: [] })

const overHttp =
  (clients: number): Contender =>
  async () =>
    load(clients, {
      port: await start(),
      path: "/http",
      contentType: "application/x-ndjson",
      body: `${line}\n`,
      answer: `"length":5`
    })

const command = new CreateTask(payload.message)

const calls = (Client: Layer.Layer<CommandBus.Handler<"CreateTask">, unknown>, clients: number) => {
  const runtime = ManagedRuntime.make(Layer.merge(Client, TenantContext.layerSingle))
  return perSecond(inFlight(clients, () => () => runtime.runPromise(CommandBus.execute(command))))
}

const overWebSocket =
  (clients: number): Contender =>
  async () =>
    calls(
      BusClient.layerWebSocket(Tasks, { url: `ws://127.0.0.1:${await start()}/websocket`, tracing: false }).pipe(
        Layer.provide(Socket.layerWebSocketConstructorGlobal)
      ),
      clients
    )

const inProcess =
  (clients: number): Contender =>
  () =>
    calls(BusClient.layerInProcess(Tasks, { tracing: false }).pipe(Layer.provide([Handlers, Ada])), clients)

const also = Object.fromEntries(Object.values(aspects).map((name) => [name, { unit: "ms", less: true }]))

const row = (name: string, clients: number) => ({
  name,
  unit: "/s",
  also,
  ours: overHttp(clients),
  peers: { fastify: Web.fastify(clients), "@nestjs/cqrs": Web.nest(clients) }
})

const suite: Suite = [
  row("a command over HTTP, one at a time", 1),
  row("a command over HTTP, 64 at once", 64),
  {
    name: "a command by a typed client, 64 at once, over a WebSocket",
    unit: "/s",
    ours: overWebSocket(64),
    peers: {},
    beside: { "in process": inProcess(64) }
  }
]

export default suite
