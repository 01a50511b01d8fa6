/**
 * Behaviour around handlers: from handler to handler, in plain sight of the types.
 *
 * The shape is that of tower's layers and of `HttpMiddleware`: a function from one handler to another, here with a name and
 * a policy so that it can be inspected.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Message from "../domain/Message.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import * as Handler from "./Handler.ts"

/**
 * A middleware for messages `M`. It may add errors `E` and requirements `R`, provide the services `Provides` to what it
 * wraps, and handle the errors `Handles`.
 *
 * **Details**
 *
 * It is applied to one handler or a group with `Middleware.use`, and to a whole bus with `CommandBus.middleware` and
 * `QueryBus.middleware`. What is applied last runs first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Middleware<in M = Message.Any, out E = never, out R = never, in Provides = never, in Handles = never>
  extends Handler.Description {
  readonly wrap: <N extends M, A, E1, R1>(
    next: Handler.Handler<N, A, E1, R1>
  ) => Handler.Handler<N, A, E | Without<E1, Handles>, R | Without<R1, Provides>>
  /** Nothing at run time: the compiler compares `wrap` too loosely to see what a middleware adds. */
  readonly "~types"?: Types<M, E, R, Provides, Handles> | undefined
}

/**
 * What any middleware is at run time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any extends Handler.Description {
  readonly wrap: Middleware["wrap"]
}

/**
 * What tells middleware apart: for which messages it is, what it adds, and what it takes away.
 *
 * @category models
 * @since 0.1.0
 */
export interface Types<in M, out E, out R, in Provides, in Handles> {
  readonly message: (message: M) => void
  readonly error: E
  readonly requires: R
  readonly provides: (services: Provides) => void
  readonly handles: (error: Handles) => void
}

/**
 * `T` less `Removed`; just `T` when nothing is removed, which the compiler knows even of a `T` it does not.
 *
 * @category models
 * @since 0.1.0
 */
export type Without<T, Removed> = [Removed] extends [never] ? T : Exclude<T, Removed>

/**
 * Makes a middleware of a function from handler to handler. One that adds errors or requirements, provides services or
 * handles errors says so in its type arguments: `Middleware.make<M, E, R, Provides, Handles>(…)`.
 *
 * **Example** (Counting calls)
 *
 * ```ts
 * import { Command, CommandBus, Middleware, on, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * class Ping extends Command.Class<Ping>()("Ping", { payload: {} }) {}
 *
 * let calls = 0
 * const counting = Middleware.make("counting", (next) => (message) => Effect.suspend(() => (calls++, next(message))))
 *
 * const Handlers = CommandBus.handlers(on(Ping, () => Effect.void).pipe(Middleware.use(counting)))
 * await Effect.runPromise(
 *   CommandBus.execute(new Ping()).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
 * )
 * calls // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make(name: string, wrap: Middleware["wrap"], policy?: Handler.Description["policy"]): Middleware
export function make<M = Message.Any, E = never, R = never, Provides = never, Handles = never>(
  name: string,
  wrap: Middleware<M, E, R, Provides, Handles>["wrap"],
  policy?: Handler.Description["policy"]
): Middleware<M, E, R, Provides, Handles>
export function make(name: string, wrap: Middleware["wrap"], policy: Handler.Description["policy"] = {}): unknown {
  return { name, policy, wrap }
}

/**
 * Turns a combinator of effects into a middleware.
 *
 * **Example** (A span of one's own)
 *
 * ```ts
 * import { Middleware } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const spanned = Middleware.lift("span", Effect.withSpan("AddItem"))
 * spanned.name // => "span"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const lift = <E = never, R = never>(
  name: string,
  combinator: <A, E1, R1>(effect: Effect.Effect<A, E1, R1>) => Effect.Effect<A, E1 | E, R1 | R>,
  policy: Readonly<Record<string, unknown>> = {}
): Middleware<Message.Any, E, R> =>
  make<Message.Any, E, R>(name, (next) => (message) => combinator(next(message)), policy)

/**
 * Wraps one handler or a group of handlers. Used twice, the one used last runs first.
 *
 * @category combinators
 * @since 0.1.0
 */
export function use<M, E, R, Provides, Handles>(
  middleware: Middleware<M, E, R, Provides, Handles>
): <Entries extends Handler.Entry<M & Message.Any, unknown, unknown>>(
  handlers: Handler.Handlers<Entries>
) => Handler.Handlers<Wrapped<Entries, E, R, Provides, Handles>>
export function use(middleware: Any) {
  return (handlers: Handler.Handlers<Handler.AnyEntry>): Handler.Handlers<Handler.AnyEntry> =>
    Handler.fromRegistrations(handlers.registrations.map((registration) => wrapped(registration, middleware)))
}

/**
 * A registration with one more middleware around it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const wrapped = (registration: Handler.Registration, middleware: Any): Handler.Registration => ({
  ...registration,
  // A handler that throws before it gives an Effect dies inside of the middleware, like any other that dies.
  handle: middleware.wrap(
    registration.middleware.length === 0
      ? counted(registration)
      : (message) => Effect.suspend(() => registration.handle(message))
  ),
  middleware: [{ name: middleware.name, policy: middleware.policy }, ...registration.middleware]
})

/** The handler itself, which knows how often it was called for a message. */
const counted =
  (registration: Handler.Registration) =>
  (message: Message.Any): Effect.Effect<unknown, unknown, unknown> =>
    Effect.withFiber((fiber) => {
      MessageContext.unsafeNoteAttempt(fiber.getRef(MessageContext.MessageContext))
      return registration.handle(message)
    })

/**
 * What a middleware makes of entries.
 *
 * @category models
 * @since 0.1.0
 */
export type Wrapped<Entries, E, R, Provides, Handles> =
  Entries extends Handler.Entry<infer M, infer E1, infer R1>
    ? Handler.Entry<M, E | Without<E1, Handles>, R | Without<R1, Provides>>
    : never
