/**
 * Commands: requests to change something, as Schema-defined classes.
 *
 * @since 0.1.0
 */
import * as Message from "./Message.ts"

/**
 * Declares a command: its payload, what its handler answers with, and how it may be refused.
 *
 * **Details**
 *
 * The class is a Schema of its payload, so `new CreateTask({ … })` checks every field, and it carries the `success` and `error`
 * schemas, from which the handler's type, typed clients and API descriptions follow.
 *
 * **Gotchas**
 *
 * `new` throws on an invalid payload, as every Schema class does: it is for values your program made. For input from
 * outside use `CommandBus.executeUnknown`, which answers with a typed error that lists every bad field.
 *
 * **Example** (Declaring a command)
 *
 * ```ts
 * import { Command } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class TaskAlreadyExists extends Schema.TaggedError<TaskAlreadyExists>()("TaskAlreadyExists", { taskId: Schema.String }) {}
 *
 * class CreateTask extends Command.Class<CreateTask>()("CreateTask", {
 *   payload: { taskId: Schema.String, title: Schema.NonEmptyString },
 *   error: TaskAlreadyExists,
 *   aggregateId: (command) => command.taskId
 * }) {}
 *
 * new CreateTask({ taskId: "t-1", title: "Write" }).title // => "Write"
 * CreateTask.tag // => "CreateTask"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Class = <Self = never>(): Message.MakeClass<"command", Self> =>
  Message.makeClass<"command", Self>("command")

/**
 * Any command instance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Message.Any {
  readonly [Message.TypeId]: Message.Any[Message.TypeId] & { readonly kind: "command" }
}
