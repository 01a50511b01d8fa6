/**
 * What a board is asked and what happens on it: shared by the server and its clients.
 */
import { Schema } from "effect"
import { Command, Event, Position, Query } from "effect-cqrs"
import { MessageGroup } from "effect-cqrs/rpc"

const TaskId = Schema.NonEmptyString.check(Schema.isMaxLength(64))
const Title = Schema.NonEmptyString.check(Schema.isMaxLength(120))

// All who belong to the tenant get these live.
const live = { tags: () => ["tenant"] }

export class TaskAdded extends Event.Class<TaskAdded>()(
  "TaskAdded",
  { taskId: TaskId, title: Title, by: Schema.String },
  live
) {}
export class TaskCompleted extends Event.Class<TaskCompleted>()(
  "TaskCompleted",
  { taskId: TaskId, by: Schema.String },
  live
) {}
export class TaskReopened extends Event.Class<TaskReopened>()(
  "TaskReopened",
  { taskId: TaskId, by: Schema.String },
  live
) {}

export const events = [TaskAdded, TaskCompleted, TaskReopened] as const

export class NoSuchTask extends Schema.TaggedError<NoSuchTask>()("NoSuchTask", { taskId: Schema.String }) {}

export class AddTask extends Command.Class<AddTask>()("AddTask", { payload: { taskId: TaskId, title: Title } }) {}
export class CompleteTask extends Command.Class<CompleteTask>()("CompleteTask", {
  payload: { taskId: TaskId },
  error: NoSuchTask
}) {}
export class ReopenTask extends Command.Class<ReopenTask>()("ReopenTask", {
  payload: { taskId: TaskId },
  error: NoSuchTask
}) {}

export const Task = Schema.Struct({
  taskId: TaskId,
  title: Title,
  by: Schema.String,
  isDone: Schema.Boolean,
  /** When it was added, in milliseconds since 1970. */
  addedAt: Schema.Int
})

export class ListTasks extends Query.Class<ListTasks>()("ListTasks", {
  /** A page has the events after this position from elsewhere: the list must hold those up to it. */
  payload: { upTo: Schema.optionalKey(Position.Position) },
  success: Schema.Array(Task)
}) {}

export const Board = MessageGroup.make(AddTask, CompleteTask, ReopenTask, ListTasks)
