/** How long to wait before deciding again. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** The first two tries follow at once: most races have one winner. Then up to 1, 2, 4 ... 64 ms. */
export const pause = (tried: number): Effect.Effect<void> =>
  tried < 2
    ? Effect.yieldNow
    : Effect.flatMap(Random.next, (random) => Effect.sleep(random * 2 ** Math.min(tried - 2, 6)))
