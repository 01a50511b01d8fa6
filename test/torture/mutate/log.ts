/**
 * Checks of the log, by readers of the library.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as PgHighWater from "../../../src/adapters/postgres/PgHighWater.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as session from "../session.ts"
import { expect, Follower, soon, type Stage } from "./stage.ts"

const seenAre = ({ seen }: Follower, positions: ReadonlyArray<number>) =>
  expect(seen.join() === positions.join(), `seen are ${seen.join()}, and not ${positions.join()}`)

/** Makes the agent look a few times. */
const looks = (stage: Stage, position: number) =>
  Effect.gen(function* () {
    const agent = yield* PgHighWater.PgHighWater
    for (let n = 0; n < 3; n++) {
      agent.nudge(Position.make(position))
      yield* Effect.sleep("15 millis")
    }
  }).pipe(Effect.provide(stage.library))

export const late = (stage: Stage) =>
  Effect.gen(function* () {
    const one = yield* session.open(stage.url)
    const other = yield* session.open(stage.url)
    const follower = new Follower(stage)
    yield* follower.to((yield* session.append(one, "Late-before")).position)
    yield* follower.skip
    yield* one.query("begin")
    const held = yield* session.append(one, "Late-held")
    const first = yield* session.append(other, "Late-first")
    yield* looks(stage, first.position)
    yield* follower.read
    const second = yield* session.append(other, "Late-second")
    yield* looks(stage, second.position)
    yield* follower.read
    yield* one.query("commit")
    yield* follower.to(second.position)
    yield* seenAre(follower, [held.position, first.position, second.position])
  })

export const prepared = (stage: Stage) =>
  Effect.gen(function* () {
    const one = yield* session.open(stage.url)
    const follower = new Follower(stage)
    yield* follower.to((yield* session.append(one, "Prepared-before")).position)
    yield* follower.skip
    // Names of prepared transactions are the server's.
    const id = `mutate-${new URL(stage.url).pathname.slice(1)}`
    yield* one.query("begin")
    const held = yield* session.append(one, "Prepared-held")
    yield* one.query(`prepare transaction '${id}'`)
    const next = yield* session.append(one, "Prepared-next")
    yield* looks(stage, next.position)
    yield* follower.read
    yield* one.query(`commit prepared '${id}'`)
    yield* follower.to(next.position)
    yield* seenAre(follower, [held.position, next.position])
  })

export const inOrder = (stage: Stage) =>
  Effect.gen(function* () {
    const sessions = [yield* session.open(stage.url), yield* session.open(stage.url)]
    const follower = new Follower(stage)
    const positions: Array<number> = []
    yield* follower.to((yield* session.append(yield* session.open(stage.url), "Ordered-before")).position)
    yield* follower.skip
    for (let n = 0; n < 3; n++) {
      for (const own of sessions) {
        const { position } = yield* session.append(own, "Ordered")
        positions.push(position)
        yield* follower.to(position)
      }
    }
    yield* seenAre(follower, positions)
  })

export const waiting = (stage: Stage) =>
  Effect.gen(function* () {
    const holder = yield* session.open(stage.url)
    const waiter = yield* session.open(stage.url)
    const other = yield* session.open(stage.url)
    const follower = new Follower(stage)
    yield* follower.to((yield* session.append(other, "Waiting-hot")).position)
    yield* follower.skip
    yield* holder.query("begin")
    yield* holder.query("update es.stream set version = version where stream = 'Waiting-hot'")
    const wait = yield* Effect.forkChild(session.append(waiter, "Waiting-hot"))
    yield* soon(session.isWaiting(other, waiter), "the append waits for the stream")
    const next = yield* session.append(other, "Waiting-cold")
    yield* follower.to(next.position)
    yield* holder.query("commit")
    const waited = yield* Fiber.join(wait)
    yield* follower.to(waited.position)
    yield* seenAre(follower, [next.position, waited.position])
  })

export const pages = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.url)
    const whole = new Follower(stage)
    yield* whole.to((yield* session.append(own, "Pages-before")).position)
    yield* whole.skip
    const follower = new Follower(stage, 2)
    yield* follower.skip
    const positions: Array<number> = []
    for (let n = 0; n < 7; n++) positions.push((yield* session.append(own, `Pages-${n % 3}`)).position)
    yield* whole.to(positions.at(-1) ?? 0)
    yield* follower.read
    yield* seenAre(whole, positions)
    yield* seenAre(follower, positions)
  })

export const tenants = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.url)
    const mine = yield* session.append(own, "Tenants-1")
    const foreign = yield* session.append(own, "Tenants-1", { tenant: "acme" })
    yield* new Follower(stage).to(foreign.position)
    const store = yield* Effect.provide(EventStore.EventStore, stage.library)
    const after = Position.make(mine.position - 1)
    const page = yield* store.readAll({ after, limit: 10 }).pipe(Effect.provide(stage.library))
    yield* expect(
      page.events.map(({ position }) => position).join() === String(mine.position),
      "a tenant reads its own events"
    )
  })
