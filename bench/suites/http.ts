/**
 * A command by POST: ours with its gate, authentication, decoding, ids, receipt and metrics, peers with what they have.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Actor, Authenticator, Command, CommandBus, on, TenantId } from "effect-cqrs"
import { Http, HttpServing } from "effect-cqrs/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"
import type { Contender, Row, Suite } from "../harness.ts"
import { aspects, load, loadFromOutside } from "../load.ts"
import * as Web from "../peers/web.ts"

class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: Schema.NonEmptyString, title: Schema.NonEmptyString },
  success: Schema.Struct({ length: Schema.Int })
}) {}

const Tasks = Http.make("Tasks", { commands: [CreateTask], routes: { CreateTask: { path: "/tasks" } } })
const Handlers = CommandBus.handlers(on(CreateTask, ({ title }) => Effect.succeed({ length: title.length })))
const Ada = Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })
const Routes = Http.layer(Tasks).pipe(Layer.provide([Handlers, Ada]))

const Gated = HttpServing.serve(Routes)
const Bare = HttpRouter.serve(Routes, { disableListenLog: true, disableLogger: true })

const served =
  (app: Layer.Layer<never, unknown, HttpServer.HttpServer>, clients: number, loading = load): Contender =>
  async () => {
    const node = NodeHttpServer.layer(() => createServer(HttpServing.nodeOptions), { port: 0, host: "127.0.0.1" })
    const { address } = await ManagedRuntime.make(Layer.provideMerge(app, node)).runPromise(HttpServer.HttpServer)
    if (!("port" in address)) throw new Error("The server has no port")
    return loading(clients, {
      port: address.port,
      path: "/tasks",
      contentType: "application/json",
      body: JSON.stringify({ taskId: "t-1", title: "Write" }),
      answer: `"length":5`
    })
  }

const also = Object.fromEntries(Object.values(aspects).map((name) => [name, { unit: "ms", less: true }]))

const row = (name: string, clients: number) => ({
  name,
  unit: "/s",
  also,
  ours: served(Gated, clients),
  peers: { fastify: Web.fastify(clients), "@nestjs/cqrs": Web.nest(clients) },
  beside: { "ours without the gate": served(Bare, clients) }
})

/** What a server can do that its clients leave the processor to. */
const fromOutside: Row = {
  name: "a command by POST, 64 at once from outside",
  unit: "/s",
  target: { value: 5000 },
  also: { ...also, [aspects.p99]: { unit: "ms", less: true, target: { value: 500 } } },
  ours: served(Gated, 64, loadFromOutside),
  peers: { fastify: Web.fastify(64, loadFromOutside), "@nestjs/cqrs": Web.nest(64, loadFromOutside) },
  beside: { "ours without the gate": served(Bare, 64, loadFromOutside) }
}

const suite: Suite = [row("a command by POST, one at a time", 1), row("a command by POST, 64 at once", 64), fromOutside]

export default suite
