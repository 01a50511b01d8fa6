/** How long outcomes are kept, in milliseconds, and who serves them from a cache. */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Driver } from "../../../ports/QueryCacheDriver.ts"
import { type Codec, errorOf, isAbsent } from "./codec.ts"
import { countsOf } from "./metrics.ts"
import { type Policy, Serving } from "./serving.ts"

export interface Times {
  readonly ttl?: Duration.Input | undefined
  readonly grace?: Duration.Input | undefined
  readonly absence?: Duration.Input | undefined
  readonly errors?: Duration.Input | undefined
  readonly lease?: Duration.Input | undefined
  readonly beta?: number | undefined
}

const millis = (input: Duration.Input | undefined, otherwise: Duration.Input) =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? otherwise))

export const policyOf = (times: Times, encode: Codec["encode"]) => {
  const ttl = millis(times.ttl, "5 minutes")
  const absence = millis(times.absence, 0)
  const errors = millis(times.errors, 0)
  const policy: Policy = {
    grace: millis(times.grace, 0),
    lease: millis(times.lease, "10 seconds"),
    beta: times.beta ?? 1,
    encode,
    ttlOf: (outcome) => {
      if (Exit.isSuccess(outcome)) return isAbsent(outcome.value) ? absence : ttl
      return Option.isSome(errorOf(outcome)) ? errors : 0
    }
  }
  return { ...policy, ttl, absence, errors }
}

/** One for each cache that a program has. */
export const servingsOf = (name: string, policy: Policy) => {
  const counts = countsOf(name)
  const servings = new WeakMap<Driver, Serving>()
  const servingOf = (cache: Driver): Serving => {
    let serving = servings.get(cache)
    if (serving === undefined) servings.set(cache, (serving = new Serving(cache, policy, counts)))
    return serving
  }
  return { counts, servingOf }
}
