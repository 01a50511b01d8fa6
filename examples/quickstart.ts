// A task board: commands, events, a projection and a query, on an embedded Postgres that is stopped and started again; then
// the same program in memory and, where DATABASE_URL is set, on that Postgres.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Effect, Layer, Option, Redacted, Result, Schema } from "effect"
import { Aggregate, Command, CommandBus, Event, Memory, on, Projection, Query, QueryBus } from "effect-cqrs"
import { ReadModelStore, Repository, SystemContext, TenantContext } from "effect-cqrs"
import { Postgres } from "effect-cqrs/postgres"
import * as Pglite from "effect-cqrs/postgres/pglite"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"

// ── What can be said ──────────────────────────────────────────────────────────────────────────────────────────────────

const TaskId = Schema.String.check(Schema.isPattern(/^t-\d+$/)).pipe(Schema.brand("TaskId"))
const Title = Schema.NonEmptyString.check(Schema.isMaxLength(60))
const TaskView = Schema.Struct({ id: Schema.String, title: Schema.String, done: Schema.Boolean })

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskCompleted extends Event.Class<TaskCompleted>()("TaskCompleted", {}) {}

class TaskAlreadyExists extends Schema.TaggedError<TaskAlreadyExists>()("TaskAlreadyExists", { taskId: TaskId }) {}
class TaskNotOpen extends Schema.TaggedError<TaskNotOpen>()("TaskNotOpen", { taskId: TaskId }) {}

class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: TaskId, title: Title },
  error: TaskAlreadyExists
}) {}
class CompleteTask extends Command.Class<CompleteTask>()("CompleteTask", {
  payload: { taskId: TaskId },
  error: TaskNotOpen
}) {}
class ListTasks extends Query.Class<ListTasks>()("ListTasks", { payload: {}, success: Schema.Array(TaskView) }) {}

// ── How it is decided ─────────────────────────────────────────────────────────────────────────────────────────────────

type Status = "none" | "open" | "done"

const Task = Aggregate.make("Task", { events: [TaskCreated, TaskCompleted], initial: "none" as Status }).evolve({
  TaskCreated: () => "open",
  TaskCompleted: () => "done"
})

const create = ({ taskId, title }: CreateTask, status: Status) =>
  status === "none" ? Result.succeed([new TaskCreated({ title })]) : Result.fail(new TaskAlreadyExists({ taskId }))

const complete = ({ taskId }: CompleteTask, status: Status) =>
  status === "open" ? Result.succeed([new TaskCompleted()]) : Result.fail(new TaskNotOpen({ taskId }))

// ── What is read ──────────────────────────────────────────────────────────────────────────────────────────────────────

const Tasks = ReadModelStore.collection("tasks", TaskView)

const TaskList = Projection.make("task-list", {
  events: Task.events,
  on: {
    TaskCreated: ({ title }, { stream }) => Tasks.set(stream, { id: stream.slice(5), title, done: false }),
    TaskCompleted: (_, { stream }) =>
      Effect.flatMap(Tasks.get(stream), (task) =>
        Option.isSome(task) ? Tasks.set(stream, { ...task.value, done: true }) : Effect.void
      )
  }
})

const Board = Layer.mergeAll(
  CommandBus.handlers(
    on(CreateTask, (command) => Repository.execute(Task, command.taskId, command, create)),
    on(CompleteTask, (command) => Repository.execute(Task, command.taskId, command, complete))
  ),
  QueryBus.handlers(on(ListTasks, () => Effect.map(Tasks.list(), (found) => found.map(({ document }) => document)))),
  Projection.layer(TaskList)
).pipe(Layer.provide(SystemContext.layer("projections read all tenants")))

// ── The program ───────────────────────────────────────────────────────────────────────────────────────────────────────

const paint = (code: number) => (text: string) => (process.stdout.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text)
const [bold, dim, green, red, cyan] = [paint(1), paint(2), paint(32), paint(31), paint(36)]
const say = (line = "") => Effect.sync(() => console.log(line))

const show = Effect.gen(function* () {
  const tasks = yield* QueryBus.ask(new ListTasks())
  for (const { done, id, title } of tasks) {
    yield* say(`  ${done ? green("[x]") : "[ ]"} ${dim(id)} ${done ? dim(title) : title}`)
  }
})

