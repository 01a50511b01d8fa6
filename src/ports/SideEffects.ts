/**
 * Leave to do what cannot be undone and must not be repeated: mails, payments, calls to others.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/**
 * Who does something to the world outside may require this, so that the compiler knows where it can be called.
 *
 * **Details**
 *
 * The handlers of a projection do not have it: they run again when what they write is rebuilt, and those that require it do
 * not compile. A projection's `react` has it, because it is no part of a rebuild. Elsewhere {@link layer} grants it.
 *
 * **Example** (A service that a rebuild cannot call)
 *
 * ```ts
 * import { SideEffects } from "effect-cqrs"
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 *
 * class Mailer extends Context.Service<Mailer, {
 *   readonly send: (to: string) => Effect.Effect<string, never, SideEffects.SideEffects>
 * }>()("Mailer") {}
 *
 * const program = Effect.flatMap(Mailer, (mailer) => mailer.send("ada@example.com")).pipe(
 *   Effect.provideService(Mailer, { send: (to) => Effect.succeed(`sent to ${to}`) }),
 *   Effect.provide(SideEffects.layer)
 * )
 * Effect.runSync(program) // => "sent to ada@example.com"
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class SideEffects extends Context.Service<SideEffects, { readonly granted: true }>()(
  "effect-cqrs/ports/SideEffects"
) {}

/**
 * The leave as a value.
 *
 * @category services
 * @since 0.1.0
 */
export const granted: SideEffects["Service"] = { granted: true }

/**
 * Grants the leave to what it is provided to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<SideEffects> = Layer.succeed(SideEffects, granted)
