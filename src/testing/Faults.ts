/**
 * Faults on purpose: the nth call of a port fails, is late, happens twice, or succeeds and says that it did not.
 *
 * What a program does when its storage fails is a promise like any other, and one that no test sees while nothing fails.
 * Here the faults are values with types: only the errors that a method can fail with fit it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Fault from "./Fault.ts"
import * as port from "./internal/faults.ts"
import * as Law from "./Law.ts"

/**
 * The methods of a service that faults can be put on: those that are effects, or answer with one.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type Methods<Shape> = port.Methods<Shape>

/**
 * What a method can fail with. Of one that passes on the failures of an effect it is given, like
 * `UnitOfWork.transaction`, it is what the ports add of their own.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type Failure<Method> = port.Failure<Method>

/**
 * The rules for some methods of a service: one, or several of which the first is outermost.
 *
 * @category models
 * @since 0.1.0
 */
export type Rules<Shape> = {
  readonly [Name in Methods<Shape>]?:
    | Fault.OneOrMore<Fault.Rule<port.Args<Shape[Name]>, Failure<Shape[Name]>>>
    | undefined
}

/**
 * What was injected.
 *
 * **Details**
 *
 * - `injected` is in the order of injection.
 * - `seed` is what `chance` started from: `Law.Seed`, or chosen by `Random`. The same seed with the same calls gives the same
 *   faults.
 *
 * @category services
 * @since 0.1.0
 */
export class Faults extends Context.Service<
  Faults,
  {
    readonly seed: number
    readonly injected: Effect.Effect<ReadonlyArray<Fault.Injected>>
    /** A new place of this name. */
    readonly site: (name: string) => Fault.Site
  }
>()("effect-cqrs/testing/Faults") {}

/**
 * Whether this fiber's calls are counted and get faults; true unless provided.
 *
 * @category services
 * @since 0.1.0
 */
export const Enabled: Context.Reference<boolean> = Context.Reference<boolean>("effect-cqrs/testing/Faults/Enabled", {
  defaultValue: () => true
})

/**
 * Runs an effect without faults, and without counting its calls: for what a test prepares and what it looks at afterwards.
 *
 * @category combinators
 * @since 0.1.0
 */
export const without = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Enabled, false)

