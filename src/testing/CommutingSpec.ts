/**
 * What an aggregate declares to commute, checked against its `evolve`.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Aggregate } from "../domain/Aggregate.ts"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import * as Fold from "../domain/Fold.ts"
import * as Position from "../domain/Position.ts"
import type { RecordedEvent } from "../domain/RecordedEvent.ts"
import * as StreamName from "../domain/StreamName.ts"
import * as TenantId from "../domain/TenantId.ts"
import * as Assert from "./Assert.ts"
import * as Diff from "./internal/diff.ts"
import * as Law from "./Law.ts"

/**
 * How to check, where the defaults will not do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<State, E> {
  /** How many histories are tried for each pair; 200 when absent. */
  readonly runs?: number | undefined
  /**
   * Events as they really are, for classes whose fields say too little: the histories and both events of a pair come from
   * it. Generated from the schemas of the classes when absent.
   */
  readonly events?: Arbitrary.Arbitrary<E> | undefined
  /** Whether two states are as good as equal; when absent, they are equal part by part. */
  readonly same?: ((one: State, other: State) => boolean) | undefined
}

/**
 * Checks every pair that an aggregate declares in `commutes`: after any history, one event and then the other lead to the same
 * state as the other and then the one. Dies with the counterexample, made as small as it gets, when it is not so.
 *
 * **Details**
 *
 * Events are generated from their schemas. Events of one case often have fields of the same value, as those that matter for
 * each other do: the same item, the same key.
 *
 * **Gotchas**
 *
 * It finds what `evolve` says, not what a decision would have said: a withdrawal commutes with a withdrawal, and still both
 * together may be more than there was.
 *
 * **Example** (A pair that does not commute)
 *
 * ```ts
 * import { Aggregate, Event } from "effect-cqrs"
 * import { CommutingSpec } from "effect-cqrs/testing"
 * import * as Effect from "effect/Effect"
 * import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
 *
 * class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}
 * class Cleared extends Event.Class<Cleared>()("Cleared", {}) {}
 * const initial: number = 0
 * const declared = { events: [Added, Cleared], initial } as const
 * const evolve = { Added: (sum: number, { n }: Added) => sum + n, Cleared: () => 0 }
 *
 * const Right = Aggregate.make("Sum", { ...declared, commutes: { Added: ["Added"] } }).evolve(evolve)
 * await Effect.runPromise(CommutingSpec.check(Right)) // => undefined
 *
 * const Wrong = Aggregate.make("Sum", { ...declared, commutes: { Added: ["Cleared"] } }).evolve(evolve)
 * const message = await Effect.runPromise(CommutingSpec.check(Wrong)).catch(String)
 * String(message).includes("Added and Cleared do not commute") // => true
 * ```
 *
 * @category checking
 * @since 0.1.0
 */
export const check = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  options?: Options<State, E>
): Effect.Effect<void> => {
  const { commuting, evolve, name } = aggregate
  const same = options?.same ?? ((one: State, other: State) => Diff.differences(one, other).length === 0)
  return Effect.forEach(
    commuting.pairs,
    ([first, second]) =>
      Law.forAll(
        cases(aggregate, options?.events, first, second),
        ({ history, one, other }) =>
          Effect.sync(() => {
            const before = Fold.run(aggregate, history)
            const [here, there] = [evolve(evolve(before, one), other), evolve(evolve(before, other), one)]
            if (same(here, there)) return
            const lines = Diff.differences(here, there)
            throw new Assert.AssertionFailed(
              [
                `${first} and ${second} do not commute in ${name}: from ${Diff.show(before)}`,
                `  ${Diff.show(one)} then ${Diff.show(other)} leads to ${Diff.show(here)}`,
                `  and the other way round to ${Diff.show(there)}`,
                Diff.describe(lines)
              ].join("\n")
            )
          }),
        { runs: options?.runs ?? 200 }
      ),
    { discard: true }
  )
}

interface Case<E> {
  readonly history: ReadonlyArray<E>
  readonly one: E
  readonly other: E
}

const longest = 6

/** Histories and pairs; some of their events have fields of the same value as the first of the pair. */
const cases = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  given: Arbitrary.Arbitrary<E> | undefined,
  first: string,
  second: string
): Arbitrary.Arbitrary<Case<E>> => {
  const only = (tag: string) =>
    given === undefined
      ? generated(aggregate, ({ tag: own }) => own === tag)
      : Arbitrary.filter(given, ({ _tag }) => _tag === tag)
  const parts = Arbitrary.all({
    history: Arbitrary.array(given ?? generated(aggregate, () => true), { maxLength: longest }),
    one: only(first),
    other: only(second),
    alike: Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 15 }))), {
      maxLength: longest + 1
    })
  })
  // Events that are given are as they are.
  if (given !== undefined) return Arbitrary.map(parts, ({ history, one, other }) => ({ history, one, other }))
  return Arbitrary.map(parts, ({ alike, history, one, other }) => ({
    history: history.map((event, index) => like(aggregate, event, one, alike[index + 1] ?? 0)),
    one,
    other: like(aggregate, other, one, alike[0] ?? 0)
  }))
}

/** Events of the aggregate's classes, as a store would give them back. */
const generated = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  isWanted: (self: { readonly tag: string }) => boolean
): Arbitrary.Arbitrary<E> => {
  const classes = aggregate.events.filter(isWanted).filter(isClass)
  const events = Arbitrary.map(Arbitrary.schema(Schema.Union(classes)), (event) => stored(aggregate, event, {}))
  return Arbitrary.filter(events, (event): event is E => event !== undefined)
}

const isClass = <A>(self: A): self is A & Schema.Codec<Event.Any, unknown> => Schema.isSchema(self)

/** The event with some fields of another: those of its own whose bit is set. */
const like = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  aggregate: Aggregate<Name, State, E, K>,
  event: E,
  model: E,
  bits: number
): E => {
  const fields = Result.getOrElse(model[Event.TypeId].encode(model), () => undefined)
  const own = Result.getOrElse(event[Event.TypeId].encode(event), () => undefined)
  if (bits === 0 || !Predicate.isObject(fields) || !Predicate.isObject(own)) return event
  const known = new Map<string, unknown>(Object.entries(fields))
  const taken = Object.keys(own).filter((key, index) => known.has(key) && ((bits >> (index % 4)) & 1) === 1)
  const changed = stored(aggregate, event, Object.fromEntries(taken.map((key) => [key, known.get(key)])))
  return changed ?? event
}

/** What an event is after it was stored with some other fields; nothing when it does not fit its class then. */
const stored = <Name extends string, State, E extends Event.Any, K extends Decoding.Kind>(
  { decode }: Aggregate<Name, State, E, K>,
  event: Event.Any,
  fields: object
): E | undefined => {
  const { encode, tag, version } = event[Event.TypeId]
  const encoded = encode(event)
  if (Result.isFailure(encoded)) return undefined
  const read: Decoding.Decoding<RecordedEvent<E>, unknown, unknown> = decode({
    position: Position.make(1),
    tenant: TenantId.make("spec"),
    stream: StreamName.make("Spec", "1"),
    version: 1,
    id: "00000000-0000-4000-8000-000000000001",
    type: tag,
    schemaVersion: version,
    tags: [],
    metadata: { correlationId: "", occurredAt: 0 },
    recordedAt: 0,
    data: { ...Object(encoded.success), ...fields }
  })
  return read._tag === "Success" ? read.success.event : undefined
}
