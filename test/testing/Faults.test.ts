import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import * as CommandBus from "../../src/application/CommandBus.ts"
import * as Command from "../../src/domain/Command.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Position from "../../src/domain/Position.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import { on } from "../../src/middleware/Handler.ts"
import * as Middleware from "../../src/middleware/Middleware.ts"
import * as CheckpointStore from "../../src/ports/CheckpointStore.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as EventBusError from "../../src/ports/EventBusError.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import { EventStoreError } from "../../src/ports/EventStoreError.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as ReadModelStore from "../../src/ports/ReadModelStore.ts"
import * as StorageFailure from "../../src/ports/StorageFailure.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../src/ports/UnitOfWork.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as Faults from "../../src/testing/Faults.ts"
import * as Law from "../../src/testing/Law.ts"

class Noted extends Event.Class<Noted>()("Noted", { n: Schema.Int }) {}

const reason = StorageFailure.make({ operation: "a test", retryable: true, cause: "on purpose" })
const lost = new EventStoreError({ reason })

const ports = Layer.merge(Memory.layer, TenantContext.layerSingle)
const stream = StreamName.make("Note", "1")
const append = EventStore.EventStore.use((store) =>
  store.append({ stream, expected: "any", events: [new Noted({ n: 1 })] })
)
const written = Faults.without(EventStore.EventStore.use((store) => store.readStream(stream)))
const injected = Faults.Faults.use((faults) => faults.injected)
const tags = <A, E, R>(effects: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.map(Effect.forEach(effects, Effect.result), (results) => results.map((result) => result._tag))

const faultyStore = (rules: Faults.Rules<EventStore.EventStore["Service"]>) =>
  Faults.layer(EventStore.EventStore, rules).pipe(Layer.provideMerge(ports))

describe("faults", () => {
  it.effect("fail a call before it does anything", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(append)).toBe(lost)
      yield* append
      expect(yield* written).toHaveLength(1)
      expect(yield* injected).toEqual([{ at: "EventStore.append", call: 1, fault: "fail" }])
    }).pipe(Effect.provide(faultyStore({ append: Fault.first(1, Fault.fail(lost)) })))
  )

  it.effect("lose the answer of a call that has done all", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(append)).toBe(lost)
      expect(yield* written).toHaveLength(1)
    }).pipe(Effect.provide(faultyStore({ append: Fault.loseAnswer(lost) })))
  )

  it.effect("tell a call's own failure, when its answer is lost as well", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const failure = yield* Effect.flip(store.append({ stream, expected: 7, events: [new Noted({ n: 1 })] }))
      expect(failure.reason._tag).toBe("VersionConflict")
    }).pipe(Effect.provide(faultyStore({ append: Fault.loseAnswer(lost) })))
  )

  it.effect("let a call happen twice, and answer with the second", () =>
    Effect.gen(function* () {
      const receipt = yield* append
      expect(receipt.version).toBe(2)
      expect(yield* written).toHaveLength(2)
    }).pipe(Effect.provide(faultyStore({ append: Fault.duplicate })))
  )

  it.effect("let a call begin late, by the clock", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(append)
      yield* TestClock.adjust(Duration.millis(999))
      expect(yield* written).toHaveLength(0)
      yield* TestClock.adjust(Duration.millis(1))
      yield* Fiber.join(fiber)
      expect(yield* written).toHaveLength(1)
    }).pipe(Effect.provide(faultyStore({ append: Fault.delay("1 second") })))
  )

  it.effect("let a call die", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(append)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe("crash")
    }).pipe(Effect.provide(faultyStore({ append: Fault.die("crash") })))
  )

  it.effect("come one inside the other, the first outermost", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(append))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBe(lost)
      expect((yield* injected).map(({ fault }) => fault)).toEqual(["delay", "fail"])
    }).pipe(Effect.provide(faultyStore({ append: [Fault.delay("1 second"), Fault.fail(lost)] })))
  )

  it.effect("are for the calls that were chosen", () =>
    Effect.gen(function* () {
      const chosen = (rule: Fault.Rule<readonly [], string>) => {
        const call = Faults.inject("it", rule)(Effect.void)
        return Effect.map(tags(Array.from({ length: 6 }, () => call)), (all) =>
          all.map((tag) => (tag === "Failure" ? "x" : ".")).join("")
        )
      }
      const fault = Fault.fail("no")
      expect(yield* chosen(Fault.nth(2, fault))).toBe(".x....")
      expect(yield* chosen(Fault.nth([2, 5], fault))).toBe(".x..x.")
      expect(yield* chosen(Fault.first(2, fault))).toBe("xx....")
      expect(yield* chosen(Fault.every(3, fault))).toBe("..x..x")
      expect(yield* chosen(Fault.chance(0, fault))).toBe("......")
      expect(yield* chosen(Fault.chance(1, fault))).toBe("xxxxxx")
      // A selection counts what comes to it.
      expect(yield* chosen(Fault.every(2, Fault.nth(2, fault)))).toBe("...x..")
    }).pipe(Effect.provide(Faults.layerRecord))
  )

  it.effect("see what a call is given", () =>
    Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const to = (id: string) =>
        store.append({ stream: StreamName.make("Note", id), expected: "any", events: [new Noted({ n: 1 })] })
      expect(yield* tags([to("a"), to("b"), to("a"), to("b"), to("b")])).toEqual([
        "Success",
        "Success",
        "Success",
        "Failure",
        "Success"
      ])
    }).pipe(
      Effect.provide(
        faultyStore({
          append: Fault.where(({ stream }) => stream === "Note-b", Fault.nth(2, Fault.fail(lost)))
        })
      )
    )
  )

  it.effect("by chance are the same for the same seed, whatever happens elsewhere", () => {
    const rules = () => Fault.chance(0.5, Fault.fail(lost))
    const play = (seed: number, elsewhere: number) =>
      Effect.gen(function* () {
        const store = yield* EventStore.EventStore
        for (let n = 0; n < elsewhere; n++) yield* Effect.ignore(append)
        return yield* tags(Array.from({ length: 40 }, () => store.mark))
      }).pipe(Effect.provide(faultyStore({ append: rules(), mark: rules() })), Effect.provideService(Law.Seed, seed))
    return Effect.gen(function* () {
      const one = yield* play(1, 0)
      expect(new Set(one)).toEqual(new Set(["Success", "Failure"]))
      expect(yield* play(1, 7)).toEqual(one)
      expect(yield* play(2, 0)).not.toEqual(one)
    })
  })

  it.effect("leave alone what is done without them", () =>
    Effect.gen(function* () {
      yield* Faults.without(append)
      yield* append
      expect(yield* Effect.flip(append)).toBe(lost)
      expect(yield* injected).toEqual([{ at: "EventStore.append", call: 2, fault: "fail" }])
    }).pipe(Effect.provide(faultyStore({ append: Fault.nth(2, Fault.fail(lost)) })))
  )

  it.effect("begin to count anew with each program", () => {
    const layer = faultyStore({ append: Fault.first(1, Fault.fail(lost)) })
    const send = Faults.inject("send", Fault.first(1, Fault.fail("no")))(Effect.void)
    const program = Effect.andThen(Effect.flip(append), Effect.flip(send))
    return Effect.andThen(Effect.provide(program, layer), Effect.provide(program, layer))
  })
})

