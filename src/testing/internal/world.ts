/**
 * What every law of a port stands on: names that nothing else uses, and short ways to say what is done.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Scheduler from "effect/Scheduler"
import type * as Event from "../../domain/Event.ts"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import * as EventStore from "../../ports/EventStore.ts"
import type { ReadAll } from "../../ports/EventStoreDriver.ts"
import type { EventStoreError, ExpectedVersion } from "../../ports/EventStoreError.ts"
import * as IdGenerator from "../../ports/IdGenerator.ts"
import type { AppendReceipt } from "../../ports/Receipt.ts"
import * as TenantContext from "../../ports/TenantContext.ts"
import * as Assert from "../Assert.ts"
import * as Law from "../Law.ts"

/** A short text that nothing else uses, without a dash. */
export const unique: Effect.Effect<string> = Effect.map(IdGenerator.next, (id) => id.replaceAll("-", ""))

export interface Options {
  readonly needs?: Partial<Law.Capabilities> | undefined
  readonly timeout?: Duration.Input | undefined
}

/** A law that only one of several callers at a time can break: it needs more than one session. */
export const racing: Options = { needs: { sessions: 2 } }

/** A tenant, a category and streams of one's own in an event store. */
export class World {
  readonly store: EventStore.EventStore["Service"]
  readonly token: string
  readonly tenant: string
  readonly otherTenant: string
  readonly category: string

  constructor(store: EventStore.EventStore["Service"], token: string) {
    this.store = store
    this.token = token
    this.tenant = `law-${token}`
    this.otherTenant = `law-other-${token}`
    this.category = `Law${token}`
  }

  stream(id: string | number = "1"): StreamName.StreamName {
    return StreamName.make(this.category, String(id))
  }

  append(
    stream: StreamName.StreamName,
    expected: ExpectedVersion,
    events: ReadonlyArray<Event.Any>
  ): Effect.Effect<AppendReceipt, EventStoreError, TenantContext.TenantContext> {
    return this.store.append({ stream, expected, events })
  }

  /** The stored contents of a stream. */
  data(
    stream: StreamName.StreamName
  ): Effect.Effect<ReadonlyArray<unknown>, EventStoreError, TenantContext.TenantContext> {
    return Effect.map(this.store.readStream(stream), (events) => events.map(({ data }) => data))
  }

  /** All of the tenant's events that fit, page by page, once the log is settled up to `until`. */
  log(
    until: Position.Position,
    options: Partial<ReadAll> = {}
  ): Effect.Effect<ReadonlyArray<Stored>, EventStoreError, TenantContext.TenantContext> {
    const { store } = this
    return Effect.gen(function* () {
      yield* settled(store, until)
      const events: Array<Stored> = []
      let after = options.after ?? Position.start
      while (true) {
        const page = yield* store.readAll({ limit: 1000, ...options, after })
        events.push(...page.events)
        if (page.cursor >= page.mark) return events
        Assert.isTrue(page.cursor > after, `a page before the mark left the cursor where it was: ${after}`)
        after = page.cursor
      }
    })
  }
}

/** Waits until the log is settled up to a position: others may hold it back for a while. */
export const settled = (
  store: EventStore.EventStore["Service"],
  position: Position.Position
): Effect.Effect<void, EventStoreError> =>
  Effect.flatMap(store.mark, (mark) =>
    mark >= position ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), settled(store, position))
  )

/** The world of one run. */
export const world: Effect.Effect<World, never, EventStore.EventStore> = Effect.gen(function* () {
  return new World(yield* EventStore.EventStore, yield* unique)
})

/** A law about the event store, as a tenant of its own. */
export const law = <A, E, R>(
  name: string,
  body: (world: World) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | EventStore.EventStore> =>
  Law.make(name, () => Effect.flatMap(world, (made) => TenantContext.provide(made.tenant)(body(made))), options)

/** Runs all at the same time, and answers with what became of each. */
export const race = <A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.all(effects, { concurrency: "unbounded" })

/** Follows the log until it has seen the position that `done` is told, and gives all that it saw. */
export const follow = (
  world: World,
  done: Ref.Ref<Position.Position | undefined>,
  limit: number
): Effect.Effect<ReadonlyArray<Stored>, EventStoreError, TenantContext.TenantContext> =>
  Effect.gen(function* () {
    const seen: Array<Stored> = []
    let after = Position.start
    while (true) {
      const end = yield* Ref.get(done)
      if (end !== undefined && after >= end) return seen
      const page = yield* world.store.readAll({ after, limit })
      seen.push(...page.events)
      if (page.cursor === after) yield* world.store.changed(after)
      else yield* Effect.yieldNow
      after = page.cursor
    }
  })

/**
 * Runs an effect until the scheduler has come round so many times, each time for a few operations, and interrupts it: with
 * every number of steps it is interrupted elsewhere.
 */
export const interruptedAfter = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  steps: number
): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    // With less than three operations at a time a fiber gets nowhere.
    const fiber = yield* effect.pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, 3), Effect.forkChild)
    for (let step = 0; step < steps; step++) yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
  })

/** The last of the positions of several receipts. */
export const last = (receipts: ReadonlyArray<AppendReceipt>): Position.Position =>
  receipts.reduce((position, receipt) => Position.max(position, receipt.position), Position.start)
