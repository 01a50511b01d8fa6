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
  /** An id made with what this fiber has as its clock and its source of randomness. */
  readonly unsafeNext: (fiber: Fiber.Fiber<unknown, unknown>) => string
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

const hex: ReadonlyArray<string> = Array.from({ length: 65536 }, (_, n) => n.toString(16).padStart(4, "0"))

// The first 48 bits are the time: they stay the same for all ids of one millisecond.
let prefixTime = -1
let prefix = ""

const uuid7 = (fiber: Fiber.Fiber<unknown, unknown>): string => {
  const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  if (now !== prefixTime) {
    const high = Math.floor(now / 65536)
    prefix = `${hex[(high >>> 16) & 0xffff]}${hex[high & 0xffff]}-${hex[now % 65536]}-`
    prefixTime = now
  }
  const random = fiber.getRef(Random.Random)
  const a = (random.nextDoubleUnsafe() * 0x1_0000_0000) >>> 0
  const b = (random.nextDoubleUnsafe() * 0x1_0000_0000) >>> 0
  const c = (random.nextDoubleUnsafe() * 0x1_0000_0000) >>> 0
  return `${prefix}${hex[0x7000 | (a & 0x0fff)]}-${hex[0x8000 | ((a >>> 16) & 0x3fff)]}-${hex[b >>> 16]}${hex[b & 0xffff]}${hex[c & 0xffff]}`
}
