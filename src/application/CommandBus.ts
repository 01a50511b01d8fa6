/**
 * Sends commands to the one handler each of them has.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Command from "../domain/Command.ts"
import type { DispatchError } from "../domain/DispatchError.ts"
import * as Message from "../domain/Message.ts"
import type { AnyEntry, Handlers, PortError } from "../middleware/Handler.ts"
import type { Any as AnyMiddleware, Middleware } from "../middleware/Middleware.ts"
import * as IdGenerator from "../ports/IdGenerator.ts"
import * as Precondition from "../ports/Precondition.ts"
import * as Receipt from "../ports/Receipt.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import type { DuplicateHandler, HandlerRegistry } from "./HandlerRegistry.ts"
import * as Bus from "./internal/bus.ts"
import type { Checked, PerCall, Requires, Tags } from "./internal/busTypes.ts"

/**
 * The handler of the command with this tag, as a required service: a program that sends a command nobody handles does not
 * compile.
 *
 * @category services
 * @since 0.1.0
 */
export interface Handler<in out Tag extends string> {
  readonly "~effect-cqrs/CommandBus/Handler": (tag: Tag) => Tag
}

/**
 * The handlers of one tag or of each tag of a union.
 *
 * @category services
 * @since 0.1.0
 */
export type HandlerOf<Tag extends string> = Tag extends string ? Handler<Tag> : never

/**
 * Answer and receipt of a command. The receipt says which streams it appended to, and is the token with which a query waits
 * for what the command wrote.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dispatched<out A> {
  readonly value: A
  readonly receipt: Receipt.Receipt
}

/**
 * How to dispatch one command.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The command's message id; a new one when absent. */
  readonly messageId?: string | undefined
  /**
   * The version of the aggregate that the sender has seen, or one of several: `Repository.execute` fails with a conflict
   * when the aggregate is at another. It is asked of the first aggregate that the handler executes: of those with the id that the
   * class names with `aggregateId`, where it does.
   */
  readonly expected?: Precondition.Expected | undefined
}

/**
 * What dispatching a command gives: its class's success and error, and `DispatchError`; it needs the handler and a tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type Dispatch<C extends Command.Any, A = Message.Success<C>> = Effect.Effect<
  A,
  Message.Failure<C> | DispatchError,
  HandlerOf<C["_tag"]> | TenantContext
>

/**
 * Builds a layer of command handlers.
 *
 * **Details**
 *
 * The layer requires what the handlers require, without what comes with each call (`TenantContext`) and without each other. A handler sees the
 * caller's services before those its layer was built with. Two handlers for one command fail the build with
 * `DuplicateHandler`, which names both; to replace one on purpose, use {@link override}.
 *
 * **Example** (A command and its handler)
 *
 * ```ts
 * import { Command, CommandBus, on, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Greet extends Command.Class<Greet>()("Greet", { payload: { name: Schema.String }, success: Schema.String }) {}
 *
 * const Handlers = CommandBus.handlers(on(Greet, ({ name }) => Effect.succeed(`Hello ${name}`)))
 * await Effect.runPromise(
 *   CommandBus.execute(new Greet({ name: "Ada" })).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
 * ) // => "Hello Ada"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function handlers<const Groups extends ReadonlyArray<Handlers<AnyEntry>>>(
  ...groups: Groups & Checked<"command", Groups>
): Layer.Layer<
  HandlerOf<Tags<Groups>> | HandlerRegistry,
  DuplicateHandler,
  Exclude<Requires<Groups>, HandlerOf<Tags<Groups>>>
>
export function handlers(...groups: ReadonlyArray<Handlers<AnyEntry>>): unknown {
  return Bus.layer("command", groups, false)
}

/**
 * Like {@link handlers}, but replaces handlers that are there already: for tests, and for patching a program.
 *
 * **Gotchas**
 *
 * Provide it closer to the program than what it replaces, or give it last to `Layer.mergeAll`.
 *
 * @category layers
 * @since 0.1.0
 */
export function override<const Groups extends ReadonlyArray<Handlers<AnyEntry>>>(
  ...groups: Groups & Checked<"command", Groups>
): Layer.Layer<
  HandlerOf<Tags<Groups>> | HandlerRegistry,
  DuplicateHandler,
  Exclude<Requires<Groups>, HandlerOf<Tags<Groups>>>
>
export function override(...groups: ReadonlyArray<Handlers<AnyEntry>>): unknown {
  return Bus.layer("command", groups, true)
}

