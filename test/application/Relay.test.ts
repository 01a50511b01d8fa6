import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as Relay from "../../src/application/Relay.ts"
import * as RelayError from "../../src/application/RelayError.ts"
import * as Event from "../../src/domain/Event.ts"
import * as OutboxMessage from "../../src/domain/OutboxMessage.ts"
import * as Upcaster from "../../src/domain/Upcaster.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as Outbox from "../../src/ports/Outbox.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

class Mail extends OutboxMessage.Class<Mail>()("Mail", { n: Schema.Int, to: Schema.String }, { key: ({ to }) => to }) {}
class Hook extends OutboxMessage.Class<Hook>()("Hook", { n: Schema.Int }, { queue: "hooks" }) {}
class Done extends Event.Class<Done>()("Done", { n: Schema.Int }) {}

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("a test"), Logger.layer([]))

const mails = <E, R>(
  deliver: (mail: Mail, delivery: Relay.Delivery<Mail>) => Effect.Effect<unknown, E, R>,
  options?: Relay.Options
) => Relay.make("default", { messages: [Mail], on: { Mail: deliver }, ...options })

const send = (n: number, to = "ada") => Outbox.enqueue(new Mail({ n, to }))

/** Lets all that can happen now happen. */
const settle = (time: Duration.Input = "1 second") =>
  Effect.andThen(TestClock.adjust(time), Effect.repeat(Effect.yieldNow, { times: 50 }))

const start = <R>(relay: Relay.Relay<R>) => Effect.forkScoped(Relay.run(relay), { startImmediately: true })

const statuses = (queue = "default") =>
  Effect.flatMap(Outbox.Outbox, (outbox) =>
    Effect.map(outbox.list(queue), (all) => all.map(({ attempts, data, status }) => ({ data, status, attempts })))
  )

