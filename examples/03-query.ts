// Queries: typed answers from a handler, with middleware around it.
import { Effect, Layer, Option, Schema } from "effect"
import { Memory, on, Query, QueryBus, ReadModelStore, Resilience, TenantContext, Middleware } from "effect-cqrs"

const TaskView = Schema.Struct({ title: Schema.String, status: Schema.Literals(["open", "done"]) })
const Tasks = ReadModelStore.collection("tasks", TaskView)

class GetTask extends Query.Class<GetTask>()("GetTask", {
  payload: { taskId: Schema.String },
  success: Schema.Option(TaskView) // absence is an answer
}) {}

class ListTasks extends Query.Class<ListTasks>()("ListTasks", {
  payload: { status: Schema.Literals(["open", "done"]) },
  success: Schema.Array(TaskView)
}) {}

const Handlers = QueryBus.handlers(
  on(GetTask, ({ taskId }) => Tasks.get(taskId)),
  on(ListTasks, ({ status }) =>
    Effect.map(Tasks.list(), (found) => found.map(({ document }) => document).filter((task) => task.status === status))
  ).pipe(Middleware.use(Resilience.timeout("1 second")))
)

const program = Effect.gen(function* () {
  yield* Tasks.set("t-1", { title: "Write the README", status: "open" })
  yield* Tasks.set("t-2", { title: "Choose a name", status: "done" })

  console.log("open:", yield* QueryBus.ask(new ListTasks({ status: "open" })))
  const missing = yield* QueryBus.ask(new GetTask({ taskId: "t-9" }))
  console.log("t-9:", Option.isNone(missing) ? "no such task" : missing.value.title)
})

const Live = Handlers.pipe(Layer.provideMerge(Memory.layer), Layer.merge(TenantContext.layerSingle))
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// open: [ { title: 'Write the README', status: 'open' } ]
// t-9: no such task
