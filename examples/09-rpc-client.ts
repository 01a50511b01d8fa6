// A server and its client: the calls are those of one process, only a layer differs.
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Result, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { Actor, Aggregate, Authenticator, Command, CommandBus, Event, Memory, Middleware, on, Query } from "effect-cqrs"
import { Projection, QueryBus, ReadModelStore, Repository, SystemContext, TenantContext, TenantId } from "effect-cqrs"
import { BusClient, BusServer, MessageGroup } from "effect-cqrs/rpc"

// What both sides share: the messages.
class Exists extends Schema.TaggedError<Exists>()("Exists", { taskId: Schema.String }) {}
class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: Schema.NonEmptyString, title: Schema.NonEmptyString },
  error: Exists
}) {}
class ListTasks extends Query.Class<ListTasks>()("ListTasks", { payload: {}, success: Schema.Array(Schema.String) }) {}

const Tasks = MessageGroup.make(CreateTask, ListTasks)

// The server: an aggregate, a projection, a handler for each message, and who may call.
class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", {
  taskId: Schema.String,
  title: Schema.String
}) {}
const Task = Aggregate.make("Task", { events: [TaskCreated], initial: false }).evolve(() => true)
const Titles = ReadModelStore.collection("titles", Schema.String)
const TaskTitles = Projection.make("task-titles", {
  events: [TaskCreated],
  on: { TaskCreated: ({ taskId, title }) => Titles.set(taskId, title) }
})

const Handlers = Layer.merge(
  CommandBus.handlers(
    on(CreateTask, ({ taskId, title }) =>
      Repository.execute(Task, taskId, title, (title, exists) =>
        exists ? Result.fail(new Exists({ taskId })) : Result.succeed([new TaskCreated({ taskId, title })])
      )
    )
  ),
  QueryBus.handlers(
    on(ListTasks, () => Effect.map(Titles.list(), (all) => all.map(({ document }) => document))).pipe(
      Middleware.use(Projection.readingWrites([TaskTitles]))
    )
  )
)

const tokens = new Map([
  ["Bearer ada", { tenant: TenantId.make("acme"), actor: Actor.user("ada") }],
  ["Bearer bob", { tenant: TenantId.make("globex"), actor: Actor.user("bob") }]
])
const Tokens = Authenticator.layer(({ headers }) => {
  const principal = tokens.get(headers["authorization"] ?? "")
  return principal === undefined ? Authenticator.unauthenticated : Effect.succeed(principal)
})

const Server = HttpRouter.serve(BusServer.layerHttp(Tasks, { path: "/rpc" }), {
  disableListenLog: true,
  disableLogger: true
}).pipe(
  Layer.provide([Handlers, Tokens]),
  Layer.provide(Projection.layer(TaskTitles)),
  Layer.provide(SystemContext.layer("projections read all tenants")),
  Layer.provide(Memory.layer),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

// What the client does: as if the handlers were here.
const program = Effect.gen(function* () {
  const { receipt } = yield* CommandBus.dispatch(new CreateTask({ taskId: "t-1", title: "Write the README" }))
  console.log("created:", JSON.stringify(receipt))
  console.log("tasks:", yield* QueryBus.ask(new ListTasks(), { after: receipt }))
  yield* CommandBus.execute(new CreateTask({ taskId: "t-1", title: "Again" })).pipe(
    Effect.catchTag("Exists", ({ taskId }) => Effect.sync(() => console.log("refused:", taskId, "exists")))
  )
})

const clientOf = (url: string, token: string) =>
  Layer.merge(
    BusClient.layerHttp(Tasks, { url, headers: { authorization: `Bearer ${token}` } }).pipe(
      Layer.provide(FetchHttpClient.layer)
    ),
    TenantContext.layerSingle
  )

const both = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/rpc`
  const as = (token: string) => Effect.provide(clientOf(url, token), { local: true })

  yield* program.pipe(as("ada"))
  console.log("bob's tasks:", yield* QueryBus.ask(new ListTasks()).pipe(as("bob")))
  const refused = yield* Effect.flip(QueryBus.ask(new ListTasks()).pipe(as("eve")))
  console.log("eve:", refused.message)
})
await Effect.runPromise(Effect.scoped(both.pipe(Effect.provide(Server))))

// prints:
// created: {"streams":[{"stream":"Task-t-1","version":1}],"position":1}
// tasks: [ 'Write the README' ]
// refused: t-1 exists
// bob's tasks: []
// eve: ListTasks: The message does not prove who sends it