describe("a relay", () => {
  it.effect("delivers as the message's tenant, with the message as cause, under a stable key", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      yield* start(
        mails((mail, { attempt, idempotencyKey, key }) =>
          Effect.gen(function* () {
            const { id } = yield* TenantContext.TenantContext
            const { correlationId, messageId } = yield* MessageContext.MessageContext
            seen.push({ n: mail.n, id, correlationId, messageId, attempt, idempotencyKey, key })
          })
        )
      )
      const id = yield* TenantContext.provide("acme")(MessageContext.provide({ correlationId: "c-1" })(send(1)))
      yield* settle()
      expect(seen).toEqual([
        { n: 1, id: "acme", correlationId: "c-1", messageId: id, attempt: 1, idempotencyKey: `acme/${id}`, key: "ada" }
      ])
      expect(yield* statuses()).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.effect.each(["claim", "renew", "complete", "release"] as const)(
    "ends in time when the storage does not answer: %s",
    (call) =>
      Effect.gen(function* () {
        const outbox = yield* Outbox.Outbox
        const relay = mails(() => (call === "complete" ? Effect.void : Effect.never), { drain: "2 seconds" })
        const running = yield* Relay.run(relay).pipe(
          Effect.provideService(Outbox.Outbox, { ...outbox, [call]: () => Effect.never }),
          Effect.forkChild({ startImmediately: true })
        )
        yield* send(1)
        yield* settle("15 seconds")
        const ending = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
        yield* settle("7 seconds")
        expect(ending.pollUnsafe()).toBeDefined()
      }).pipe(Effect.provide(Live))
  )

  it.effect("gives back what it has claimed while it ended", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const answer = yield* Deferred.make<void>()
      const running = yield* Relay.run(mails(() => Effect.never)).pipe(
        Effect.provideService(Outbox.Outbox, {
          ...outbox,
          claim: (queue, options) => Effect.tap(outbox.claim(queue, options), () => Deferred.await(answer))
        }),
        Effect.forkChild({ startImmediately: true })
      )
      yield* send(1)
      yield* settle()
      const ending = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
      yield* Deferred.succeed(answer, undefined)
      yield* settle()
      expect(ending.pollUnsafe()).toBeDefined()
      expect(yield* statuses()).toMatchObject([{ status: "pending", attempts: 0 }])
    }).pipe(Effect.provide(Live))
  )

  it.effect("keeps the order of a key while one is tried again, and lets others by", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let failures = 2
      yield* start(
        mails(
          ({ n, to }, { attempt }) =>
            Effect.suspend(() => {
              if (n === 1 && failures-- > 0) return Effect.fail("not yet")
              seen.push(`${to} ${n} at ${attempt}`)
              return Effect.void
            }),
          { retries: 0, backoff: () => "10 seconds" }
        )
      )
      for (const n of [1, 2, 3]) yield* send(n)
      yield* send(4, "bob")
      yield* settle()
      expect(seen).toEqual(["bob 4 at 1"])
      expect(yield* statuses()).toMatchObject([
        { status: "retrying", attempts: 1 },
        { status: "pending", attempts: 0 },
        { status: "pending", attempts: 0 }
      ])
      yield* settle("30 seconds")
      expect(seen).toEqual(["bob 4 at 1", "ada 1 at 3", "ada 2 at 1", "ada 3 at 1"])
    }).pipe(Effect.provide(Live))
  )

  it.effect("repeats at once, tries again later, and parks; a replay goes on from there", () =>
    Effect.gen(function* () {
      let calls = 0
      let works = false
      const seen: Array<number> = []
      yield* start(
        mails(
          ({ n }) =>
            Effect.suspend(() => {
              calls++
              if (!works && n === 1) return Effect.fail("away")
              seen.push(n)
              return Effect.void
            }),
          { retries: 2, attempts: 3, backoff: () => "1 second" }
        )
      )
      yield* send(1)
      yield* send(2)
      yield* settle("1 minute")
      expect(calls).toBe(9)
      const outbox = yield* Outbox.Outbox
      const [parked] = yield* outbox.list("default", { status: "parked" })
      expect(parked).toMatchObject({ attempts: 3, error: "away", category: "DeliveryFailed" })
      works = true
      expect(yield* outbox.replay("default")).toBe(1)
      yield* settle()
      expect(seen).toEqual([1, 2])
    }).pipe(Effect.provide(Live))
  )

  it.effect("parks at once what cannot be delivered or read, and does not count what is postponed", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      let calls = 0
      yield* start(
        mails(({ n }, { attempt }) =>
          Effect.suspend((): Effect.Effect<void, RelayError.Postponed | RelayError.Undeliverable> => {
            calls++
            if (n === 1) return Effect.fail(RelayError.undeliverable("no such address"))
            if (n === 2 && calls < 4) return Effect.fail(RelayError.postponed("1 minute"))
            seen.push(attempt)
            return Effect.void
          })
        )
      )
      yield* send(1, "a")
      yield* send(2, "b")
      yield* Outbox.enqueue(new Hook({ n: 3 }), { queue: "default" })
      yield* settle("10 minutes")
      expect(seen).toEqual([1])
      const outbox = yield* Outbox.Outbox
      expect(yield* outbox.list("default")).toMatchObject([
        {
          type: "Mail",
          status: "parked",
          category: "DeliveryFailed",
          error: expect.stringContaining("no such address")
        },
        { type: "Hook", status: "parked", category: "UnknownType" }
      ])
    }).pipe(Effect.provide(Live))
  )

  it.effect("treats a defect and a time-out like a failure", () =>
    Effect.gen(function* () {
      yield* start(
        mails(({ n }) => (n === 1 ? Effect.die(new TypeError("a bug")) : Effect.never), {
          attempts: 1,
          retries: 0,
          timeout: "5 seconds"
        })
      )
      yield* send(1, "a")
      yield* send(2, "b")
      yield* settle("1 minute")
      const outbox = yield* Outbox.Outbox
      expect((yield* outbox.list("default")).map(({ error }) => error)).toEqual([
        "TypeError: a bug",
        "TimeoutError: The delivery took longer than 5s"
      ])
    }).pipe(Effect.provide(Live))
  )

  it.effect("goes on with a key as soon as those before are noted, without looking about", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      yield* start(mails(({ n }) => Effect.sync(() => seen.push(n)), { prefetch: 4, pollInterval: "1 day" }))
      yield* Outbox.enqueueAll([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => ({ message: new Mail({ n, to: "ada" }) })))
      yield* settle("1 minute")
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    }).pipe(Effect.provide(Live))
  )

  it.effect("keeps its lease while a delivery takes long", () =>
    Effect.gen(function* () {
      let calls = 0
      const relay = mails(
        () =>
          Effect.suspend(() => {
            calls++
            return Effect.sleep("5 minutes")
          }),
        { lease: "10 seconds" }
      )
      yield* start(relay)
      yield* start(relay)
      yield* send(1)
      yield* settle("6 minutes")
      expect([calls, yield* statuses()]).toEqual([1, []])
    }).pipe(Effect.provide(Live))
  )

  it.effect("lets go of what another worker has taken over, with those of its key, and goes on with the others", () =>
    Effect.gen(function* () {
      const seen: Array<[string, number]> = []
      const outbox = yield* Outbox.Outbox
      const taken = { ...outbox, renew: (held: Parameters<typeof outbox.renew>[0]) => Effect.succeed(held.slice(1)) }
      yield* Outbox.enqueueAll(["a", "b", "c"].flatMap((to) => [1, 2].map((n) => ({ message: new Mail({ n, to }) }))))
      const relay = mails(
        ({ n, to }) =>
          Effect.suspend(() => {
            seen.push([to, n])
            return seen.length === 1 ? Effect.never : Effect.void
          }),
        { concurrency: 1, lease: "3 seconds", prefetch: 100, pollInterval: "1 day" }
      )
      const running = yield* Effect.forkChild(Relay.run(relay).pipe(Effect.provideService(Outbox.Outbox, taken)))
      yield* settle("100 millis")
      expect(seen).toEqual([["a", 1]])
      yield* settle("1 second")
      expect(seen.slice(1, 5)).toEqual([
        ["b", 1],
        ["b", 2],
        ["c", 1],
        ["c", 2]
      ])
      expect(yield* statuses()).toEqual([
        { data: { n: 1, to: "a" }, status: "inFlight", attempts: 0 },
        { data: { n: 2, to: "a" }, status: "pending", attempts: 0 }
      ])
      yield* Fiber.interrupt(running)
    }).pipe(Effect.provide(Live))
  )

  it.effect("has no more in flight than it is told, and no more side by side", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const relay = Relay.make("hooks", {
        messages: [Hook],
        on: {
          Hook: () =>
            Effect.acquireUseRelease(
              Effect.sync(() => (most = Math.max(most, ++running))),
              () => Effect.sleep("1 second"),
              () => Effect.sync(() => running--)
            )
        },
        concurrency: 3,
        prefetch: 5
      })
      for (let n = 0; n < 20; n++) yield* Outbox.enqueue(new Hook({ n }))
      yield* start(relay)
      yield* settle("100 millis")
      const outbox = yield* Outbox.Outbox
      expect((yield* outbox.counts("hooks")).inFlight).toBe(5)
      yield* settle("1 minute")
      expect([most, yield* statuses("hooks")]).toEqual([3, []])
    }).pipe(Effect.provide(Live))
  )

  it.effect("lets what is in flight end when it ends, and gives the rest back", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const began = yield* Deferred.make<void>()
      const relay = mails(({ n }) =>
        Effect.andThen(
          Deferred.succeed(began, undefined),
          Effect.andThen(
            Effect.sleep(n === 1 ? "1 second" : "1 hour"),
            Effect.sync(() => seen.push(n))
          )
        )
      )
      const fiber = yield* Effect.forkChild(Relay.run(relay))
      yield* send(1, "a")
      yield* send(2, "b")
      yield* Deferred.await(began)
      const ending = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* settle("10 seconds")
      yield* Fiber.join(ending)
      expect(seen).toEqual([1])
      expect(yield* statuses()).toEqual([{ data: { n: 2, to: "b" }, status: "pending", attempts: 0 }])
    }).pipe(Effect.provide(Live))
  )

  it.effect("reads older versions and former tags, and events; and passes on whatever there is", () =>
    Effect.gen(function* () {
      class Note extends OutboxMessage.Class<Note>()(
        "Note",
        { text: Schema.String },
        {
          upcasters: [
            Upcaster.from({ words: Schema.Array(Schema.String) }).current(({ words }) => ({ text: words.join(" ") })),
            Upcaster.formerly("Memo", { memo: Schema.String }).current(({ memo }) => ({ text: memo }))
          ]
        }
      ) {}
      class Older extends OutboxMessage.Class<Older>()("Note", { words: Schema.Array(Schema.String) }) {}
      class Memo extends OutboxMessage.Class<Memo>()("Memo", { memo: Schema.String }) {}
      const seen: Array<unknown> = []
      yield* Outbox.enqueueAll(
        [new Older({ words: ["a", "b"] }), new Memo({ memo: "c" }), new Note({ text: "d" })].map((message) => ({
          message,
          key: "k"
        }))
      )
      yield* Outbox.enqueue(new Done({ n: 1 }), { key: "k" })
      yield* start(
        Relay.make("default", {
          messages: [Note, Done],
          on: {
            Note: ({ text }) => Effect.sync(() => seen.push(text)),
            Done: ({ n }) => Effect.sync(() => seen.push(n))
          }
        })
      )
      yield* Outbox.enqueue(new Hook({ n: 9 }), { headers: { a: "b" } })
      yield* start(Relay.forward("hooks", ({ headers, message }) => Effect.sync(() => seen.push([message, headers]))))
      yield* settle()
      expect(seen.slice(0, 5)).toEqual(
        expect.arrayContaining(["a b", "c", "d", 1, [{ type: "Hook", version: 1, data: { n: 9 } }, { a: "b" }]])
      )
    }).pipe(Effect.provide(Live))
  )

  it("refuses two classes that read one type", () => {
    class Other extends OutboxMessage.Class<Other>()("Mail", {}) {}
    expect(() =>
      // @ts-expect-error the handler of one tag cannot be given for two classes
      Relay.make("default", { messages: [Mail, Other], on: { Mail: (mail: Mail) => Effect.succeed(mail) } })
    ).toThrow('two classes that read "Mail"')
  })
})
