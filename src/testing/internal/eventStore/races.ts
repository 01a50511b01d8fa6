/**
 * Laws about many callers at the same time.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import type { StreamName } from "../../../domain/StreamName.ts"
import type * as EventStore from "../../../ports/EventStore.ts"
import {
  type EventStoreError,
  type ExpectedVersion,
  StreamTombstoned,
  VersionConflict
} from "../../../ports/EventStoreError.ts"
import * as Assert from "../../Assert.ts"
import * as Diff from "../diff.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import { follow, last, law, race, racing, settled } from "../world.ts"

const racers = 12
const rounds = 8

/** The racers that won; the others must have lost for the reason that is given. */
const winners = <A>(
  results: ReadonlyArray<Result.Result<A, EventStoreError>>,
  lost: (reason: EventStoreError["reason"], racer: number) => void
): ReadonlyArray<readonly [racer: number, value: A]> =>
  results.flatMap((result, racer) => {
    if (Result.isSuccess(result)) return [[racer, result.success] as const]
    lost(result.failure.reason, racer)
    return []
  })

const conflict = (
  reason: EventStoreError["reason"],
  of: { readonly stream: string; readonly expected: ExpectedVersion; readonly actual: number }
) => Assert.equal(reason, new VersionConflict(of), "the reason of a loser")

const oneWins = law(
  "exactly one of many racing appends at one version wins, and all others get VersionConflict with the actual version",
  (world) =>
    Effect.gen(function* () {
      const stream = world.stream()
      let version = 0
      for (const round of count(rounds)) {
        const expected = round === 1 ? "none" : version
        // Each writes another number of events: the actual version tells who has won.
        const results = yield* race(
          count(racers).map((racer) => Effect.result(world.append(stream, expected, noted(...count(racer)))))
        )
        const losers: Array<EventStoreError["reason"]> = []
        const won = winners(results, (reason) => losers.push(reason))
        Assert.equal(won.length, 1, `round ${round}: how many won`)
        version += (won[0]?.[0] ?? 0) + 1
        Assert.equal(won[0]?.[1].version, version, `round ${round}: the winner's version`)
        for (const reason of losers) conflict(reason, { stream, expected, actual: version })
        Assert.equal(yield* world.store.streamState(stream), { version, tombstoned: false })
      }
      Assert.equal((yield* world.store.readStream(stream)).length, version)
    }),
  racing
)

const allWin = law(
  "racing appends that expect nothing all succeed, one after the other, without holes",
  (world) =>
    Effect.gen(function* () {
      const stream = world.stream()
      const receipts = yield* race(
        count(40).map((n) => Effect.map(world.append(stream, "any", noted(n, n)), (receipt) => ({ n, receipt })))
      )
      const stored = yield* world.store.readStream(stream)
      Assert.equal(
        stored.map(({ version }) => version),
        count(80)
      )
      for (const { n, receipt } of receipts) {
        const events = stored.slice(receipt.version - 2, receipt.version)
        Assert.equal(
          events.map(({ data }) => data),
          [{ n }, { n }],
          `the events at version ${receipt.version}`
        )
        Assert.equal(events[1]?.position, receipt.position)
      }
      ascending(stored)
      Assert.equal(yield* world.log(last(receipts.map(({ receipt }) => receipt))), stored)
    }),
  racing
)

const ascending = (events: ReadonlyArray<Stored>): void => {
  for (const [index, { position }] of events.entries()) {
    const before = events[index - 1]?.position ?? 0
    Assert.isTrue(position > before, `position ${position} comes after ${before}`)
  }
}

const firstOne = law(
  "an append that expects `exists` goes before or after the first event of a race, and says which",
  (world) =>
    Effect.gen(function* () {
      for (const round of count(rounds)) {
        const stream = world.stream(round)
        const creating = Effect.as(world.append(stream, "none", noted(0)), 0)
        const adding = count(racers).map((n) => Effect.map(world.append(stream, "exists", noted(n)), () => n))
        const results = yield* race([...adding, creating].map(Effect.result))
        const won = winners(results, (reason) => conflict(reason, { stream, expected: "exists", actual: 0 }))
        const stored = yield* world.data(stream)
        Assert.equal(stored[0], { n: 0 })
        Assert.equal(new Set(stored), new Set(won.map(([_, n]) => ({ n }))))
      }
    }),
  racing
)

const ended = law(
  "once a stream is tombstoned in a race, nothing is appended: each append came before, or says StreamTombstoned",
  (world) =>
    Effect.gen(function* () {
      for (const round of count(rounds)) {
        const stream = world.stream(round)
        const { position } = yield* world.append(stream, "none", noted(0))
        const done = yield* Ref.make(false)
        const append = (n: number) =>
          Effect.gen(function* () {
            const late = yield* Ref.get(done)
            const result = yield* Effect.result(world.append(stream, "any", noted(n)))
            return { late, n, result }
          })
        const appending = yield* Effect.forkChild(race(count(racers).map(append)))
        yield* Effect.yieldNow
        yield* world.store.tombstone(stream, "any")
        yield* Ref.set(done, true)
        const { version } = yield* world.store.streamState(stream)
        const attempts = [...(yield* Fiber.join(appending)), yield* append(99)]
        const won: Array<number> = [0]
        let position_ = position
        for (const { late, n, result } of attempts) {
          if (Result.isFailure(result)) {
            Assert.equal(result.failure.reason, new StreamTombstoned({ stream }))
          } else {
            Assert.isTrue(!late, "an append that began after the tombstone succeeded")
            position_ = Position.max(position_, result.success.position)
            won.push(n)
          }
        }
        Assert.equal(yield* world.store.streamState(stream), { version, tombstoned: true })
        Assert.equal(version, won.length, "the version of the stream and the appends that succeeded")
        const log = (yield* world.log(position_)).filter((event) => event.stream === stream)
        Assert.equal(new Set(log.map(({ data }) => data)), new Set(won.map((n) => ({ n }))))
      }
    }),
  racing
)

