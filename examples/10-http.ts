// The same commands and queries over HTTP: routes by convention, problems in JSON, versions as ETags, keys that make a retry safe.
import { createServer } from "node:http"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Logger, Option, Result, Schema } from "effect"
import {
  Actor,
  Aggregate,
  Authenticator,
  Command,
  CommandBus,
  Event,
  Memory,
  MessageContext,
  on,
  Query,
  QueryBus,
  Repository,
  TenantId
} from "effect-cqrs"
import { Http, HttpServing } from "effect-cqrs/http"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskRenamed extends Event.Class<TaskRenamed>()("TaskRenamed", { title: Schema.String }) {}

class TaskNotFound extends Schema.TaggedError<TaskNotFound>()("TaskNotFound", {}, { httpApiStatus: 404 }) {}

class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: Schema.NonEmptyString, title: Schema.NonEmptyString },
  aggregateId: ({ taskId }) => taskId
}) {}
class RenameTask extends Command.Class<RenameTask>()("RenameTask", {
  payload: { taskId: Schema.NonEmptyString, title: Schema.NonEmptyString },
  error: TaskNotFound,
  aggregateId: ({ taskId }) => taskId
}) {}
class GetTask extends Query.Class<GetTask>()("GetTask", {
  payload: { taskId: Schema.NonEmptyString },
  success: Schema.Struct({ title: Schema.String, version: Schema.Int }),
  error: TaskNotFound
}) {}

const Task = Aggregate.make("Task", { events: [TaskCreated, TaskRenamed], initial: Option.none<string>() }).evolve({
  TaskCreated: (_, { title }) => Option.some(title),
  TaskRenamed: (_, { title }) => Option.some(title)
})

const Handlers = Layer.merge(
  CommandBus.handlers(
    on(CreateTask, (command) =>
      // The message id is the client's Idempotency-Key: executed again under it, this answers as the first time.
      Effect.flatMap(MessageContext.MessageContext, ({ messageId }) =>
        Repository.execute(Task, command.taskId, command, ({ title }) => Result.succeed([new TaskCreated({ title })]), {
          id: messageId
        })
      )
    ),
    on(RenameTask, (command) =>
      Repository.execute(Task, command.taskId, command, ({ title }, task) =>
        Option.isNone(task) ? Result.fail(new TaskNotFound()) : Result.succeed([new TaskRenamed({ title })])
      )
    )
  ),
  QueryBus.handlers(
    on(GetTask, ({ taskId }) =>
      Effect.flatMap(Repository.load(Task, taskId), ({ state, version }) =>
        Option.match(state, {
          onNone: () => Effect.fail(new TaskNotFound()),
          onSome: (title) => Effect.succeed({ title, version })
        })
      )
    )
  )
)

const Tasks = Http.make("Tasks", {
  commands: [CreateTask, RenameTask],
  queries: [GetTask],
  routes: {
    CreateTask: { created: "/tasks/:taskId" },
    RenameTask: { method: "PUT", path: "/tasks/:taskId/title" },
    GetTask: { path: "/tasks/:taskId", etag: ({ version }) => version }
  }
})

const Tokens = Authenticator.layer(({ headers }) =>
  headers["authorization"] === "Bearer s3cret"
    ? Effect.succeed({ tenant: TenantId.make("acme"), actor: Actor.user("ada") })
    : Authenticator.unauthenticated
)

const server = createServer(HttpServing.nodeOptions)
const Live = HttpServing.serve(Http.layer(Tasks)).pipe(
  Layer.provide([Handlers, Tokens]),
  Layer.provide(Memory.layer),
  Layer.provide(NodeHttpServer.layer(() => server, { port: 0 })),
  Layer.provide(Logger.layer([]))
)

const call = (method: string, path: string, options: { body?: unknown; headers?: Record<string, string> } = {}) =>
  Effect.promise(async () => {
    const address = server.address()
    const port = typeof address === "object" ? address?.port : 0
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: "Bearer s3cret", "content-type": "application/json", ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) })
    })
    const body: unknown = await response.json()
    return {
      status: response.status,
      etag: response.headers.get("etag"),
      location: response.headers.get("location"),
      body
    }
  })

const program = Effect.gen(function* () {
  const create = { body: { taskId: "t-1", title: "Write" }, headers: { "idempotency-key": "k-1" } }
  const created = yield* call("POST", "/commands/create-task", create)
  console.log(created.status, created.location, created.etag)
  const again = yield* call("POST", "/commands/create-task", create)
  console.log("sent again:", again.status, again.etag)

  const seen = { "if-match": '"1"' }
  const renamed = yield* call("PUT", "/tasks/t-1/title", { body: { title: "Read" }, headers: seen })
  console.log("renamed:", renamed.status, renamed.etag)
  const late = yield* call("PUT", "/tasks/t-1/title", { body: { title: "Sing" }, headers: seen })
  console.log("too late:", late.status, late.body)

  console.log((yield* call("GET", "/tasks/t-1")).body)
  console.log((yield* call("POST", "/commands/create-task", { body: { taskId: "", title: 1 } })).body)
  console.log((yield* call("GET", "/health/ready")).body)
})

await Effect.runPromise(Effect.provide(program, Live))

// prints:
// 201 /tasks/t-1 "1"
// sent again: 201 "1"
// renamed: 200 "2"
// too late: 412 {
//   type: 'urn:effect-cqrs:problem:PreconditionFailed',
//   title: 'Precondition failed',
//   status: 412,
//   detail: 'It has changed since: read it again',
//   code: 'PreconditionFailed'
// }
// { title: 'Read', version: 2 }
// {
//   type: 'urn:effect-cqrs:problem:Invalid',
//   title: 'Invalid',
//   status: 422,
//   detail: 'taskId: Expected a value with a length of at least 1; title: Expected string',
//   code: 'Invalid',
//   errors: [
//     {
//       path: 'taskId',
//       message: 'Expected a value with a length of at least 1'
//     },
//     { path: 'title', message: 'Expected string' }
//   ]
// }
// { status: 'up', checks: {} }
