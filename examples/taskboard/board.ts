/**
 * What a task is, who decides, and the list that queries read.
 */
import { Effect, Layer, Option, Result } from "effect"
import { Aggregate, CommandBus, MessageContext, Middleware, on, Projection } from "effect-cqrs"
import { QueryBus, ReadModelStore, Repository } from "effect-cqrs"
import * as Messages from "./messages.ts"

type State = "none" | "open" | "done"

const nothing = (): State => "none"

const Task = Aggregate.make("Task", { events: Messages.events, initial: nothing() }).evolve({
  TaskAdded: () => "open",
  TaskCompleted: () => "done",
  TaskReopened: () => "open"
})

type Decided = ReadonlyArray<Messages.TaskAdded | Messages.TaskCompleted | Messages.TaskReopened>

/** Decides once for each message id: what a page sends again has no second effect. */
const decide = <E>(taskId: string, by: (actor: string, state: State) => Result.Result<Decided, E>) =>
  Effect.flatMap(MessageContext.MessageContext, ({ actor, messageId }) =>
    Repository.execute(Task, taskId, actor?.id ?? "somebody", by, { id: messageId })
  )

const Commands = CommandBus.handlers(
  on(Messages.AddTask, ({ taskId, title }) =>
    decide(taskId, (by, state) =>
      Result.succeed(state === "none" ? [new Messages.TaskAdded({ taskId, title, by })] : [])
    )
  ),
  on(Messages.CompleteTask, ({ taskId }) =>
    decide(taskId, (by, state) => {
      if (state === "none") return Result.fail(new Messages.NoSuchTask({ taskId }))
      return Result.succeed(state === "open" ? [new Messages.TaskCompleted({ taskId, by })] : [])
    })
  ),
  on(Messages.ReopenTask, ({ taskId }) =>
    decide(taskId, (by, state) => {
      if (state === "none") return Result.fail(new Messages.NoSuchTask({ taskId }))
      return Result.succeed(state === "done" ? [new Messages.TaskReopened({ taskId, by })] : [])
    })
  )
)

const Tasks = ReadModelStore.collection("tasks", Messages.Task)

const mark = (taskId: string, isDone: boolean) =>
  Tasks.update(taskId, (task) => ({
    ...Option.getOrElse(task, () => ({ taskId, title: "?", by: "?", addedAt: 0 })),
    isDone
  }))

const TaskList = Projection.make("task-list", {
  events: Messages.events,
  collections: [Tasks],
  on: {
    TaskAdded: ({ by, taskId, title }, { recordedAt }) =>
      Tasks.set(taskId, { taskId, title, by, isDone: false, addedAt: recordedAt }),
    TaskCompleted: ({ taskId }) => mark(taskId, true),
    TaskReopened: ({ taskId }) => mark(taskId, false)
  }
})

const Queries = QueryBus.handlers(
  on(Messages.ListTasks, ({ upTo }) =>
    Effect.gen(function* () {
      if (upTo !== undefined) yield* Projection.waitFor(TaskList, { position: upTo })
      const all = yield* Tasks.list()
      return all.map(({ document }) => document).sort((a, b) => a.addedAt - b.addedAt)
    })
  ).pipe(Middleware.use(Projection.readingWrites([TaskList])))
)

/** The handlers of all messages, and the projection that feeds the list. */
export const layer = Layer.mergeAll(Commands, Queries, Projection.layer(TaskList))
