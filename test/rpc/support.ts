/**
 * What the tests of calls between processes share: messages of all kinds, a server that comes and goes, and its clients.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, DateTime, Effect, Layer, Logger, Queue, Result, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { Socket } from "effect/socket"
import { createServer } from "node:http"
import { BusClient, BusServer, MessageGroup } from "../../src/interfaces/rpc/index.ts"
import {
  Actor,
  Aggregate,
  Authenticator,
  Command,
  CommandBus,
  DispatchError,
  Event,
  EventStore,
  Memory,
  MessageContext,
  on,
  Query,
  QueryBus,
  Receipt,
  Repository,
  StreamName,
  TenantContext,
  TenantId
} from "../../src/index.ts"

class Booked extends Event.Class<Booked>()("Booked", { seat: Schema.String }) {}
export class Full extends Schema.TaggedError<Full>()("Full", { seats: Schema.BigInt }) {}

/** Fields and an answer that are not JSON by themselves. */
export class Book extends Command.Class<Book>()("Book", {
  payload: { seat: Schema.NonEmptyString, row: Schema.Int, price: Schema.BigInt },
  success: Schema.Struct({ price: Schema.BigInt, at: Schema.DateTimeUtc }),
  error: Full
}) {}
export class Touch extends Command.Class<Touch>()("Touch", { payload: {} }) {}
/** Its class says which aggregate it is for. */
export class Take extends Command.Class<Take>()("Take", {
  payload: { seat: Schema.String },
  success: Schema.Int,
  aggregateId: ({ seat }) => seat
}) {}
export class Hang extends Command.Class<Hang>()("Hang", { payload: {} }) {}
export class Break extends Command.Class<Break>()("Break", { payload: {} }) {}
export class Refuse extends Command.Class<Refuse>()("Refuse", { payload: { reason: Schema.String } }) {}
export class Seats extends Query.Class<Seats>()("Seats", {
  payload: {},
  success: Schema.Array(Schema.String)
}) {}
const Text = Schema.optional(Schema.String)
export class WhoAmI extends Query.Class<WhoAmI>()("WhoAmI", {
  payload: {},
  success: Schema.Struct({
    tenant: Schema.String,
    actor: Schema.optional(Actor.Actor),
    messageId: Text,
    correlationId: Text,
    causationId: Text,
    attributes: Schema.optional(Schema.Record(Schema.String, Schema.String)),
    after: Schema.optional(Schema.Number),
    traceId: Text
  })
}) {}
/** Its handler answers with what its class does not allow. */
export class Wrong extends Query.Class<Wrong>()("Wrong", {
  payload: {},
  success: Schema.String.check(Schema.isMaxLength(3))
}) {}
/** In the group of clients alone: the server is older. */
export class Newer extends Query.Class<Newer>()("Newer", { payload: {} }) {}

const Theatre = MessageGroup.make(Book, Touch, Take, Hang, Break, Refuse, Seats, WhoAmI, Wrong)
const NewerTheatre = MessageGroup.make(Book, Touch, Take, Hang, Break, Refuse, Seats, WhoAmI, Wrong, Newer)

/** What the server's handlers tell of themselves. */
export class Stage extends Context.Service<
  Stage,
  { readonly started: Queue.Queue<string>; readonly interrupted: Queue.Queue<string>; readonly logged: Array<string> }
>()("test/Stage") {}

export const stage = Layer.effect(
  Stage,
  Effect.map(Effect.all([Queue.unbounded<string>(), Queue.unbounded<string>()]), ([started, interrupted]) => ({
    started,
    interrupted,
    logged: []
  }))
)

export const secret = "the password is hunter2"

const Seat = Aggregate.make("Seat", { events: [Booked], initial: 0 }).evolve({ Booked: (times) => times + 1 })
const stream = StreamName.make("Theatre", "1")

const Handlers = Layer.merge(
  CommandBus.handlers(
    on(Book, ({ price, seat }) =>
      Effect.gen(function* () {
        if (seat === "none") return yield* new Full({ seats: 12n })
        const store = yield* EventStore.EventStore
        yield* store.append({ stream, expected: "any", events: [new Booked({ seat })] })
        const [event] = yield* store.readStream(stream, { direction: "backward", limit: 1 })
        if (event === undefined) return yield* Effect.die("nothing was appended")
        return { price: price + 1n, at: DateTime.makeUnsafe(event.recordedAt) }
      })
    ),
    on(Touch, () => Effect.void),
    on(Take, (command) =>
      Effect.map(
        Repository.execute(Seat, command.seat, command, ({ seat }) => Result.succeed([new Booked({ seat })])),
        ({ version }) => version
      )
    ),
    on(Hang, () =>
      Effect.flatMap(Stage, ({ interrupted, started }) =>
        Queue.offer(started, "Hang").pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Queue.offer(interrupted, "Hang"))
        )
      )
    ),
    on(Break, () => Effect.die(new Error(secret))),
    on(Refuse, ({ reason }) =>
      Effect.fail(
        DispatchError.make(
          "Refuse",
          reason === "conflict"
            ? new DispatchError.Conflict({ stream: "Seat-1", expected: 1, actual: 2 })
            : new DispatchError.Storage({ operation: reason, retryable: true }),
          new Error(secret)
        )
      )
    )
  ),
  QueryBus.handlers(
    on(Seats, () =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        Effect.map(store.readStream(stream), (events) =>
          events.map(({ data }) => (Schema.is(Schema.Struct({ seat: Schema.String }))(data) ? data.seat : ""))
        )
      )
    ),
    on(Wrong, () => Effect.succeed(secret)),
    on(WhoAmI, () =>
      Effect.gen(function* () {
        const { id: tenant } = yield* TenantContext.TenantContext
        const { actor, attributes, causationId, correlationId, messageId } = yield* MessageContext.MessageContext
        const after = yield* Receipt.After
        const span = yield* Effect.option(Effect.currentSpan)
        return {
          tenant,
          actor,
          messageId,
          correlationId,
          causationId,
          attributes,
          after: after?.position,
          traceId: span._tag === "Some" ? span.value.traceId : undefined
        }
      })
    )
  )
)

