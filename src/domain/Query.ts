/**
 * Queries: requests to know something, as Schema-defined classes.
 *
 * @since 0.1.0
 */
import * as Message from "./Message.ts"

/**
 * Declares a query: its payload, its answer, and how it may fail.
 *
 * **Details**
 *
 * Whether absence is an answer or a failure is said here: `success: Schema.Option(TaskView)` answers with an `Option`,
 * `error: TaskNotFound` fails.
 *
 * **Example** (Declaring a query)
 *
 * ```ts
 * import { Query } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class CountTasks extends Query.Class<CountTasks>()("CountTasks", {
 *   payload: { status: Schema.Literals(["open", "done"]) },
 *   success: Schema.Int
 * }) {}
 *
 * new CountTasks({ status: "open" }).status // => "open"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Class = <Self = never>(): Message.MakeClass<"query", Self> => Message.makeClass<"query", Self>("query")

/**
 * Any query instance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Message.Any {
  readonly [Message.TypeId]: Message.Any[Message.TypeId] & { readonly kind: "query" }
}
