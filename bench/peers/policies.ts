/**
 * cockatiel and opossum: policies around functions that give promises.
 */
import * as Cockatiel from "cockatiel"
import CircuitBreaker from "opossum"
import { type Contender, perSecond } from "../harness.ts"

const nothing = async () => undefined

const executing = (policy: Cockatiel.IPolicy) =>
  perSecond(async (times) => {
    for (let n = 0; n < times; n++) await policy.execute(nothing)
  })

const breaking = () =>
  Cockatiel.circuitBreaker(Cockatiel.handleAll, {
    halfOpenAfter: 30_000,
    breaker: new Cockatiel.ConsecutiveBreaker(5)
  })

export const breaker: Contender = () => executing(breaking())

export const bulkhead: Contender = () => executing(Cockatiel.bulkhead(10, 100))

export const all: Contender = () =>
  executing(
    Cockatiel.wrap(
      Cockatiel.bulkhead(10, 100),
      breaking(),
      Cockatiel.timeout(10_000, Cockatiel.TimeoutStrategy.Aggressive),
      Cockatiel.retry(Cockatiel.handleAll, { maxAttempts: 3, backoff: new Cockatiel.ExponentialBackoff() })
    )
  )

export const opossum: Contender = () => {
  const breaker = new CircuitBreaker(nothing, { timeout: false })
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) await breaker.fire()
  })
}