const attempt = (input: { readonly taskId: string; readonly title: string }) =>
  CommandBus.executeUnknown(CreateTask, input).pipe(
    Effect.andThen(say(`  ${green("ok")}      created ${input.taskId}`)),
    Effect.catchTag("TaskAlreadyExists", ({ taskId }) => say(`  ${red("refused")} ${taskId} exists already`)),
    Effect.catchReason("DispatchError", "Invalid", ({ issues }) =>
      Effect.forEach(issues, ({ message, path }) => say(`  ${red("invalid")} ${bold(path)}: ${message}`))
    )
  )

const work = Effect.gen(function* () {
  yield* say(dim("  commands"))
  yield* attempt({ taskId: "t-1", title: "Read the README" })
  yield* attempt({ taskId: "t-2", title: "Run the quickstart" })
  yield* attempt({ taskId: "t-3", title: "Replace one layer" })
  yield* attempt({ taskId: "t-1", title: "Read it again" })
  yield* attempt({ taskId: "task one", title: "" })
  const { receipt } = yield* CommandBus.dispatch(new CompleteTask({ taskId: TaskId.make("t-1") }))

  yield* say(dim(`  the read model, as soon as it holds position ${receipt.position}`))
  yield* Projection.waitFor(TaskList, receipt)
  yield* show
})

const title = (text: string) => Effect.andThen(say(), say(bold(cyan(text))))

const main = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "effect-cqrs-quickstart-"))),
    (directory) => Effect.promise(() => fs.rm(directory, { recursive: true, force: true }))
  )
  const embedded = Board.pipe(Layer.provideMerge(Pglite.layer({ dataDir: path.join(folder, "data") })))

  yield* title("An embedded Postgres, in a new folder")
  yield* Effect.provide(work, embedded)

  yield* title("Stopped, and started again on the same folder")
  yield* Effect.provide(show, embedded, { local: true })

  yield* title("The same program in memory")
  yield* Effect.provide(work, Board.pipe(Layer.provideMerge(Memory.layer)), { local: true })

  const url = yield* Config.option(Config.String("DATABASE_URL"))
  if (Option.isSome(url)) {
    yield* title("The same program on DATABASE_URL, as a tenant of its own")
    const tenant = TenantContext.provide(`quickstart-${path.basename(folder)}`)
    yield* tenant(
      Effect.provide(work, Board.pipe(Layer.provideMerge(Postgres.layerUrl(Redacted.make(url.value)))), { local: true })
    )
  } else {
    yield* say()
    yield* say(dim("Set DATABASE_URL to run the same program on a Postgres of yours."))
  }
})

main.pipe(Effect.scoped, Effect.provide(TenantContext.layerSingle), NodeRuntime.runMain)

// prints:
//
// An embedded Postgres, in a new folder
//   commands
//   ok      created t-1
//   ok      created t-2
//   ok      created t-3
//   refused t-1 exists already
//   invalid taskId: Expected a string matching the RegExp ^t-\d+$
//   invalid title: Expected a value with a length of at least 1
//   the read model, as soon as it holds position 4
//   [x] t-1 Read the README
//   [ ] t-2 Run the quickstart
//   [ ] t-3 Replace one layer
//
// Stopped, and started again on the same folder
//   [x] t-1 Read the README
//   [ ] t-2 Run the quickstart
//   [ ] t-3 Replace one layer
//
// The same program in memory
//   commands
//   ok      created t-1
//   ok      created t-2
//   ok      created t-3
//   refused t-1 exists already
//   invalid taskId: Expected a string matching the RegExp ^t-\d+$
//   invalid title: Expected a value with a length of at least 1
//   the read model, as soon as it holds position 4
//   [x] t-1 Read the README
//   [ ] t-2 Run the quickstart
//   [ ] t-3 Replace one layer
//
// The same program on DATABASE_URL, as a tenant of its own
//   commands
//   ok      created t-1
//   ok      created t-2
//   ok      created t-3
//   refused t-1 exists already
//   invalid taskId: Expected a string matching the RegExp ^t-\d+$
//   invalid title: Expected a value with a length of at least 1
//   the read model, as soon as it holds position 4
//   [x] t-1 Read the README
//   [ ] t-2 Run the quickstart
//   [ ] t-3 Replace one layer
