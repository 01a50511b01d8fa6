/**
 * Assertions that need no test runner: they throw, with a text that says where two values differ.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Diff from "./internal/diff.ts"

/**
 * Something is not as it was expected to be.
 *
 * @category errors
 * @since 0.1.0
 */
export class AssertionFailed extends Error {
  override readonly name = "AssertionFailed"
}

/**
 * Throws unless two values are equal, part by part: instances of one class with equal fields are, and so are Options, dates,
 * sets and maps of equal contents.
 *
 * **Example** (Where two values differ)
 *
 * ```ts
 * import { Assert } from "effect-cqrs/testing"
 *
 * Assert.equal([{ id: "t-1", done: true }], [{ id: "t-1", done: true }]) // => undefined
 *
 * let message = ""
 * try {
 *   Assert.equal([{ id: "t-1", done: false }], [{ id: "t-1", done: true }], "tasks")
 * } catch (error) {
 *   message = String(error)
 * }
 * message // => "AssertionFailed: tasks\n  [0].done: expected true, got false"
 * ```
 *
 * @category assertions
 * @since 0.1.0
 */
export const equal = (actual: unknown, expected: unknown, about = "The values differ"): void => {
  const lines = Diff.differences(actual, expected)
  if (lines.length > 0) throw new AssertionFailed(`${about}\n${Diff.describe(lines)}`)
}

/**
 * Throws unless the condition holds.
 *
 * @category assertions
 * @since 0.1.0
 */
export function isTrue(condition: boolean, about: string): asserts condition {
  if (!condition) throw new AssertionFailed(about)
}

/**
 * Throws when the value is absent, and answers with it when it is there.
 *
 * @category assertions
 * @since 0.1.0
 */
export const defined = <A>(value: A, about: string): NonNullable<A> => {
  if (value === undefined || value === null) throw new AssertionFailed(about)
  return value
}

/**
 * The `reason`s of an error that has them.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ReasonOf<E> = E extends { readonly reason: infer Reason extends { readonly _tag: string } } ? Reason : never

/**
 * Runs an effect that must fail with this reason, and answers with the reason. Anything else dies, saying what came instead.
 *
 * **Example** (Asking for the reason and the number)
 *
 * ```ts
 * import { EventStore, Memory, StreamName, TenantContext } from "effect-cqrs"
 * import { Assert } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const store = yield* EventStore.EventStore
 *   const append = store.append({ stream: StreamName.make("Task", "1"), expected: 3, events: [] })
 *   return (yield* Assert.fails(append, "VersionConflict")).actual
 * })
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => 0
 * ```
 *
 * @category assertions
 * @since 0.1.0
 */
export const fails = <A, E, R, Tag extends ReasonOf<E>["_tag"]>(
  effect: Effect.Effect<A, E, R>,
  tag: Tag
): Effect.Effect<Extract<ReasonOf<E>, { readonly _tag: Tag }>, never, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) {
      return Effect.die(new AssertionFailed(`expected a failure of ${tag}, succeeded with ${Diff.show(exit.value)}`))
    }
    const [first, ...others] = exit.cause.reasons
    if (
      others.length === 0 &&
      first !== undefined &&
      Cause.isFailReason(first) &&
      hasReason<E, Tag>(first.error, tag)
    ) {
      return Effect.succeed(first.error.reason)
    }
    return Effect.die(
      new AssertionFailed(`expected a failure of ${tag}, failed with:\n${Cause.pretty(exit.cause)}`, {
        cause: Cause.squash(exit.cause)
      })
    )
  })

const hasReason = <E, Tag extends string>(
  error: unknown,
  tag: Tag
): error is { readonly reason: Extract<ReasonOf<E>, { readonly _tag: Tag }> } =>
  typeof error === "object" &&
  error !== null &&
  "reason" in error &&
  typeof error.reason === "object" &&
  error.reason !== null &&
  "_tag" in error.reason &&
  error.reason._tag === tag
