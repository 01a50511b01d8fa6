/**
 * Where message ids come from.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"

/**
 * Makes ids; synchronous, because an id is made only when something first reads it.
 *
 * **Details**
 *
 * The default is UUID version 7 (RFC 9562) over the fiber's `Clock` and `Random`: ids sort by time, a test with a seeded
 * `Random` and a `TestClock` repeats them.
 *
 * @category services
 * @since 0.1.0
 */
export interface IdGenerator {
  /** A UUID made with what this fiber has as its clock and its source of randomness; `now` spares it a look at the clock. */
  readonly unsafeNext: (fiber: Fiber.Fiber<unknown, unknown>, now?: number) => string
}

/**
 * The generator in use; override it with a layer or `Effect.provideService`.
 *
 * @category services
 * @since 0.1.0
 */
export const IdGenerator: Context.Reference<IdGenerator> = Context.Reference<IdGenerator>(
  "effect-cqrs/ports/IdGenerator",
  { defaultValue: () => ({ unsafeNext: uuid7 }) }
)

/**
 * A new id.
 *
 * @category accessors
 * @since 0.1.0
 */
export const next: Effect.Effect<string> = Effect.withFiber((fiber) =>
  Effect.succeed(fiber.getRef(IdGenerator).unsafeNext(fiber))
)

/**
 * Ids that count from 1, in the shape of a UUID: for tests that print them.
 *
 * **Example** (Predictable ids)
 *
 * ```ts
 * import { IdGenerator } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 *
 * const id = await Effect.runPromise(IdGenerator.next.pipe(Effect.provide(IdGenerator.layerSequential)))
 * id // => "00000000-0000-7000-8000-000000000001"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSequential: Layer.Layer<never> = Layer.effect(
  IdGenerator,
  Effect.sync(() => {
    let last = 0
    return { unsafeNext: () => `00000000-0000-7000-8000-${String(++last).padStart(12, "0")}` }
  })
)

const digits: ReadonlyArray<string> = Array.from({ length: 4096 }, (_, n) => n.toString(16).padStart(3, "0"))

/** Ids from one source of randomness: all of one millisecond share what was drawn for the first, and count in their last 12 bits. */
class Sequence {
  private time = -1
  private shared = ""
  private count = 0

  next(now: number, random: Random.Random): string {
    if (now !== this.time || this.count === digits.length) this.draw(now, random)
    return this.shared + digits[this.count++]
  }

  private draw(now: number, random: Random.Random): void {
    const time = Math.floor(now).toString(16).padStart(12, "0")
    const first = Math.floor(random.nextDoubleUnsafe() * 2 ** 26)
    const rest = Math.floor(random.nextDoubleUnsafe() * 2 ** 36)
    const version = (0x7000 | (first & 0xfff)).toString(16)
    const variant = (0x8000 | (first >>> 12)).toString(16)
    this.shared = `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}-${rest.toString(16).padStart(9, "0")}`
    this.time = now
    this.count = 0
  }
}

const sequences = new WeakMap<Random.Random, Sequence>()

// Nearly always there is one source of randomness.
let lastRandom: Random.Random | undefined
let lastSequence = new Sequence()

const uuid7: IdGenerator["unsafeNext"] = (fiber, now) => {
  const random = fiber.getRef(Random.Random)
  if (random !== lastRandom) {
    lastRandom = random
    lastSequence = sequences.get(random) ?? new Sequence()
    sequences.set(random, lastSequence)
  }
  return lastSequence.next(now ?? fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), random)
}
