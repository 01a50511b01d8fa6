/**
 * Who does something: a person, another service, or the system itself.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * An actor's id and kind, as they are kept with every event they cause.
 *
 * @category models
 * @since 0.1.0
 */
export const Actor = Schema.Struct({ id: Schema.String, kind: Schema.Literals(["user", "service", "system"]) })

/**
 * @category models
 * @since 0.1.0
 */
export interface Actor extends Schema.Schema.Type<typeof Actor> {}

/**
 * @category constructors
 * @since 0.1.0
 */
export const user = (id: string): Actor => ({ id, kind: "user" })

/**
 * @category constructors
 * @since 0.1.0
 */
export const service = (id: string): Actor => ({ id, kind: "service" })

/**
 * @category constructors
 * @since 0.1.0
 */
export const system: Actor = { id: "system", kind: "system" }