export const unreachable = "the user directory"

/** Who the bearer of which token is. */
const Tokens = Authenticator.layer(({ headers }) => {
  const token = headers["authorization"]?.replace("Bearer ", "")
  if (token === "banned") return Authenticator.denied
  if (token === "slow") {
    return Effect.fail(
      new Authenticator.AuthenticatorError({ reason: new Authenticator.Unavailable({ service: unreachable }) })
    )
  }
  const [tenant, name, kind] = token?.split("/") ?? []
  if (tenant === undefined || name === undefined) return Authenticator.unauthenticated
  return Effect.succeed({
    tenant: TenantId.make(tenant),
    actor: kind === "service" ? Actor.service(name) : Actor.user(name)
  })
})

export type Transport = "HTTP" | "WebSocket" | "in process"
export const sockets: ReadonlyArray<Exclude<Transport, "in process">> = ["HTTP", "WebSocket"]

const onBehalf: BusServer.Options["onBehalf"] = ({ actor }, asked) =>
  actor.kind === "service" && asked.tenant !== "forbidden"

const logs = Layer.unwrap(
  Effect.map(Stage, ({ logged }) =>
    Logger.layer([Logger.map(Logger.formatStructured, (entry) => void logged.push(JSON.stringify(entry)))])
  )
)

const Program = Handlers.pipe(Layer.provideMerge(Memory.layer))

/** A server of both transports on one port; it ends with its scope. */
export const serve = (options: Partial<BusServer.Options> & { readonly port?: number } = {}) =>
  Effect.gen(function* () {
    const routes = Layer.merge(
      BusServer.layerHttp(Theatre, { onBehalf, path: "/http", ...options }),
      BusServer.layerWebSocket(Theatre, { onBehalf, path: "/websocket", ...options })
    )
    const http = createServer()
    // What a process that dies does to its connections.
    yield* Effect.addFinalizer(() => Effect.sync(() => http.closeAllConnections()))
    const server = NodeHttpServer.layer(() => http, {
      port: options.port ?? 0,
      host: "127.0.0.1",
      gracefulShutdownTimeout: "100 millis"
    })
    const services = yield* Layer.build(
      HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provide([Program, Tokens]),
        Layer.provide(logs),
        Layer.provideMerge(server),
        Layer.fresh
      )
    )
    const { address } = Context.get(services, HttpServer.HttpServer)
    return "port" in address ? address.port : 0
  })

export interface Calling extends BusClient.Calls {
  readonly server?: Pick<BusServer.Options, "onBehalf" | "timeout">
}

const to = (port: number, path: string) => `http://127.0.0.1:${port}/${path}`

/** The client of a server. */
export const client = (transport: Transport, port: number, options: Calling = {}) => {
  if (transport === "in process") {
    return BusClient.layerInProcess(Theatre, { server: { onBehalf }, ...credentials, ...options }).pipe(
      Layer.provide([Program, Tokens]),
      Layer.provide(logs)
    )
  }
  return over(Theatre, transport, port, options)
}

/** The client of a newer program than the server is. */
export const newer = (transport: Exclude<Transport, "in process">, port: number) => over(NewerTheatre, transport, port)

const credentials = { headers: { authorization: "Bearer acme/ada" } }

const over = <Group extends MessageGroup.Any>(
  group: Group,
  transport: "HTTP" | "WebSocket",
  port: number,
  options: Calling = {}
) => {
  const calls = { ...credentials, ...options }
  return transport === "HTTP"
    ? BusClient.layerHttp(group, { url: to(port, "http"), ...calls }).pipe(Layer.provide(FetchHttpClient.layer))
    : BusClient.layerWebSocket(group, { url: to(port, "websocket").replace("http", "ws"), ...calls }).pipe(
        Layer.provide(Socket.layerWebSocketConstructorGlobal)
      )
}

/** Runs an effect as one client's caller. */
export const as =
  (transport: Transport, port: number, options?: Calling) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    self.pipe(Effect.provide([client(transport, port, options), TenantContext.layerSingle], { local: true }))

export const reasonOf = (error: unknown): DispatchError.Reason => {
  if (error instanceof DispatchError.DispatchError) return error.reason
  throw new Error("not a dispatch error", { cause: error })
}
