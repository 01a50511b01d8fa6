/**
 * What reading one stored event gives: nearly always one event, at once.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"

/**
 * A stored event that is none, one or several events of today, in this order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Several<out A> {
  readonly _tag: "Several"
  readonly values: ReadonlyArray<A>
}

/**
 * A stored event that is read with the help of services. It is data: whoever runs it goes on with `resume`, so that what
 * describes events stays free of effects.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pending<out A, out E, out R> {
  readonly _tag: "Pending"
  readonly effect: Effect.Effect<unknown, unknown, R>
  readonly resume: (value: unknown) => Decoding<A, E, R>
}

/**
 * All that reading a stored event can give.
 *
 * @category models
 * @since 0.1.0
 */
export type Decoding<A, E, R = never> = Result.Result<A, E> | Several<A> | Pending<A, E, R>

/**
 * In a type, what the history of an event asks of its reader beyond one event at once: nothing (`never`), taking several
 * events for one, or services.
 *
 * @category kinds
 * @since 0.1.0
 */
export type Kind = "several" | Requires<unknown>

/**
 * The kind of a history that needs services.
 *
 * @category kinds
 * @since 0.1.0
 */
export interface Requires<out R> {
  readonly requires: R
}

/**
 * The services that a kind of history needs.
 *
 * @category kinds
 * @since 0.1.0
 */
export type Services<K> = K extends Requires<infer R> ? R : never

/**
 * What reading gives for a kind of history: a plain `Result` where it asks nothing of its reader.
 *
 * @category kinds
 * @since 0.1.0
 */
export type Of<A, E, K> = [K] extends [never] ? Result.Result<A, E> : Decoding<A, E, Services<K>>

/**
 * Several values as what was read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const several = <A>(values: ReadonlyArray<A>): Several<A> => ({ _tag: "Several", values })

/**
 * What is to be read with services.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pending = <A, E, R>(
  effect: Effect.Effect<unknown, unknown, R>,
  resume: (value: unknown) => Decoding<A, E, R>
): Pending<A, E, R> => ({ _tag: "Pending", effect, resume })

/**
 * Reads on from every value that was read; the first failure is the failure of all.
 *
 * **Example** (One that becomes two)
 *
 * ```ts
 * import { Decoding } from "effect-cqrs"
 * import * as Result from "effect/Result"
 *
 * const halves = (n: number) => (n % 2 === 0 ? Decoding.several([n / 2, n / 2]) : Result.fail("odd"))
 *
 * Decoding.flatMap(Result.succeed(6), halves) // => { _tag: "Several", values: [3, 3] }
 * Decoding.flatMap(Decoding.several([4, 5]), halves) // => Result.fail("odd")
 * ```
 *
 * @category sequencing
 * @since 0.1.0
 */
export const flatMap = <A, E, R, B, E2, R2>(
  self: Decoding<A, E, R>,
  f: (value: A) => Decoding<B, E2, R2>
): Decoding<B, E | E2, R | R2> => {
  switch (self._tag) {
    case "Success":
      return f(self.success)
    case "Failure":
      return Result.fail(self.failure)
    case "Several":
      return collect(self.values, f)
    case "Pending":
      return pending(self.effect, (value) => flatMap(self.resume(value), f))
  }
}

/**
 * Changes every value that was read.
 *
 * @category sequencing
 * @since 0.1.0
 */
export const map = <A, E, R, B>(self: Decoding<A, E, R>, f: (value: A) => B): Decoding<B, E, R> =>
  flatMap(self, (value): Decoding<B, never, R> => Result.succeed(f(value)))

/**
 * Changes the failure.
 *
 * @category sequencing
 * @since 0.1.0
 */
export const mapError = <A, E, R, E2>(self: Decoding<A, E, R>, f: (error: E) => E2): Decoding<A, E2, R> => {
  switch (self._tag) {
    case "Success":
      return Result.succeed(self.success)
    case "Failure":
      return Result.fail(f(self.failure))
    case "Several":
      return self
    case "Pending":
      return pending(self.effect, (value) => mapError(self.resume(value), f))
  }
}

/**
 * Reads each of these in turn: all that they give, in order, or the first failure.
 *
 * @category sequencing
 * @since 0.1.0
 */
export const collect = <A, B, E, R>(values: ReadonlyArray<A>, f: (value: A) => Decoding<B, E, R>): Decoding<B, E, R> =>
  gather(values, f, 0, [])

const gather = <A, B, E, R>(
  values: ReadonlyArray<A>,
  f: (value: A) => Decoding<B, E, R>,
  from: number,
  before: ReadonlyArray<B>
): Decoding<B, E, R> => {
  const read: Array<B> = [...before]
  for (const [index, value] of values.entries()) {
    if (index < from) continue
    const one = f(value)
    switch (one._tag) {
      case "Success":
        read.push(one.success)
        break
      case "Failure":
        return one
      case "Several":
        read.push(...one.values)
        break
      case "Pending":
        return flatMap(all(one), (list) => gather(values, f, index + 1, [...read, ...list]))
    }
  }
  return several(read)
}

// All values of one reading, as one value.
const all = <A, E, R>(self: Decoding<A, E, R>): Decoding<ReadonlyArray<A>, E, R> => {
  switch (self._tag) {
    case "Success":
      return Result.succeed([self.success])
    case "Failure":
      return Result.fail(self.failure)
    case "Several":
      return Result.succeed(self.values)
    case "Pending":
      return pending(self.effect, (value) => all(self.resume(value)))
  }
}
