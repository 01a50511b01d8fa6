/**
 * Handlers: plain functions from a message to an Effect, paired with the class of message they are for.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type { DispatchError } from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type { CheckpointError } from "../ports/CheckpointStore.ts"
import type { EventBusError } from "../ports/EventBusError.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { ReadModelError } from "../ports/ReadModelStore.ts"
import type { SnapshotError } from "../ports/SnapshotStore.ts"
import type { UnitOfWorkError } from "../ports/UnitOfWork.ts"

/**
 * What handles a message.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<in M, out A, out E, out R> = (message: M) => Effect.Effect<A, E, R>

/**
 * What a handler of a message class may answer with: its success, or anything at all when that is void.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer<M extends Message.Any> = [void] extends [Message.Success<M>] ? unknown : Message.Success<M>

/**
 * The errors of ports, which a bus translates to `DispatchError`.
 *
 * @category models
 * @since 0.1.0
 */
export type PortError =
  | EventStoreError
  | ReadModelError
  | CheckpointError
  | SnapshotError
  | UnitOfWorkError
  | EventBusError
  | Cause.TimeoutError

/**
 * How a handler may fail: with what its class declares, with a port's error, or with a `DispatchError`.
 *
 * @category models
 * @since 0.1.0
 */
export type Allowed<M extends Message.Any> = Message.Failure<M> | PortError | DispatchError

/**
 * What introspection shows of a middleware: its name and its settings, as plain data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Description {
  readonly name: string
  readonly policy: Readonly<Record<string, unknown>>
}

/**
 * One message class with its handler: the message's type, how the handler fails, what it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry<out M extends Message.Any, out E, out R> {
  readonly "~message": M
  readonly "~error": E
  readonly "~requires": R
}

/**
 * Any entry.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyEntry = Entry<Message.Any, unknown, unknown>

/**
 * What an entry is at run time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registration {
  readonly message: Message.AnyClass
  // A method, so that a handler of any message fits: `message` says of which.
  /** The handler with its middleware; what it takes and gives is known from the class. */
  handle(this: void, message: Message.Any): Effect.Effect<unknown, unknown, unknown>
  /** The handler's function name, or where `on` was called. */
  readonly name: string
  /** The middleware around the handler, outermost first. */
  readonly middleware: ReadonlyArray<Description>
}

/**
 * One handler or several: what `on` and `group` make, `Middleware.use` wraps, and a bus takes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handlers<out Entries extends AnyEntry> extends Pipeable {
  readonly registrations: ReadonlyArray<Registration>
  /** Nothing at run time: the union of the entries. */
  readonly "~entries"?: Entries | undefined
}

/**
 * Pairs a message class with its handler.
 *
 * **Details**
 *
 * The handler's success must be the class's; a class that answers with nothing takes any. What it requires becomes a
 * requirement of the bus's layer, apart from what every call brings along, like `TenantContext`.
 *
 * **Example** (A handler that answers)
 *
 * ```ts
 * import { on, Query, QueryBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Double extends Query.Class<Double>()("Double", { payload: { n: Schema.Int }, success: Schema.Int }) {}
 *
 * const Handlers = QueryBus.handlers(on(Double, ({ n }) => Effect.succeed(n * 2)))
 * await Effect.runPromise(
 *   QueryBus.ask(new Double({ n: 21 })).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
 * ) // => 42
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function on<C extends Message.AnyClass<Message.Any>, A extends Answer<C["Type"]>, E, R>(
  message: C,
  handler: Handler<C["Type"], A, E, R>
): Handlers<Entry<C["Type"], E, R>> {
  const name = handler.name === "" ? callSite() : handler.name
  return fromRegistrations([{ message, handle: handler, name, middleware: [] }])
}

/**
 * Several handlers as one, to wrap them together.
 *
 * @category constructors
 * @since 0.1.0
 */
export const group = <const Members extends ReadonlyArray<Handlers<AnyEntry>>>(
  ...members: Members
): Handlers<EntriesOf<Members[number]>> => fromRegistrations(members.flatMap((member) => member.registrations))

/**
 * The entries of one or several `Handlers`.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type EntriesOf<H> = H extends Handlers<infer Entries> ? Entries : never

/**
 * Handlers of registrations whose types are known otherwise: for middleware.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromRegistrations = <Entries extends AnyEntry>(
  registrations: ReadonlyArray<Registration>
): Handlers<Entries> => ({
  registrations,
  pipe() {
    return pipeArguments(this, arguments)
  }
})

// The third frame is the caller of `on`: the only name an anonymous handler has.
const callSite = (): string => {
  const frame = new Error().stack?.split("\n")[3] ?? ""
  return frame.trim().replace(/^at /, "") || "anonymous handler"
}