/**
 * Puts middleware around every command handler whose layer this layer is provided to, the first one outermost.
 *
 * **Gotchas**
 *
 * Of two such layers that are merged only the last counts. Give all middleware to one, or provide one after the other: what
 * is provided last is outermost.
 *
 * **Example** (Counting what a bus handles)
 *
 * ```ts
 * import { Command, CommandBus, Middleware, on, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class Ping extends Command.Class<Ping>()("Ping", { payload: {} }) {}
 *
 * let calls = 0
 * const counting = Middleware.make("counting", (next) => (message) => Effect.suspend(() => (calls++, next(message))))
 * const Handlers = CommandBus.handlers(on(Ping, () => Effect.void)).pipe(Layer.provide(CommandBus.middleware(counting)))
 *
 * await Effect.runPromise(CommandBus.execute(new Ping()).pipe(Effect.provide([Handlers, TenantContext.layerSingle])))
 * calls // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function middleware<E extends PortError | DispatchError = never, R = never>(
  ...all: ReadonlyArray<Middleware<Command.Any, E, R>>
): Layer.Layer<never, never, Exclude<R, PerCall>>
export function middleware(...all: ReadonlyArray<AnyMiddleware>): unknown {
  return Bus.middleware("command", all)
}

/**
 * Sends a command to its handler and answers with what the handler answers.
 *
 * @category dispatching
 * @since 0.1.0
 */
export function execute<C extends Command.Any>(command: C, options?: Options): Dispatch<C>
export function execute(command: Command.Any, options?: Options): unknown {
  return options?.expected === undefined
    ? Bus.dispatch("command", command, options?.messageId)
    : Effect.map(dispatch(command, options), ({ value }) => value)
}

const send = (command: Command.Any, { expected, messageId }: Options): Effect.Effect<unknown, unknown, unknown> =>
  expected === undefined
    ? Bus.dispatch("command", command, messageId)
    : Effect.withFiber((fiber) => {
        const id = messageId ?? fiber.getRef(IdGenerator.IdGenerator).unsafeNext(fiber)
        const aggregateId = command[Message.TypeId].aggregateIdOf(command)
        const sent = Bus.dispatch("command", command, id)
        return Effect.provideService(sent, Precondition.Precondition, { messageId: id, aggregateId, expected })
      })

/**
 * Sends a command to its handler and answers with what the handler answers, and a receipt of what was written.
 *
 * @category dispatching
 * @since 0.1.0
 */
export function dispatch<C extends Command.Any>(
  command: C,
  options?: Options
): Dispatch<C, Dispatched<Message.Success<C>>>
export function dispatch(
  command: Command.Any,
  options: Options = {}
): Effect.Effect<Dispatched<unknown>, unknown, unknown> {
  return Effect.withFiber((fiber) => {
    const outer = fiber.getRef(Receipt.Collector)
    const appends: Array<Receipt.AppendReceipt> = []
    const dispatched = Effect.map(
      Effect.provideService(send(command, options), Receipt.Collector, appends),
      (value) => ({ value, receipt: Receipt.fromAppends(appends) })
    )
    // What is dispatched inside a handler writes for the handler's own dispatch as well, even when it fails later.
    return outer === undefined
      ? dispatched
      : Effect.ensuring(
          dispatched,
          Effect.sync(() => void outer.push(...appends))
        )
  })
}

/**
 * Decodes input from outside as a command; every bad field is listed in a `DispatchError` with reason `Invalid`.
 *
 * @category decoding
 * @since 0.1.0
 */
export function parse<C extends Message.AnyClass<Command.Any>>(
  self: C,
  input: unknown
): Effect.Effect<C["Type"], DispatchError>
export function parse(self: Message.AnyClass, input: unknown): unknown {
  return Bus.parse(self, input)
}

/**
 * Decodes input from outside as a command and sends it to its handler.
 *
 * **Example** (Every bad field is named)
 *
 * ```ts
 * import { Command, CommandBus, on, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Book extends Command.Class<Book>()("Book", { payload: { seat: Schema.NonEmptyString, row: Schema.Int } }) {}
 * const Handlers = CommandBus.handlers(on(Book, () => Effect.void))
 *
 * const bad = CommandBus.executeUnknown(Book, { seat: "", row: 1.5 }).pipe(
 *   Effect.catchReason("DispatchError", "Invalid", ({ issues }) => Effect.succeed(issues.map((issue) => issue.path)))
 * )
 * await Effect.runPromise(bad.pipe(Effect.provide([Handlers, TenantContext.layerSingle]))) // => ["seat", "row"]
 * ```
 *
 * @category dispatching
 * @since 0.1.0
 */
export const executeUnknown = <C extends Message.AnyClass<Command.Any>>(
  self: C,
  input: unknown,
  options?: Options
): Dispatch<C["Type"]> => Effect.flatMap(parse(self, input), (command: C["Type"]) => execute(command, options))
