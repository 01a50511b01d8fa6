/**
 * What the tests of HTTP share: tasks of two tenants in memory, a server of them on a port of the kernel's choice, and a client.
 */
import { createServer, type Server, type ServerOptions } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as HttpServer from "effect/http/HttpServer"
import {
  Actor,
  Aggregate,
  Authenticator,
  Command,
  CommandBus,
  Event,
  Memory,
  MessageContext,
  Middleware,
  on,
  Page,
  Projection,
  Query,
  QueryBus,
  ReadModelStore,
  Repository,
  SystemContext,
  TenantContext,
  TenantId
} from "../../src/index.ts"
import { Http } from "../../src/interfaces/http/index.ts"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskRenamed extends Event.Class<TaskRenamed>()("TaskRenamed", { title: Schema.String }) {}

class TaskAlreadyExists extends Schema.TaggedError<TaskAlreadyExists>()(
  "TaskAlreadyExists",
  { taskId: Schema.String },
  { httpApiStatus: 409 }
) {
  override get message() {
    return `There is a task ${this.taskId} already`
  }
}
class TaskNotFound extends Schema.TaggedError<TaskNotFound>()(
  "TaskNotFound",
  { taskId: Schema.String },
  { httpApiStatus: 404 }
) {}
class TitleTaken extends Schema.TaggedError<TitleTaken>()("TitleTaken", { title: Schema.String }) {}
class TooFast extends Schema.TaggedError<TooFast>()(
  "TooFast",
  { retryAfterMillis: Schema.Number },
  { httpApiStatus: 429 }
) {}

const Title = Schema.String.pipe(Schema.check(Schema.isBetweenLength(1, 60)))
const TaskId = Schema.String.pipe(Schema.check(Schema.isPattern(/^[a-z0-9-]{1,40}$/)))

export class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: TaskId, title: Title },
  error: TaskAlreadyExists,
  aggregateId: ({ taskId }) => taskId
}) {}
export class RenameTask extends Command.Class<RenameTask>()("RenameTask", {
  payload: { taskId: TaskId, title: Title, notify: Schema.optionalKey(Schema.Array(Schema.String)) },
  success: Schema.Struct({ renamed: Schema.Int }),
  error: Schema.Union([TaskNotFound, TitleTaken, TooFast]),
  aggregateId: ({ taskId }) => taskId
}) {}
export class Misbehave extends Command.Class<Misbehave>()("Misbehave", {
  payload: { how: Schema.Literals(["die", "throw", "hang", "lie", "stop"]) },
  success: Schema.Int
}) {}
export class SignUp extends Command.Class<SignUp>()("SignUp", { payload: {}, success: Schema.String }) {}

export class Trace extends Command.Class<Trace>()("Trace", { payload: {}, success: Schema.String }) {}

const TaskView = Schema.Struct({ taskId: Schema.String, title: Schema.String, version: Schema.Int })

export class GetTask extends Query.Class<GetTask>()("GetTask", {
  payload: { taskId: TaskId },
  success: TaskView,
  error: TaskNotFound
}) {}
export class ListTitles extends Query.Class<ListTitles>()("ListTitles", {
  payload: {
    limit: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
    order: Schema.optionalKey(Schema.Literals(["up", "down"])),
    only: Schema.optionalKey(Schema.Array(Schema.String)),
    upper: Schema.optionalKey(Schema.Boolean)
  },
  success: Schema.Array(Schema.String)
}) {}
export class PageTitles extends Query.Class<PageTitles>()("PageTitles", {
  payload: { ...Page.numbered, upper: Schema.optionalKey(Schema.Boolean) },
  success: Page.of(Schema.String)
}) {}
export class FollowTitles extends Query.Class<FollowTitles>()("FollowTitles", {
  payload: Page.keyset,
  success: Page.keyedOf(Schema.String)
}) {}
export class Search extends Query.Class<Search>()("Search", {
  payload: { filter: Schema.Struct({ title: Schema.String }) },
  success: Schema.Array(Schema.String)
}) {}

const Task = Aggregate.make("Task", { events: [TaskCreated, TaskRenamed], initial: Option.none<string>() }).evolve({
  TaskCreated: (_, { title }) => Option.some(title),
  TaskRenamed: (_, { title }) => Option.some(title)
})
const Titles = ReadModelStore.collection("titles", Schema.String)
const TitleList = Projection.make("titles", {
  events: [TaskCreated, TaskRenamed],
  collections: [Titles],
  on: {
    TaskCreated: ({ title }, { stream }) => Titles.set(stream, title),
    TaskRenamed: ({ title }, { stream }) => Titles.set(stream, title)
  }
})

const letters = Array.from("abcdefg")

const messageId = Effect.map(MessageContext.MessageContext, (context) => context.messageId)

