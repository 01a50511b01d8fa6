// The same calls over every transport: what is sent, what comes back, what travels along.
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Exit, Fiber, Queue } from "effect"
import {
  CommandBus,
  DispatchError,
  MessageContext,
  Position,
  type Precondition,
  QueryBus,
  TenantContext
} from "../../src/index.ts"
import * as Support from "./support.ts"
import { Book, Break, Full, Hang, Refuse, Seats, Stage, Take, Touch, WhoAmI } from "./support.ts"

const { as, serve } = Support
const book = new Book({ seat: "A1", row: 1, price: 9007199254740993n })

const transports: ReadonlyArray<Support.Transport> = [...Support.sockets, "in process"]

const failure = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.map(Effect.flip(self), Support.reasonOf)

describe.each(transports)("over %s", (transport) => {
  const live = <A, E>(name: string, program: (port: number) => Effect.Effect<A, E, Stage>) =>
    it.live(name, () =>
      Effect.gen(function* () {
        yield* program(transport === "in process" ? 0 : yield* serve())
      }).pipe(Effect.scoped, Effect.provide(Support.stage))
    )

  live("a command is answered with its value and its receipt", (port) =>
    Effect.gen(function* () {
      const { receipt, value } = yield* CommandBus.dispatch(book)
      expect(value.price).toBe(9007199254740994n)
      expect(DateTime.isDateTime(value.at)).toBe(true)
      expect(receipt).toEqual({ streams: [{ stream: "Theatre-1", version: 1 }], position: 1 })
      expect(yield* QueryBus.ask(new Seats(), { after: receipt })).toEqual(["A1"])
      expect(yield* CommandBus.dispatch(new Touch())).toEqual({
        value: undefined,
        receipt: { streams: [], position: 0 }
      })
    }).pipe(as(transport, port))
  )

  live("a refusal is the class's own error", (port) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(CommandBus.execute(new Book({ seat: "none", row: 1, price: 1n })))
      expect(error).toBeInstanceOf(Full)
      expect(error).toMatchObject({ seats: 12n })
    }).pipe(as(transport, port))
  )

  live("reasons of dispatch errors are as the server has them, without their cause", (port) =>
    Effect.gen(function* () {
      const conflict = yield* Effect.flip(CommandBus.execute(new Refuse({ reason: "conflict" })))
      expect(conflict).toBeInstanceOf(DispatchError.DispatchError)
      expect(conflict.reason).toEqual(new DispatchError.Conflict({ stream: "Seat-1", expected: 1, actual: 2 }))
      const storage = yield* Effect.flip(CommandBus.execute(new Refuse({ reason: "append" })))
      expect(storage.reason).toEqual(new DispatchError.Storage({ operation: "append", retryable: true }))
      if (transport !== "in process") expect(storage.cause).toBeUndefined()
    }).pipe(as(transport, port))
  )

  live("a defect is an id, whose cause the server has logged, and no other call's", (port) =>
    Effect.gen(function* () {
      const { interrupted, logged, started } = yield* Stage
      const hanging = yield* Effect.forkChild(CommandBus.execute(new Hang()), { startImmediately: true })
      yield* Queue.take(started)
      const error = yield* Effect.flip(CommandBus.execute(new Break()))
      if (error.reason._tag !== "Defect") return expect.fail(error.reason._tag)
      expect(JSON.stringify(error)).not.toContain(Support.secret)
      const { id } = error.reason
      expect(logged.filter((line) => line.includes(id) && line.includes(Support.secret))).toHaveLength(1)
      expect(yield* CommandBus.execute(new Touch())).toBeUndefined()
      expect(hanging.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(hanging)
      expect(yield* Queue.take(interrupted)).toBe("Hang")
    }).pipe(as(transport, port))
  )

  live("interrupting the caller interrupts the handler", (port) =>
    Effect.gen(function* () {
      const { interrupted, started } = yield* Stage
      const fiber = yield* Effect.forkChild(CommandBus.execute(new Hang()), { startImmediately: true })
      yield* Queue.take(started)
      yield* Fiber.interrupt(fiber)
      expect(yield* Queue.take(interrupted)).toBe("Hang")
      const exit = yield* Fiber.await(fiber)
      expect(Exit.hasInterrupts(exit) && !Exit.hasFails(exit)).toBe(true)
    }).pipe(as(transport, port))
  )

  live("a call whose time is up fails, and its handler is interrupted", (port) =>
    Effect.gen(function* () {
      const { interrupted } = yield* Stage
      const { reason } = yield* Effect.flip(CommandBus.execute(new Hang()))
      expect(reason).toMatchObject({ _tag: "Timeout", afterMillis: 50 })
      expect(yield* Queue.take(interrupted)).toBe("Hang")
    }).pipe(as(transport, port, { timeout: "50 millis" }))
  )

  live("ids, attributes and the position to read from travel", (port) =>
    Effect.gen(function* () {
      const ask = QueryBus.ask(new WhoAmI(), { messageId: "m-1", after: { position: Position.make(7) } })
      const known = { messageId: "parent", correlationId: "request", attributes: { shop: "north" } }
      expect(yield* ask.pipe(MessageContext.provide(known))).toMatchObject({
        messageId: "m-1",
        correlationId: "request",
        causationId: "parent",
        attributes: { shop: "north" },
        after: 7
      })
      const plain = yield* QueryBus.ask(new WhoAmI())
      expect(plain.correlationId).toBe(plain.messageId)
      expect(plain).toMatchObject({ causationId: undefined, attributes: undefined, after: undefined })
    }).pipe(as(transport, port))
  )

  live("what a command expects travels", (port) =>
    Effect.gen(function* () {
      const take = (expected?: Precondition.Expected) => CommandBus.execute(new Take({ seat: "A1" }), { expected })
      expect(yield* take("none")).toBe(1)
      expect(yield* failure(take("none"))).toMatchObject({ _tag: "Conflict", expected: "none", actual: 1 })
      expect(yield* failure(take(2))).toMatchObject({ _tag: "Conflict", expected: 2, actual: 1 })
      expect(yield* take([1, 7])).toBe(2)
      expect(yield* take()).toBe(3)
    }).pipe(as(transport, port))
  )

  live("the trace goes on at the server", (port) =>
    Effect.gen(function* () {
      const traceId = yield* Effect.flatMap(Effect.currentSpan, (span) =>
        Effect.map(QueryBus.ask(new WhoAmI()), (who) => [span.traceId, who.traceId])
      ).pipe(Effect.withSpan("page"))
      expect(traceId[1]).toBe(traceId[0])
    }).pipe(as(transport, port))
  )

  describe("tenant and actor", () => {
    live("are the principal's, whatever the caller's are", (port) =>
      Effect.gen(function* () {
        const asked = QueryBus.ask(new WhoAmI()).pipe(
          TenantContext.provide("globex"),
          MessageContext.provide({ actor: { id: "root", kind: "system" } })
        )
        expect(yield* asked).toMatchObject({ tenant: "acme", actor: { id: "ada", kind: "user" } })
      }).pipe(as(transport, port))
    )

    live("are the caller's where the server lets the principal act for them", (port) =>
      Effect.gen(function* () {
        const actor = { id: "eve", kind: "user" } as const
        const ask = (tenant: string) =>
          QueryBus.ask(new WhoAmI()).pipe(TenantContext.provide(tenant), MessageContext.provide({ actor }))
        const options = { headers: { authorization: "Bearer acme/gateway/service" }, onBehalf: true }
        expect(yield* ask("globex").pipe(as(transport, port, options))).toMatchObject({ tenant: "globex", actor })
        expect(yield* failure(ask("forbidden").pipe(as(transport, port, options)))).toEqual(new DispatchError.Denied())
        const user = { ...options, headers: { authorization: "Bearer acme/ada" } }
        expect(yield* failure(ask("globex").pipe(as(transport, port, user)))).toEqual(new DispatchError.Denied())
      })
    )

    live("never mix between clients that call at the same time", (port) =>
      Effect.gen(function* () {
        const names = Array.from({ length: 20 }, (_, n) => `t${n % 4}/u${n}`)
        yield* Effect.forEach(
          names,
          (name) =>
            Effect.gen(function* () {
              for (let n = 0; n < 10; n++) {
                const { actor, tenant } = yield* QueryBus.ask(new WhoAmI())
                expect(`${tenant}/${actor?.id}`).toBe(name)
              }
            }).pipe(as(transport, port, { headers: { authorization: `Bearer ${name}` } })),
          { concurrency: "unbounded", discard: true }
        )
      })
    )
  })

  live("who is not let in is told why, and nothing runs", (port) =>
    Effect.gen(function* () {
      const { started } = yield* Stage
      const ask = (headers: Record<string, string>) =>
        failure(CommandBus.execute(new Hang()).pipe(as(transport, port, { headers })))
      expect(yield* ask({})).toEqual(new DispatchError.Unauthenticated())
      expect(yield* ask({ authorization: "Bearer banned" })).toEqual(new DispatchError.Denied())
      expect(yield* ask({ authorization: "Bearer slow" })).toEqual(
        new DispatchError.Unreachable({ service: Support.unreachable })
      )
      expect(yield* Queue.size(started)).toBe(0)
    })
  )

  live("headers that are an effect are asked for each call", (port) =>
    Effect.gen(function* () {
      const names = ["ada", "bob"]
      const headers = Effect.sync(() => ({ authorization: `Bearer acme/${names.shift()}` }))
      const both = Effect.all([QueryBus.ask(new WhoAmI()), QueryBus.ask(new WhoAmI())])
      const answers = yield* both.pipe(as(transport, port, { headers }))
      expect(answers.map(({ actor }) => actor?.id)).toEqual(["ada", "bob"])
    })
  )
})
