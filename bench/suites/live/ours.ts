/**
 * Our servers of live events, for the benches of transports: a log in memory, and what is appended to it.
 */
import {
  Actor,
  Authenticator,
  Event,
  EventStore,
  LiveConnections,
  LiveHub,
  LiveTail,
  Memory,
  StreamName,
  SystemContext,
  TenantContext,
  TenantId
} from "effect-cqrs"
import { Sse } from "effect-cqrs/sse"
import { LiveSocket } from "effect-cqrs/websocket"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"
import { text } from "../../peers/liveClients.ts"
import type { Server } from "../../peers/liveLoad.ts"

export class Ticked extends Event.Class<Ticked>()("Ticked", { text: Schema.String }, { tags: () => ["tenant"] }) {}

const many = { total: 100_000, perTenant: 100_000, perPrincipal: 100_000, lifetime: "1 day" } as const

/** A server of both, and what appends so many events at once. */
export const start = async (): Promise<Server> => {
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/sse", Sse.handle({ heartbeat: "1 hour" })),
    HttpRouter.add("GET", "/ws", LiveSocket.handle({ heartbeat: "1 hour" }))
  )
  const services = Layer.mergeAll(
    LiveTail.layer(),
    LiveHub.layer,
    LiveConnections.layer(many),
    Authenticator.layerFixed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })
  ).pipe(Layer.provide(SystemContext.layer("the bench")), Layer.provideMerge(Memory.layer))
  const runtime = ManagedRuntime.make(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(services),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
  )
  const { address } = await runtime.runPromise(HttpServer.HttpServer)
  let stream = 0
  const publish = (events: number) =>
    runtime.runPromise(
      Effect.flatMap(EventStore.EventStore, (store) =>
        store.append({
          // A stream that ends is no burden of the log's.
          stream: StreamName.make("Tick", `${stream++}`),
          expected: "any",
          events: Array.from({ length: events }, () => new Ticked({ text }))
        })
      ).pipe(TenantContext.provide("acme"))
    )
  return { port: "port" in address ? address.port : 0, publish }
}