describe("faults on ports", () => {
  const unit = new UnitOfWork.UnitOfWorkError({ reason })
  const checkpoint = new CheckpointStore.CheckpointError({ reason })
  const model = new ReadModelStore.ReadModelError({ reason })
  const bus = new EventBusError.EventBusError({ reason: new EventBusError.NotConnected({ bus: "test" }) })
  const all = Layer.mergeAll(
    Faults.layer(UnitOfWork.UnitOfWork, { transaction: Fault.nth(2, Fault.loseAnswer(unit)) }),
    Faults.layer(CheckpointStore.CheckpointStore, { save: Fault.fail(checkpoint) }),
    Faults.layer(ReadModelStore.ReadModelStore, { get: Fault.fail(model) }),
    Faults.layer(EventBus.EventBus, { publish: Fault.fail(bus), subscribe: Fault.fail(bus) })
  ).pipe(Layer.provideMerge(ports))

  it.effect("are of each port's own kind, and noted in one record", () =>
    Effect.gen(function* () {
      const { transaction } = yield* UnitOfWork.UnitOfWork
      const checkpoints = yield* CheckpointStore.CheckpointStore
      const models = yield* ReadModelStore.ReadModelStore
      const events = yield* EventBus.EventBus
      yield* transaction(append)
      expect(yield* Effect.flip(transaction(append))).toBe(unit)
      // It was committed all the same.
      expect(yield* written).toHaveLength(2)
      expect(yield* Effect.flip(checkpoints.save("a", Position.start, Position.make(1)))).toBe(checkpoint)
      expect(yield* checkpoints.load("a")).toBe(Position.start)
      const tenant = yield* TenantContext.TenantContext
      expect(yield* Effect.flip(models.get(tenant.id, "notes", "1"))).toBe(model)
      expect(yield* Effect.flip(events.publish([new Noted({ n: 1 })]))).toBe(bus)
      expect(yield* Effect.flip(Effect.scoped(events.subscribe(EventBus.of(Noted), () => Effect.void)))).toBe(bus)
      expect((yield* injected).map(({ at, call }) => `${at} ${call}`)).toEqual([
        "UnitOfWork.transaction 2",
        "CheckpointStore.save 1",
        "ReadModelStore.get 1",
        "EventBus.publish 1",
        "EventBus.subscribe 1"
      ])
    }).pipe(Effect.provide(all))
  )
})

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

