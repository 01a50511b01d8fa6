/**
 * Which handlers a program has: what refuses a second handler for one message, and what introspection shows.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Message from "../domain/Message.ts"
import type { Description, Registration } from "../middleware/Handler.ts"

/**
 * Two handlers were given for one message; both are named.
 *
 * @category errors
 * @since 0.1.0
 */
export class DuplicateHandler extends Schema.TaggedError<DuplicateHandler>("effect-cqrs/DuplicateHandler")(
  "DuplicateHandler",
  { kind: Schema.Literals(["command", "query"]), tag: Schema.String, first: Schema.String, second: Schema.String }
) {
  override get message(): string {
    return `Two handlers for the ${this.kind} ${this.tag}: ${this.first} and ${this.second}. To replace one on purpose, use override`
  }
}

/**
 * A handler as a program has it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registered {
  readonly message: Message.AnyClass
  readonly handler: string
  /** Everything around the handler, outermost first: the bus's middleware, then the group's, then its own. */
  readonly middleware: ReadonlyArray<Description>
  readonly overrides: boolean
}

/**
 * A reader of events as a program has it: a subscription or a projection.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredReader {
  readonly kind: "subscription" | "projection"
  readonly name: string
  readonly events: ReadonlyArray<string>
}

/**
 * The handlers and readers of the layers that were built together.
 *
 * @category services
 * @since 0.1.0
 */
export class HandlerRegistry extends Context.Service<
  HandlerRegistry,
  {
    /** Adds a handler; the same registration may come twice, another for the same message only as an override. */
    readonly add: (
      registration: Registration,
      outer: ReadonlyArray<Description>,
      overrides: boolean
    ) => Effect.Effect<void, DuplicateHandler>
    readonly addReader: (reader: RegisteredReader) => Effect.Effect<void>
    readonly handlers: Effect.Effect<ReadonlyArray<Registered>>
    readonly readers: Effect.Effect<ReadonlyArray<RegisteredReader>>
  }
>()("effect-cqrs/application/HandlerRegistry") {}

/**
 * One registry for all layers of one build: layers of one reference are built once.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<HandlerRegistry> = Layer.sync(HandlerRegistry, () => {
  const known = new Map<string, Registered & { readonly identity: unknown }>()
  const readers = new Map<string, RegisteredReader>()
  return {
    add: (registration, outer, overrides) =>
      Effect.suspend(() => {
        const { handle, message, middleware, name } = registration
        const key = `${message.kind} ${message.tag}`
        const before = known.get(key)
        if (before !== undefined && before.identity !== handle && !before.overrides && !overrides) {
          return Effect.fail(
            new DuplicateHandler({ kind: message.kind, tag: message.tag, first: before.handler, second: name })
          )
        }
        if (before?.overrides !== true || overrides) {
          known.set(key, {
            message,
            handler: name,
            middleware: [...outer, ...middleware],
            overrides,
            identity: handle
          })
        }
        return Effect.void
      }),
    addReader: (reader) => Effect.sync(() => void readers.set(`${reader.kind} ${reader.name}`, reader)),
    handlers: Effect.sync(() =>
      Array.from(known.values(), ({ handler, message, middleware, overrides }) => ({
        message,
        handler,
        middleware,
        overrides
      }))
    ),
    readers: Effect.sync(() => Array.from(readers.values()))
  }
})
