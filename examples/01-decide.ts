// A decision is a pure function: from a command and a state to events, or to the reason why not.
import { Result, Schema } from "effect"
import { Aggregate, Event, Fold } from "effect-cqrs"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskCompleted extends Event.Class<TaskCompleted>()("TaskCompleted", {}) {}
class TaskNotOpen extends Schema.TaggedError<TaskNotOpen>()("TaskNotOpen", { status: Schema.String }) {}

type Status = "none" | "open" | "done"

const Task = Aggregate.make("Task", {
  events: [TaskCreated, TaskCompleted],
  initial: "none" as Status
}).evolve({
  TaskCreated: () => "open",
  TaskCompleted: () => "done"
})

const complete = (_: void, status: Status) =>
  status === "open" ? Result.succeed([new TaskCompleted()]) : Result.fail(new TaskNotOpen({ status }))

const open = Fold.run(Task, [new TaskCreated({ title: "Write the README" })])
const done = Fold.run(Task, [new TaskCreated({ title: "Write the README" }), new TaskCompleted()])

console.log("open:", Result.getOrThrow(complete(undefined, open)))
console.log("done:", Result.getFailure(complete(undefined, done)))

// prints:
// open: [ TaskCompleted { _tag: 'TaskCompleted' } ]
// done: {
//   _id: 'Option',
//   _tag: 'Some',
//   value: { _tag: 'TaskNotOpen', status: 'done' }
// }