const Commands = CommandBus.handlers(
  on(CreateTask, (command) =>
    Effect.flatMap(messageId, (id) =>
      Repository.execute(
        Task,
        command.taskId,
        command,
        ({ taskId, title }, state) =>
          Option.isSome(state)
            ? Result.fail(new TaskAlreadyExists({ taskId }))
            : Result.succeed([new TaskCreated({ title })]),
        { id }
      )
    )
  ),
  on(RenameTask, (command) =>
    Effect.gen(function* () {
      if (command.title === "fast") return yield* new TooFast({ retryAfterMillis: 1500 })
      const { version } = yield* Repository.execute(Task, command.taskId, command, ({ taskId, title }, state) => {
        if (Option.isNone(state)) return Result.fail(new TaskNotFound({ taskId }))
        return title === "taken" ? Result.fail(new TitleTaken({ title })) : Result.succeed([new TaskRenamed({ title })])
      })
      return { renamed: version }
    })
  ),
  on(Misbehave, ({ how }) => {
    if (how === "throw") throw new Error("secret of a handler")
    return how === "die"
      ? Effect.die(new Error("secret of a handler"))
      : how === "lie"
        ? Effect.succeed(1.5)
        : how === "stop"
          ? Effect.interrupt
          : Effect.never
  }),
  on(Trace, () =>
    Effect.withFiber((fiber) => Effect.succeed(MessageContext.unsafeMetadata(fiber).traceparent ?? "none"))
  ),
  on(SignUp, () =>
    Effect.map(
      Effect.zip(TenantContext.TenantContext, MessageContext.MessageContext),
      ([{ id }, { actor }]) => `${id}/${actor?.id}`
    )
  )
)

const Queries = QueryBus.handlers(
  on(GetTask, ({ taskId }) =>
    Effect.flatMap(Repository.load(Task, taskId), ({ state, version }) =>
      Option.isSome(state)
        ? Effect.succeed({ taskId, title: state.value, version })
        : Effect.fail(new TaskNotFound({ taskId }))
    )
  ),
  on(ListTitles, ({ limit, only, order, upper }) =>
    Effect.map(Titles.list(), (found) => {
      const titles = found.map(({ document }) => document).filter((title) => only === undefined || only.includes(title))
      const sorted = order === "down" ? titles.toSorted().toReversed() : titles.toSorted()
      return sorted.slice(0, limit).map((title) => (upper === true ? title.toUpperCase() : title))
    })
  ).pipe(Middleware.use(Projection.readingWrites([TitleList], { timeout: "2 seconds" }))),
  on(PageTitles, (query) => {
    const { offset, size } = Page.window(query)
    return Effect.succeed(Page.make(letters.slice(offset, offset + size), query, letters.length))
  }),
  on(FollowTitles, ({ cursor, size = Page.defaultSize }) => {
    const start = cursor === undefined ? 0 : letters.indexOf(cursor) + 1
    return Effect.succeed(Page.keyed(letters.slice(start, start + size + 1), { size }, (letter) => letter))
  }),
  on(Search, ({ filter }) =>
    Effect.map(Titles.list(), (found) =>
      found.map(({ document }) => document).filter((title) => title.includes(filter.title))
    )
  )
)

export const Tasks = Http.make("Tasks", {
  commands: [CreateTask, RenameTask, Misbehave, SignUp, Trace],
  queries: [GetTask, ListTitles, PageTitles, FollowTitles, Search],
  routes: {
    CreateTask: { created: "/tasks/:taskId" },
    RenameTask: { method: "PUT", path: "/tasks/:taskId/title" },
    GetTask: { path: "/tasks/:taskId", etag: ({ version }) => version },
    SignUp: { public: true }
  }
})

const principals = new Map([
  ["Bearer ada", { tenant: TenantId.make("acme"), actor: Actor.user("ada") }],
  ["Bearer bob", { tenant: TenantId.make("globex"), actor: Actor.user("bob") }]
])

/** Ada is of one tenant, Bob of another, and Eve may not come in. */
export const Known = Authenticator.layer(({ headers }) => {
  const { authorization } = headers
  if (authorization === "Bearer eve") return Authenticator.denied
  const principal = principals.get(authorization ?? "")
  return principal === undefined ? Authenticator.unauthenticated : Effect.succeed(principal)
})

const Ports = Layer.merge(Memory.layer, SystemContext.layer("test"))
export const Handlers = Layer.mergeAll(Commands, Queries, Projection.layer(TitleList)).pipe(Layer.provideMerge(Ports))

/** A server of these routes; it ends with its scope. */
export const listen = <E>(app: Layer.Layer<never, E, HttpServer.HttpServer>, options: ServerOptions = {}) =>
  Effect.gen(function* () {
    let server: Server | undefined
    const node = NodeHttpServer.layer(() => (server = createServer(options)), {
      port: 0,
      host: "127.0.0.1",
      gracefulShutdownTimeout: "1 second"
    })
    yield* Layer.build(Layer.provide(app, node))
    const address = server?.address()
    return isAddress(address) ? `http://127.0.0.1:${address.port}` : ""
  })

const isAddress = (address: unknown): address is AddressInfo => typeof address === "object" && address !== null

/** What the tests look at of answers and of problems. */
interface Body {
  readonly value?: unknown
  readonly receipt?: unknown
  readonly type?: unknown
  readonly title?: unknown
  readonly status?: unknown
  readonly detail?: unknown
  readonly code?: string
  readonly id?: string
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly error?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Body
}

export interface Call {
  readonly as?: string | undefined
  readonly method?: string | undefined
  readonly headers?: Record<string, string> | undefined
  readonly body?: unknown
}

/** Sends one request; a body is sent as JSON. */
export const call =
  (base: string) =>
  (path: string, { as = "ada", body, headers, method }: Call = {}): Effect.Effect<Answer> =>
    Effect.promise(async (signal) => {
      const response = await fetch(base + path, {
        signal,
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(as === "" ? {} : { authorization: `Bearer ${as}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, body: parsed(text) }
    })

const parsed = (text: string): Body => {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
