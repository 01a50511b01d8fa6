/**
 * What a program consists of: its messages, their schemas, handlers and middleware.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Message from "../domain/Message.ts"
import * as HandlerRegistry from "./HandlerRegistry.ts"

/**
 * A program as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Program {
  readonly messages: ReadonlyArray<HandlerRegistry.Registered>
  readonly readers: ReadonlyArray<HandlerRegistry.RegisteredReader>
  readonly counts: {
    readonly commands: number
    readonly queries: number
    /** Subscriptions and projections. */
    readonly readers: number
  }
}

/**
 * Describes the handlers and readers of the layers that were built together.
 *
 * **Example** (What is there)
 *
 * ```ts
 * import { Command, CommandBus, Introspection, on } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * class Ping extends Command.Class<Ping>()("Ping", { payload: {} }) {}
 * const Handlers = CommandBus.handlers(on(Ping, function answer() { return Effect.void }))
 *
 * const program = Effect.map(Introspection.describe, ({ messages }) =>
 *   messages.map(({ handler, message }) => `${message.kind} ${message.tag}: ${handler}`)
 * )
 * await Effect.runPromise(program.pipe(Effect.provide(Handlers))) // => ["command Ping: answer"]
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const describe: Effect.Effect<Program, never, HandlerRegistry.HandlerRegistry> = Effect.gen(function* () {
  const registry = yield* HandlerRegistry.HandlerRegistry
  const messages = yield* registry.handlers
  const readers = yield* registry.readers
  const count = (kind: Message.Kind) => messages.filter(({ message }) => message.kind === kind).length
  return { messages, readers, counts: { commands: count("command"), queries: count("query"), readers: readers.length } }
})
