/**
 * Asks queries, each of the one handler it has.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Query from "../domain/Query.ts"
import type { DispatchError } from "../domain/DispatchError.ts"
import type * as Message from "../domain/Message.ts"
import type { Position } from "../domain/Position.ts"
import type { AnyEntry, Handlers, PortError } from "../middleware/Handler.ts"
import type { Any as AnyMiddleware, Middleware } from "../middleware/Middleware.ts"
import { After } from "../ports/Receipt.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import type { DuplicateHandler, HandlerRegistry } from "./HandlerRegistry.ts"
import * as Bus from "./internal/bus.ts"
import type { Checked, PerCall, Requires, Tags } from "./internal/busTypes.ts"

/**
 * The handler of the query with this tag, as a required service: a program that asks a query nobody handles does not
 * compile.
 *
 * @category services
 * @since 0.1.0
 */
export interface Handler<in out Tag extends string> {
  readonly "~effect-cqrs/QueryBus/Handler": (tag: Tag) => Tag
}

/**
 * The handlers of one tag or of each tag of a union.
 *
 * @category services
 * @since 0.1.0
 */
export type HandlerOf<Tag extends string> = Tag extends string ? Handler<Tag> : never

/**
 * How to dispatch one query.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The query's message id; a new one when absent. */
  readonly messageId?: string | undefined
  /** Read what this receipt is of, or later; handlers wait for it that have `Projection.readingWrites` around them. */
  readonly after?: { readonly position: Position } | undefined
}

/**
 * What dispatching a query gives: its class's success and error, and `DispatchError`; it needs the handler and a tenant.
 *
 * @category models
 * @since 0.1.0
 */
export type Dispatch<C extends Query.Any> = Effect.Effect<
  Message.Success<C>,
  Message.Failure<C> | DispatchError,
  HandlerOf<C["_tag"]> | TenantContext
>

/**
 * Builds a layer of query handlers.
 *
 * **Details**
 *
 * The layer requires what the handlers require, without what comes with each call (`TenantContext`) and without each other. A handler sees the
 * caller's services before those its layer was built with. Two handlers for one query fail the build with
 * `DuplicateHandler`, which names both; to replace one on purpose, use {@link override}.
 *
 * **Example** (A query and its handler)
 *
 * ```ts
 * import { on, Query, QueryBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Length extends Query.Class<Length>()("Length", { payload: { of: Schema.String }, success: Schema.Int }) {}
 *
 * const Handlers = QueryBus.handlers(on(Length, ({ of }) => Effect.succeed(of.length)))
 * await Effect.runPromise(
 *   QueryBus.ask(new Length({ of: "Ada" })).pipe(Effect.provide([Handlers, TenantContext.layerSingle]))
 * ) // => 3
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function handlers<const Groups extends ReadonlyArray<Handlers<AnyEntry>>>(
  ...groups: Groups & Checked<"query", Groups>
): Layer.Layer<
  HandlerOf<Tags<Groups>> | HandlerRegistry,
  DuplicateHandler,
  Exclude<Requires<Groups>, HandlerOf<Tags<Groups>>>
>
export function handlers(...groups: ReadonlyArray<Handlers<AnyEntry>>): unknown {
  return Bus.layer("query", groups, false)
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
  ...groups: Groups & Checked<"query", Groups>
): Layer.Layer<
  HandlerOf<Tags<Groups>> | HandlerRegistry,
  DuplicateHandler,
  Exclude<Requires<Groups>, HandlerOf<Tags<Groups>>>
>
export function override(...groups: ReadonlyArray<Handlers<AnyEntry>>): unknown {
  return Bus.layer("query", groups, true)
}

/**
 * Puts middleware around every query handler whose layer this layer is provided to, the first one outermost.
 *
 * **Gotchas**
 *
 * Of two such layers that are merged only the last counts. Give all middleware to one, or provide one after the other: what
 * is provided last is outermost.
 *
 * **Example** (Counting what a bus handles)
 *
 * ```ts
 * import { Middleware, on, Query, QueryBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class Ping extends Query.Class<Ping>()("Ping", { payload: {} }) {}
 *
 * let calls = 0
 * const counting = Middleware.make("counting", (next) => (message) => Effect.suspend(() => (calls++, next(message))))
 * const Handlers = QueryBus.handlers(on(Ping, () => Effect.void)).pipe(Layer.provide(QueryBus.middleware(counting)))
 *
 * await Effect.runPromise(QueryBus.ask(new Ping()).pipe(Effect.provide([Handlers, TenantContext.layerSingle])))
 * calls // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function middleware<E extends PortError | DispatchError = never, R = never>(
  ...all: ReadonlyArray<Middleware<Query.Any, E, R>>
): Layer.Layer<never, never, Exclude<R, PerCall>>
export function middleware(...all: ReadonlyArray<AnyMiddleware>): unknown {
  return Bus.middleware("query", all)
}

/**
 * Asks a query and answers with what its handler answers.
 *
 * @category dispatching
 * @since 0.1.0
 */
export function ask<C extends Query.Any>(query: C, options?: Options): Dispatch<C>
export function ask(query: Query.Any, options?: Options): unknown {
  const asked = Bus.dispatch("query", query, options?.messageId)
  return options?.after === undefined ? asked : Effect.provideService(asked, After, options.after)
}

/**
 * Decodes input from outside as a query; every bad field is listed in a `DispatchError` with reason `Invalid`.
 *
 * @category decoding
 * @since 0.1.0
 */
export function parse<C extends Message.AnyClass<Query.Any>>(
  self: C,
  input: unknown
): Effect.Effect<C["Type"], DispatchError>
export function parse(self: Message.AnyClass, input: unknown): unknown {
  return Bus.parse(self, input)
}

/**
 * Decodes input from outside as a query and asks it.
 *
 * **Example** (Every bad field is named)
 *
 * ```ts
 * import { on, Query, QueryBus, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Find extends Query.Class<Find>()("Find", { payload: { seat: Schema.NonEmptyString, row: Schema.Int } }) {}
 * const Handlers = QueryBus.handlers(on(Find, () => Effect.void))
 *
 * const bad = QueryBus.askUnknown(Find, { seat: "", row: 1.5 }).pipe(
 *   Effect.catchReason("DispatchError", "Invalid", ({ issues }) => Effect.succeed(issues.map((issue) => issue.path)))
 * )
 * await Effect.runPromise(bad.pipe(Effect.provide([Handlers, TenantContext.layerSingle]))) // => ["seat", "row"]
 * ```
 *
 * @category dispatching
 * @since 0.1.0
 */
export const askUnknown = <C extends Message.AnyClass<Query.Any>>(
  self: C,
  input: unknown,
  options?: Options
): Dispatch<C["Type"]> => Effect.flatMap(parse(self, input), (query: C["Type"]) => ask(query, options))