/**
 * Puts faults on methods of a service: it takes the service of that tag from the layer it is given, and provides one that
 * fails on purpose, and `Faults`.
 *
 * **Details**
 *
 * - A call is counted when its effect runs. Places are named by the end of the tag's key and the method: `EventStore.append`.
 * - It works for every service, the library's ports and one's own alike.
 * - All layers of one program share one `Faults`, when they are built together.
 *
 * **Gotchas**
 *
 * - What a service calls on itself is not a call of the port, and what a layer below has taken already is not faulty: put the
 *   faults below what is to suffer them.
 * - A method that answers with a `Stream`, like `EventBus.stream`, takes no faults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Identifier, Shape extends object>(
  tag: Context.Key<Identifier, Shape>,
  rules: Rules<NoInfer<Shape>>
): Layer.Layer<Identifier | Faults, never, Identifier> =>
  Layer.effect(
    tag,
    Effect.gen(function* () {
      const service = yield* tag
      const faults = yield* Faults
      const name = tag.key.slice(tag.key.lastIndexOf("/") + 1)
      const places = new Map(
        entriesOf(rules).map(([method, own]) => [method, around(faults.site(`${name}.${method}`), own)])
      )
      return port.intercept(service, places)
    })
  ).pipe(Layer.provideMerge(layerRecord))

/**
 * Only the record: for `inject` and `wrap` without a faulty port.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRecord: Layer.Layer<Faults> = Layer.effect(
  Faults,
  Effect.gen(function* () {
    const seed = (yield* Law.Seed) ?? (yield* Random.nextIntBetween(0, 2 ** 31))
    const injected: Array<Fault.Injected> = []
    let sequences = 0
    const sequence = () => {
      const name = `${seed}/${sequences++}`
      let random: typeof Random.Random.Service | undefined
      return Effect.suspend(() =>
        random === undefined
          ? Effect.map(Random.withSeed(Random.Random, name), (seeded) => (random = seeded).nextDoubleUnsafe())
          : Effect.succeed(random.nextDoubleUnsafe())
      )
    }
    return {
      seed,
      injected: Effect.sync(() => injected.slice()),
      site: (name) => ({ name, sequence, note: (call, fault) => void injected.push({ at: name, call, fault }) })
    }
  })
)

/**
 * Puts faults around an effect of one's own: the combinator counts how often what it was applied to runs, under `name`.
 *
 * **Details**
 *
 * What the faults fail with is added to the effect's errors. It becomes a middleware with
 * `Middleware.lift<Errors, Faults.Faults>(name, Faults.inject(…))`.
 *
 * **Example** (A mail that is sent twice)
 *
 * ```ts
 * import { Fault, Faults } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 *
 * const sent: Array<string> = []
 * const send = Effect.sync(() => sent.push("hello")).pipe(Faults.inject("send", Fault.nth(2, Fault.duplicate)))
 *
 * await Effect.runPromise(send.pipe(Effect.repeat({ times: 2 }), Effect.provide(Faults.layerRecord))) // => 4
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const inject = <E = never>(
  name: string,
  ...rules: ReadonlyArray<Fault.Rule<readonly [], E>>
): (<A, E1, R>(self: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1 | E, R | Faults>) => {
  const here = placed(name, rules)
  return (self) => Effect.flatMap(Faults, (faults) => here(faults)(self, []))
}

/**
 * Puts faults around a function of one's own, such as a handler; `Fault.where` sees its arguments.
 *
 * **Example** (A handler that fails for one customer)
 *
 * ```ts
 * import { Fault, Faults } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 *
 * const charge = (customer: string) => Effect.succeed(`${customer} paid`)
 * const declines = Fault.where((customer: string) => customer === "Bob", Fault.fail("declined" as const))
 * const faulty = Faults.wrap("charge", declines)(charge)
 *
 * const program = Effect.all([faulty("Ada"), Effect.flip(faulty("Bob"))])
 * await Effect.runPromise(Effect.provide(program, Faults.layerRecord)) // => ["Ada paid", "declined"]
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const wrap = <Args extends ReadonlyArray<unknown>, E = never>(
  name: string,
  ...rules: ReadonlyArray<Fault.Rule<Args, E>>
): (<Own extends Args, A, E1, R>(
  f: (...args: Own) => Effect.Effect<A, E1, R>
) => (...args: Own) => Effect.Effect<A, E1 | E, R | Faults>) => {
  const here = placed(name, rules)
  return (f) =>
    (...args) =>
      Effect.flatMap(Faults, (faults) =>
        here(faults)(
          Effect.suspend(() => f(...args)),
          args
        )
      )
}

/** Each method's arguments are known by its type only. */
function entriesOf<Shape>(
  rules: Rules<Shape>
): ReadonlyArray<readonly [string, Fault.OneOrMore<Fault.Rule<ReadonlyArray<unknown>, unknown>>]>
function entriesOf(rules: object): ReadonlyArray<unknown> {
  return Object.entries(rules).filter(([, own]) => own !== undefined)
}

type Around<in Args extends ReadonlyArray<unknown>, out E> = <A, E1, R>(
  self: Effect.Effect<A, E1, R>,
  args: Args
) => Effect.Effect<A, E1 | E, R>

/** The rules at a place, the first outermost; a call is counted when it runs. */
const around = <Args extends ReadonlyArray<unknown>, E>(
  site: Fault.Site,
  rules: Fault.OneOrMore<Fault.Rule<Args, E>>
): Around<Args, E> => {
  const armed = [rules].flat().map((rule) => rule.arm(site))
  let calls = 0
  return <A, E1, R>(self: Effect.Effect<A, E1, R>, args: Args): Effect.Effect<A, E1 | E, R> =>
    Effect.withFiber((fiber) => {
      if (!fiber.getRef(Enabled)) return self
      const call = { args, number: ++calls }
      return armed.reduceRight<Effect.Effect<A, E1 | E, R>>((inner, rule) => rule(inner, call), self)
    })
}

/** One place for each record: a program that is built again counts again. */
const placed = <Args extends ReadonlyArray<unknown>, E>(name: string, rules: ReadonlyArray<Fault.Rule<Args, E>>) => {
  const places = new WeakMap<Faults["Service"], Around<Args, E>>()
  return (faults: Faults["Service"]): Around<Args, E> => {
    let place = places.get(faults)
    if (place === undefined) places.set(faults, (place = around(faults.site(name), rules)))
    return place
  }
}
