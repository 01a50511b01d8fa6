// Commands: typed success and failure, one handler each, and every bad field named.
import { Effect, Layer, Result, Schema } from "effect"
import { Aggregate, Command, CommandBus, Event, Memory, on, Repository, TenantContext } from "effect-cqrs"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskAlreadyExists extends Schema.TaggedError<TaskAlreadyExists>()("TaskAlreadyExists", {
  taskId: Schema.String
}) {}

const Title = Schema.NonEmptyString.check(Schema.isMaxLength(80))

class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
  payload: { taskId: Schema.NonEmptyString, title: Title },
  error: TaskAlreadyExists
}) {}

const Task = Aggregate.make("Task", { events: [TaskCreated], initial: false }).evolve(() => true)

const create = ({ taskId, title }: CreateTask, exists: boolean) =>
  exists ? Result.fail(new TaskAlreadyExists({ taskId })) : Result.succeed([new TaskCreated({ title })])

const Handlers = CommandBus.handlers(
  on(CreateTask, (command) => Repository.execute(Task, command.taskId, command, create))
)

const program = Effect.gen(function* () {
  const { receipt } = yield* CommandBus.dispatch(new CreateTask({ taskId: "t-1", title: "Write the README" }))
  console.log("created:", JSON.stringify(receipt))

  // The class's own error, as a typed value.
  yield* CommandBus.execute(new CreateTask({ taskId: "t-1", title: "Again" })).pipe(
    Effect.catchTag("TaskAlreadyExists", (error) => Effect.sync(() => console.log("refused:", error.taskId, "exists")))
  )

  // Input from outside: a `DispatchError` that names every bad field.
  yield* CommandBus.executeUnknown(CreateTask, { taskId: "", title: 7 }).pipe(
    Effect.catchReason("DispatchError", "Invalid", ({ issues }) => Effect.sync(() => console.log("invalid:", issues)))
  )
})

const Live = Layer.merge(Handlers.pipe(Layer.provide(Memory.layer)), TenantContext.layerSingle)
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// created: {"streams":[{"stream":"Task-t-1","version":1}],"position":1}
// refused: t-1 exists
// invalid: [
//   {
//     path: 'taskId',
//     message: 'Expected a value with a length of at least 1'
//   },
//   { path: 'title', message: 'Expected string' }
// ]
