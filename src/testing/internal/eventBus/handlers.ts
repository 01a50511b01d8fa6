/**
 * Laws about the handlers of an event bus: what they know, and what becomes of the others when one goes wrong.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Actor from "../../../domain/Actor.ts"
import * as EventBus from "../../../ports/EventBus.ts"
import * as MessageContext from "../../../ports/MessageContext.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import type * as Law from "../../Law.ts"
import { count } from "../samples.ts"
import { Announced, law, numberOf, Revoked, until } from "./listening.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const contents = law(
  "an event arrives as it was published, with an id of its own, its tenant and what it belongs to",
  (hall) =>
    Effect.gen(function* () {
      const seen: Array<EventBus.Published<Announced>> = []
      yield* hall.bus.subscribe(EventBus.of(Announced), (published) => Effect.sync(() => seen.push(published)))
      yield* hall.publish(...hall.announced(1, 2)).pipe(
        MessageContext.provide({
          messageId: "m-1",
          correlationId: "c-1",
          actor: Actor.user("ada"),
          attributes: { from: "laws" }
        })
      )
      yield* until(() => seen.length === 2)
      Assert.equal(
        seen.map(({ event }) => event),
        hall.announced(1, 2)
      )
      for (const { id, metadata, tenant } of seen) {
        Assert.isTrue(uuid.test(id), `${id} is no UUID`)
        Assert.equal(tenant, hall.tenant)
        const { occurredAt, traceparent: _, ...kept } = metadata
        Assert.isTrue(Number.isSafeInteger(occurredAt), `${occurredAt} is no time in milliseconds`)
        Assert.equal(kept, {
          correlationId: "c-1",
          causationId: "m-1",
          actor: { id: "ada", kind: "user" },
          attributes: { from: "laws" }
        })
      }
      Assert.isTrue(seen[0]?.id !== seen[1]?.id, "two events have one id")
    })
)

const serial = law("a subscriber handles one event after the other", (hall) =>
  Effect.gen(function* () {
    const seen: Array<number> = []
    let running = 0
    yield* hall.bus.subscribe(hall.all, ({ event }) =>
      Effect.gen(function* () {
        Assert.equal(++running, 1, "how many handlers run at once")
        yield* Effect.sleep(numberOf(event) % 2 === 0 ? "1 millis" : "5 millis")
        running--
        seen.push(numberOf(event))
      })
    )
    for (const n of count(6)) yield* hall.publish(...hall.announced(n))
    yield* until(() => seen.length >= 6)
    Assert.equal(seen, count(6))
  })
)

const patient = law("a handler that takes its time holds up neither who publishes nor other subscribers", (hall) =>
  Effect.gen(function* () {
    const started = yield* Deferred.make<void>()
    yield* hall.bus.subscribe(hall.all, () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never))
    const seen = yield* hall.numbers(hall.all)
    yield* hall.publish(...hall.announced(1))
    yield* Deferred.await(started)
    yield* hall.publish(...hall.announced(2, 3))
    yield* until(() => seen.length >= 3)
    Assert.equal(seen, [1, 2, 3])
  })
)

const wrongs: ReadonlyArray<readonly [how: string, wrong: () => Effect.Effect<never, string>]> = [
  ["fails", () => Effect.fail("no")],
  ["dies", () => Effect.die(new Error("a bug"))],
  [
    "throws",
    () => {
      throw new Error("a bug")
    }
  ],
  ["waits for what was interrupted", () => Effect.interrupt]
]

const harmless = wrongs.map(([how, wrong]) =>
  law(`a handler that ${how} harms no other, and gets the next event`, (hall) =>
    Effect.gen(function* () {
      const handled: Array<number> = []
      yield* hall.bus.subscribe(hall.all, ({ event }) => {
        handled.push(numberOf(event))
        return numberOf(event) % 2 === 0 ? wrong() : Effect.void
      })
      const others = yield* hall.numbers(hall.all)
      yield* hall.publish(...hall.announced(1, 2, 3))
      yield* hall.publish(...hall.announced(4))
      yield* hall.publish(...hall.announced(5))
      yield* until(() => handled.length >= 5 && others.length >= 5)
      Assert.equal(handled, count(5))
      Assert.equal(others, count(5))
    }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set()))
  )
)

const logged = wrongs.map(([how, wrong]) =>
  law(`a handler that ${how} is logged with its event, the event's id and its name`, (hall) => {
    const lines: Array<Readonly<Record<string, unknown>>> = []
    const logger = Logger.map(Logger.formatStructured, ({ annotations, cause, level }) => {
      lines.push({ ...annotations, level, caused: cause !== undefined })
    })
    return Effect.gen(function* () {
      const published: Array<string> = []
      yield* hall.bus.subscribe(hall.all, ({ id }) => {
        published.push(id)
        return wrong()
      })
      yield* hall.publish(...hall.announced(1))
      yield* until(() => lines.length > 0)
      const line = { event: "law.announced", id: published[0], handler: hall.all.name, level: "ERROR", caused: true }
      Assert.equal(lines, [line])
    }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger])))
  })
)

const belonging = law("a handler runs as the event's tenant, and what it causes has the event as its cause", (hall) =>
  Effect.gen(function* () {
    const contexts: Array<readonly [tenant: string, message: string | undefined, correlation: string | undefined]> = []
    const caused: Array<EventBus.Published<Revoked>> = []
    const causes: Array<EventBus.Published<Announced>> = []
    yield* hall.bus
      .subscribeAll(hall.all, (published) =>
        Effect.gen(function* () {
          if (published.event instanceof Revoked) {
            caused.push({ ...published, event: published.event })
            return
          }
          if (!(published.event instanceof Announced)) return
          causes.push({ ...published, event: published.event })
          const { correlationId, messageId } = yield* MessageContext.MessageContext
          contexts.push([(yield* TenantContext.TenantContext).id, messageId, correlationId])
          yield* hall.publish(new Revoked({ run: hall.run, n: published.event.n }))
        })
      )
      .pipe(SystemContext.provide("laws"))
    const inRequest = MessageContext.provide({ messageId: "m-1", correlationId: "c-1" })
    yield* inRequest(hall.publish(...hall.announced(1)))
    yield* hall.publish(...hall.announced(2)).pipe(TenantContext.provide(hall.other))
    yield* until(() => caused.length >= 2)
    Assert.equal(
      contexts,
      causes.map(({ id, metadata, tenant }) => [tenant, id, metadata.correlationId])
    )
    Assert.equal(
      caused.map(({ metadata, tenant }) => [tenant, metadata.causationId, metadata.correlationId]),
      causes.map(({ id, metadata, tenant }) => [tenant, id, metadata.correlationId])
    )
    Assert.equal(
      causes.map(({ tenant }) => tenant),
      [hall.tenant, hall.other]
    )
    Assert.equal(causes[0]?.metadata.correlationId, "c-1")
  })
)

export const laws: ReadonlyArray<Law.Law<EventBus.EventBus>> = [
  contents,
  serial,
  patient,
  ...harmless,
  ...logged,
  belonging
]