const oneTombstone = law(
  "exactly one of many racing tombstones ends the stream, and all others say StreamTombstoned",
  (world) =>
    Effect.gen(function* () {
      for (const round of count(rounds)) {
        const stream = world.stream(round)
        yield* world.append(stream, "none", noted(1))
        const results = yield* race(
          count(racers).map((n) => Effect.result(world.store.tombstone(stream, n % 2 === 0 ? 1 : "any")))
        )
        const won = winners(results, (reason) => {
          Assert.equal(reason, new StreamTombstoned({ stream }))
        })
        Assert.equal(won.length, 1, `round ${round}: how many won`)
      }
    }),
  racing
)

const opposite = law(
  "appends to the same streams in opposite orders all succeed",
  (world) =>
    Effect.gen(function* () {
      const streams = ["a", "b", "c", "d"].map((name) => world.stream(name))
      const all = count(24).map((n) => {
        const ordered = n % 2 === 0 ? streams : streams.toReversed()
        return world.store.appendAll(ordered.map((stream) => ({ stream, expected: "any" as const, events: noted(n) })))
      })
      const receipts = yield* race(all)
      Assert.equal(receipts.length, 24)
      for (const stream of streams) {
        const stored = yield* world.store.readStream(stream)
        Assert.equal(
          stored.map(({ version }) => version),
          count(24)
        )
      }
    }),
  racing
)

const atomic = law(
  "exactly one of many racing appends to several streams wins, and the others keep nothing in any of them",
  (world) =>
    Effect.gen(function* () {
      const streams = ["a", "b", "c"].map((name) => world.stream(name))
      for (const round of count(rounds)) {
        const version = round - 1
        const results = yield* race(
          count(racers).map((n) => {
            const ordered = n % 2 === 0 ? streams : streams.toReversed()
            const appends = ordered.map((stream) => ({ stream, expected: version, events: noted(round * 100 + n) }))
            return Effect.result(world.store.appendAll(appends))
          })
        )
        const won = winners(results, (reason) => {
          const stream = "stream" in reason ? reason.stream : ""
          Assert.isTrue(
            streams.some((name) => name === stream),
            `${Diff.show(stream)} is none of the streams`
          )
          conflict(reason, { stream, expected: version, actual: round })
        })
        Assert.equal(won.length, 1, `round ${round}: how many won`)
        const expected = { n: round * 100 + (won[0]?.[0] ?? 0) + 1 }
        for (const stream of streams) Assert.equal((yield* world.data(stream)).at(-1), expected, stream)
      }
      for (const stream of streams) {
        Assert.equal(yield* world.store.streamState(stream), { version: rounds, tombstoned: false })
      }
    }),
  racing
)

const followers = law(
  "who follows the log while many append sees every event once, in one order, and each stream's in its own",
  (world) =>
    Effect.gen(function* () {
      const done = yield* Ref.make<Position.Position | undefined>(undefined)
      const following = yield* Effect.forkChild(race([1, 7, 1000].map((limit) => follow(world, done, limit))))
      const write = (writer: number) =>
        Effect.forEach(count(15), (n) => {
          const [own, common]: readonly [StreamName, StreamName] = [world.stream(`w${writer}`), world.stream("common")]
          return n % 3 === 0
            ? world.store.appendAll([
                { stream: common, expected: "any", events: noted(writer * 1000 + n) },
                { stream: own, expected: n - 1, events: noted(n) }
              ])
            : Effect.map(world.append(own, n - 1, noted(n)), (receipt) => [receipt])
        })
      const receipts = (yield* race(count(racers).map(write))).flat(2)
      // What wakes those who wait when nobody else writes any more.
      const end = yield* world.append(world.stream("end"), "none", noted(0))
      yield* Ref.set(done, end.position)
      const seen = yield* Fiber.join(following)
      yield* settled(world.store, last(receipts))
      const whole = yield* world.log(end.position)
      Assert.equal(whole.length, receipts.length + 1)
      ascending(whole)
      for (const events of seen) Assert.equal(events, whole, "what a follower saw and what the log holds")
      for (const name of ["common", ...count(racers).map((writer) => `w${writer}`)]) {
        const stream = world.stream(name)
        const own = whole.filter((event) => event.stream === stream)
        Assert.equal(own, yield* world.store.readStream(stream), `the log's part of ${stream}`)
      }
    }),
  racing
)

export const laws: ReadonlyArray<Law.Law<EventStore.EventStore>> = [
  oneWins,
  allWin,
  firstOne,
  ended,
  oneTombstone,
  opposite,
  atomic,
  followers
]
