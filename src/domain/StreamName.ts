/**
 * Names of streams: one stream holds the events of one aggregate.
 *
 * @since 0.1.0
 */
import * as Brand from "effect/Brand"
import * as Schema from "effect/Schema"

/**
 * `Category-id`: the category is the aggregate's name and ends at the first dash, the id is the rest.
 *
 * **Gotchas**
 *
 * The stores refuse a name that is empty, holds `\u0000` or a lone surrogate, or takes more than {@link maxBytes} bytes of UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export const StreamName = Schema.NonEmptyString.pipe(Schema.brand("StreamName"))

/**
 * @category models
 * @since 0.1.0
 */
export type StreamName = typeof StreamName.Type

/**
 * The longest name that every adapter takes, in bytes of UTF-8.
 *
 * @category limits
 * @since 0.1.0
 */
export const maxBytes = 1024

/**
 * The stream of one aggregate.
 *
 * **Example** (Naming and taking apart)
 *
 * ```ts
 * import { StreamName } from "effect-cqrs"
 *
 * const name = StreamName.make("Task", "2026-11")
 * name // => "Task-2026-11"
 * StreamName.category(name) // => "Task"
 * StreamName.id(name) // => "2026-11"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (category: string, id: string): StreamName => fromString(`${category}-${id}`)

/**
 * Takes a whole name as it is; the stores check it before they use it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromString: (name: string) => StreamName = Brand.nominal<StreamName>()

/**
 * What stands before the first dash, or the whole name where there is none.
 *
 * @category getters
 * @since 0.1.0
 */
export const category = (self: StreamName): string => {
  const dash = self.indexOf("-")
  return dash === -1 ? self : self.slice(0, dash)
}

/**
 * What stands after the first dash, or `""` where there is none.
 *
 * @category getters
 * @since 0.1.0
 */
export const id = (self: StreamName): string => {
  const dash = self.indexOf("-")
  return dash === -1 ? "" : self.slice(dash + 1)
}