/** A service that keeps something to itself, and calls itself. */
class Counter {
  #count = 0
  readonly name = "counter"
  readonly count = Effect.sync(() => this.#count)
  add(n: number): Effect.Effect<number, Refused> {
    return Effect.sync(() => (this.#count += n))
  }
  twice(n: number): Effect.Effect<number, Refused> {
    return Effect.andThen(this.add(n), this.add(n))
  }
}
class Counting extends Context.Service<Counting, Counter>()("test/Counting") {}

class Charge extends Command.Class<Charge>()("Charge", { payload: { to: Schema.String }, error: Refused }) {}

describe("faults on one's own", () => {
  it.effect("service leave it what is private to it", () =>
    Effect.gen(function* () {
      const counting = yield* Counting
      expect(counting.name).toBe("counter")
      expect(yield* counting.twice(1)).toBe(2)
      expect(yield* counting.add(1)).toBe(4)
      expect(yield* counting.count).toBe(4)
    }).pipe(
      Effect.provide(
        // What it calls on itself is its own affair.
        Faults.layer(Counting, { twice: Fault.nth(2, Fault.fail(new Refused())), add: Fault.duplicate }).pipe(
          Layer.provideMerge(Layer.sync(Counting, () => new Counter()))
        )
      )
    )
  )

  it.effect("handlers see the message", () =>
    Effect.gen(function* () {
      const charged = yield* Ref.make<ReadonlyArray<string>>([])
      const charge = ({ to }: Charge) => Ref.update(charged, (all) => [...all, to])
      const refusing = Fault.where(({ to }: Charge) => to === "Bob", Fault.fail(new Refused()))
      const Handlers = CommandBus.handlers(on(Charge, Faults.wrap("charge", refusing)(charge)))
      const layer = Handlers.pipe(Layer.provideMerge(Faults.layerRecord), Layer.provideMerge(TenantContext.layerSingle))
      const failure = yield* Effect.gen(function* () {
        yield* CommandBus.execute(new Charge({ to: "Ada" }))
        return yield* Effect.flip(CommandBus.execute(new Charge({ to: "Bob" })))
      }).pipe(Effect.provide(layer))
      expect(failure).toBeInstanceOf(Refused)
      expect(yield* Ref.get(charged)).toEqual(["Ada"])
    })
  )

  it.effect("middleware are for every handler", () =>
    Effect.gen(function* () {
      const charged = yield* Ref.make(0)
      const again = Faults.inject("commands", Fault.nth(2, Fault.duplicate))
      const twice = Middleware.lift<never, Faults.Faults>("delivered twice", again)
      const Handlers = CommandBus.handlers(
        on(Charge, () => Ref.update(charged, (count) => count + 1)).pipe(Middleware.use(twice))
      )
      const layer = Handlers.pipe(Layer.provideMerge(Faults.layerRecord), Layer.provideMerge(TenantContext.layerSingle))
      const record = yield* Effect.gen(function* () {
        for (let n = 0; n < 3; n++) yield* CommandBus.execute(new Charge({ to: "Ada" }))
        return yield* injected
      }).pipe(Effect.provide(layer))
      expect(yield* Ref.get(charged)).toBe(4)
      expect(record).toEqual([{ at: "commands", call: 2, fault: "duplicate" }])
    })
  )
})
