/**
 * What breakers and the like cost around work that succeeds at once.
 */
import { Breaker, Bulkhead, Command, CommandBus, Middleware, on, Policy, TenantContext } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { type Contender, perSecond, type Suite } from "../harness.ts"
import * as Policies from "../peers/policies.ts"

const inFiber = (effect: Effect.Effect<unknown>) =>
  perSecond((times) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) yield* effect
      })
    )
  )

const broken: Contender = () => inFiber(Effect.orDie(Breaker.make({ name: "b" }).protect(Effect.void)))

const crowded: Contender = () => inFiber(Effect.orDie(Bulkhead.make({ name: "b" }).protect(Effect.void)))

/** Effect's own breaker, whose state can be shared through Redis. */
const shared: Contender = () =>
  perSecond((times) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const options = { tripPolicy: CircuitBreaker.consecutive(5), openDuration: "30 seconds" } as const
        const breaker = yield* CircuitBreaker.make(options)
        for (let n = 0; n < times; n++) yield* breaker.execute(Effect.void, { key: "b" })
      }).pipe(Effect.scoped, Effect.provide(CircuitBreaker.layerStoreMemory()))
    )
  )

class Touch extends Command.Class<Touch>()("Touch", { payload: {} }) {}

const policy = Policy.make({
  bulkhead: Bulkhead.make({ name: "b" }),
  breaker: Breaker.make({ name: "b" }),
  timeout: "10 seconds",
  retry: { while: () => true }
})

/** The same in front of a handler, as it is used: what is measured is a whole dispatch. */
const all: Contender = () => {
  const Handlers = CommandBus.handlers(on(Touch, () => Effect.void).pipe(Middleware.use(policy)))
  const runtime = ManagedRuntime.make(Layer.merge(Handlers, TenantContext.layerSingle))
  const command = new Touch()
  return perSecond((times) =>
    runtime.runPromise(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) yield* CommandBus.execute(command)
      })
    )
  )
}

const suite: Suite = [
  {
    name: "a breaker around what succeeds at once",
    unit: "/s",
    target: { ratio: 1 },
    ours: broken,
    peers: { opossum: Policies.opossum },
    beside: { cockatiel: Policies.breaker, "effect/persistence": shared }
  },
  {
    name: "a bulkhead around what succeeds at once",
    unit: "/s",
    ours: crowded,
    peers: { cockatiel: Policies.bulkhead }
  },
  {
    name: "bulkhead, breaker, time-out and retry around what succeeds at once",
    unit: "/s",
    ours: all,
    peers: { cockatiel: Policies.all }
  }
]

export default suite
