/**
 * Which handlers a program has: what refuses a second handler for one message, and what introspection shows.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
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
 * A reader of events as a program has it, a subscription, a projection or a consumer; or a relay, which reads messages.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredReader {
  readonly kind: "subscription" | "projection" | "consumer" | "relay"
  readonly name: string
  readonly events: ReadonlyArray<string>
}

/**
 * The handlers and readers of the layers that were built together, as long as they are in scope.
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
    ) => Effect.Effect<void, DuplicateHandler, Scope.Scope>
    readonly addReader: (reader: RegisteredReader) => Effect.Effect<void, never, Scope.Scope>
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
  const entries = new Set<Entry>()
  const readers = new Set<RegisteredReader>()
  const of = (message: Message.AnyClass) =>
    Array.from(entries).filter(
      ({ registered }) => registered.message.kind === message.kind && registered.message.tag === message.tag
    )
  return {
    add: (registration, outer, overrides) =>
      Effect.suspend(() => {
        const { handle, message, middleware, name } = registration
        const before = of(message)
        const other = before.find(({ identity }) => identity !== handle)
        if (other !== undefined && !overrides && !before.some(({ registered }) => registered.overrides)) {
          const { handler: first } = other.registered
          return Effect.fail(new DuplicateHandler({ kind: message.kind, tag: message.tag, first, second: name }))
        }
        const registered = { message, handler: name, middleware: [...outer, ...middleware], overrides }
        return whileInScope(entries, { registered, identity: handle })
      }),
    addReader: (reader) => whileInScope(readers, { ...reader }),
    handlers: Effect.sync(() => {
      const shown = new Map<string, Registered>()
      for (const { registered } of entries) {
        const key = `${registered.message.kind} ${registered.message.tag}`
        if (registered.overrides || !shown.has(key)) shown.set(key, registered)
      }
      return Array.from(shown.values())
    }),
    readers: Effect.sync(() =>
      Array.from(new Map(Array.from(readers, (reader) => [`${reader.kind} ${reader.name}`, reader])).values())
    )
  }
})

interface Entry {
  readonly registered: Registered
  readonly identity: unknown
}

const whileInScope = <A>(all: Set<A>, one: A): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => all.add(one)),
      () => Effect.sync(() => all.delete(one))
    )
  )
