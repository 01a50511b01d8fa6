import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Position from "../../src/domain/Position.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as CheckpointStore from "../../src/ports/CheckpointStore.ts"
import * as EventBus from "../../src/ports/EventBus.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as Receipt from "../../src/ports/Receipt.ts"
import { ReadModelStore } from "../../src/ports/ReadModelStore.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../src/ports/UnitOfWork.ts"
import * as CheckpointStoreLaws from "../../src/testing/CheckpointStoreLaws.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"
import * as ReadModelStoreLaws from "../../src/testing/ReadModelStoreLaws.ts"
import * as UnitOfWorkLaws from "../../src/testing/UnitOfWorkLaws.ts"
import { controls } from "./controls.ts"

type Checkpoints = CheckpointStore.CheckpointStore["Service"]

const checkpoints = controls<Checkpoints>([...CheckpointStoreLaws.laws, ...CheckpointStoreLaws.beside], (make) =>
  Layer.effect(CheckpointStore.CheckpointStore, Effect.map(CheckpointStore.CheckpointStore, make))
)

export const wrongCheckpointStores = [
  checkpoints(
    "a checkpoint moves from wherever it is",
    ["that is elsewhere is not moved", "of many runs"],
    (store) => ({
      ...store,
      save: (name, _, to) => Effect.flatMap(store.load(name), (from) => store.save(name, from, to))
    })
  ),
  checkpoints("it looks first and saves later", ["of many runs"], (store) => ({
    ...store,
    save: (name, from, to) =>
      Effect.flatMap(store.load(name), (actual) =>
        actual === from ? Effect.andThen(Effect.yieldNow, move(store, name, to)) : store.save(name, from, to)
      )
  })),
  checkpoints("a conflict does not know where the checkpoint is", ["that is elsewhere is not moved"], (store) => ({
    ...store,
    save: (name, from, to) =>
      Effect.mapError(store.save(name, from, to), (error) =>
        error.reason._tag === "CheckpointConflict"
          ? new CheckpointStore.CheckpointError({
              reason: new CheckpointStore.CheckpointConflict({
                name: error.reason.name,
                expected: error.reason.expected,
                actual: 0
              })
            })
          : error
      )
  })),
  checkpoints("a checkpoint never goes back", ["moves from where it is to where it is put"], (store) => ({
    ...store,
    save: (name, from, to) => store.save(name, from, Position.max(from, to))
  })),
  checkpoints("names are of one case", ["checkpoints of their own"], (store) => ({
    ...store,
    load: (name) => store.load(name.toLowerCase()),
    save: (name, from, to) => store.save(name.toLowerCase(), from, to)
  })),
  checkpoints("a transaction that fails moves the checkpoint", ["stays where it is when it fails"], (store) => {
    const moved = new Map<string, Position.Position>()
    const load = (name: string) => Effect.sync(() => moved.get(name) ?? Position.start)
    return { ...store, load, save: (name, _, to) => Effect.sync(() => void moved.set(name, to)) }
  }),
  checkpoints("removing does nothing", ["was removed"], (store) => ({ ...store, remove: () => Effect.void })),
  checkpoints("nobody waits", ["waits until", "its own reader"], (store) => ({ ...store, passed: () => Effect.void })),
  checkpoints("everybody waits for the next save", ["at once", "misses no save"], (store) => {
    const waiting = new Set<() => void>()
    return {
      ...store,
      save: (name, from, to) =>
        Effect.andThen(
          store.save(name, from, to),
          Effect.sync(() => waiting.forEach((wake) => wake()))
        ),
      passed: (name, position) =>
        Effect.andThen(
          Effect.callback<void>((resume) => void waiting.add(() => resume(Effect.void))),
          store.passed(name, position)
        )
    }
  }),
  checkpoints("who waits passes with any save", ["waits until", "its own reader"], (store) => {
    const waiting = new Set<() => void>()
    return {
      ...store,
      save: (name, from, to) =>
        Effect.andThen(
          store.save(name, from, to),
          Effect.sync(() => waiting.forEach((wake) => wake()))
        ),
      passed: () => Effect.callback<void>((resume) => void waiting.add(() => resume(Effect.void)))
    }
  })
]

const move = (store: Checkpoints, name: string, to: Position.Position) =>
  Effect.flatMap(store.load(name), (from) => store.save(name, from, to))

const documents = controls<ReadModelStore["Service"]>(ReadModelStoreLaws.laws, (make) =>
  Layer.effect(ReadModelStore, Effect.map(ReadModelStore, make))
)

export const wrongReadModelStores = [
  documents("nothing is exchanged", ["exchange their contents"], (store) => ({
    ...store,
    exchange: () => Effect.void
  })),
  documents("one tenant's documents are everybody's", ["neither sees nor changes"], (store) => {
    const all = TenantId.make("all")
    return {
      ...store,
      get: (_, name, id) => store.get(all, name, id),
      set: (_, name, id, data) => store.set(all, name, id, data),
      list: (_, name, options) => store.list(all, name, options)
    }
  }),
  documents("a tenant removes everybody's document", ["neither sees nor changes"], (store) => ({
    ...store,
    remove: (tenant, name, id) =>
      Effect.andThen(store.remove(tenant, name, id), store.remove(TenantId.make(tenant.slice(0, -1)), name, id))
  })),
  documents("a list is in the order of UTF-16", ["by UTF-8 bytes"], (store) => ({
    ...store,
    list: (tenant, name, options) =>
      Effect.map(store.list(tenant, name, options), (all) => all.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
  })),
  documents("a list begins with the id that it is to come after", ["lists of any size"], (store) => ({
    ...store,
    list: (tenant, name, { after, limit }) =>
      Effect.map(store.list(tenant, name, {}), (all) =>
        all.filter(({ id }) => after === undefined || id >= after).slice(0, limit)
      )
  })),
  documents("limits are ignored", ["lists of any size", "a thousand documents"], (store) => ({
    ...store,
    list: (tenant, name, { after }) => store.list(tenant, name, { after, limit: 1_000_000 })
  })),
  documents("clearing clears every collection of a like name", ["clearing a collection"], (store) => ({
    ...store,
    clear: (name) => Effect.andThen(store.clear(name), store.clear(`${name}a`))
  })),
  documents("clearing does nothing", ["clearing a collection"], (store) => ({ ...store, clear: () => Effect.void })),
  documents("what was set first stays", ["that was set last"], (store) => ({
    ...store,
    set: (tenant, name, id, data) =>
      Effect.flatMap(store.get(tenant, name, id), (found) =>
        Option.isSome(found) ? Effect.void : store.set(tenant, name, id, data)
      )
  })),
  documents("ids are trimmed", ["any text can be an id"], (store) => ({
    ...store,
    get: (tenant, name, id) => store.get(tenant, name, id.trim()),
    set: (tenant, name, id, data) => store.set(tenant, name, id.trim(), data)
  })),
  documents("texts are normalized", ["all kinds of values"], (store) => ({
    ...store,
    set: (tenant, name, id, data) => store.set(tenant, name, id, data.normalize("NFC"))
  }))
]

type Unit = UnitOfWork["Service"]

const units = controls<Unit>(UnitOfWorkLaws.laws, (make) => Layer.effect(UnitOfWork, Effect.map(UnitOfWork, make)))

/** Commits what it should not, and fails as it should. */
const committing =
  (unit: Unit, commits: (cause: Cause.Cause<unknown>) => boolean): Unit["transaction"] =>
  (self) =>
    Effect.flatMap(
      unit.transaction(
        Effect.flatMap(Effect.exit(self), (exit) =>
          Exit.isSuccess(exit) || commits(exit.cause) ? Effect.succeed(exit) : Effect.failCause(exit.cause)
        )
      ),
      (exit) => exit
    )

export const wrongUnitsOfWork = [
  units("nobody knows of a transaction", ["whether it is inside a transaction"], (unit) => ({
    ...unit,
    isOpen: Effect.succeed(false)
  })),
  units(
    "nothing is rolled back",
    ["that fails keeps nothing", "that is interrupted keeps nothing", "that dies keeps nothing"],
    (unit) => ({
      ...unit,
      transaction: (self) => self
    })
  ),
  units("failures are committed", ["that fails keeps nothing"], (unit) => ({
    ...unit,
    transaction: committing(unit, Cause.hasFails)
  })),
  units("defects are committed", ["that dies keeps nothing"], (unit) => ({
    ...unit,
    transaction: committing(unit, Cause.hasDies)
  })),
  units("an inner failure fails the outer one", ["undoes its own writes, and the outer one goes on"], (unit) => {
    let failed = false
    return {
      ...unit,
      transaction: (self) =>
        unit.transaction(
          Effect.flatMap(
            Effect.onError(self, () => Effect.sync(() => (failed = true))),
            (value) => (failed ? Effect.die("an inner transaction failed") : Effect.succeed(value))
          )
        )
    }
  }),
  units(
    "inner transactions are none",
    ["that fails undoes its own writes", "of transactions in one another"],
    (unit) => {
      let depth = 0
      return {
        ...unit,
        transaction: (self) =>
          Effect.suspend(() => (depth++ === 0 ? unit.transaction(self) : self)).pipe(
            Effect.ensuring(Effect.sync(() => depth--))
          )
      }
    }
  ),
  units("what waits for the commit runs at once", ["runs once, after it", "that does not come never runs"], (unit) => ({
    ...unit,
    afterCommit: (hook) => hook
  })),
  units("what waits for the commit runs whatever comes", ["that does not come never runs"], (unit) => {
    const hooks: Array<Effect.Effect<void>> = []
    return {
      ...unit,
      transaction: (self) =>
        Effect.ensuring(
          unit.transaction(self),
          Effect.suspend(() => Effect.all(hooks.splice(0), { discard: true }))
        ),
      afterCommit: (hook) => Effect.sync(() => void hooks.push(hook))
    }
  }),
  units("what waits for the commit runs twice", ["runs once, after it"], (unit) => ({
    ...unit,
    afterCommit: (hook) => Effect.andThen(unit.afterCommit(hook), unit.afterCommit(hook))
  })),
  units("what waits for the commit waits for the next one, outside of one", ["runs at once"], (unit) => {
    const hooks: Array<Effect.Effect<void>> = []
    return {
      ...unit,
      transaction: (self) =>
        Effect.tap(unit.transaction(self), () => Effect.suspend(() => Effect.all(hooks.splice(0), { discard: true }))),
      afterCommit: (hook) => Effect.sync(() => void hooks.push(hook))
    }
  }),
  units("receipts of what was rolled back stay", ["receipts of what was rolled back"], (unit) => ({
    ...unit,
    transaction: (self) =>
      Effect.flatMap(Receipt.Collector, (collector) => {
        const noted: Array<Receipt.AppendReceipt> = []
        return unit
          .transaction(Effect.provideService(self, Receipt.Collector, noted))
          .pipe(Effect.ensuring(Effect.sync(() => collector?.push(...noted))))
      })
  })),
  units("its errors are its own", ["fails with the same error", "dies with the same defect"], (unit) => ({
    ...unit,
    transaction: (self) =>
      Effect.catchCause(unit.transaction(self), (cause) => Effect.die(new Error("rolled back", { cause })))
  })),
  units("everybody waits for everybody, and sees nothing of it", ["fibers that a transaction forks"], (unit) => {
    const lock = { taken: false }
    return {
      ...unit,
      transaction: (self) =>
        Effect.suspend(() => {
          if (lock.taken) return Effect.die(new Error("a transaction is open"))
          lock.taken = true
          return Effect.ensuring(
            unit.transaction(self),
            Effect.sync(() => (lock.taken = false))
          )
        })
    }
  })
]

type Bus = EventBus.EventBus["Service"]

const buses = controls<Bus>([...EventBusLaws.laws, ...EventBusLaws.transactional], (make) =>
  Layer.effect(EventBus.EventBus, Effect.map(EventBus.EventBus, make))
)

/** Other handlers, for one tenant and for all. */
const handling = (
  bus: Bus,
  change: <E, Error, R>(handler: EventBus.Handler<E, Error, R>) => EventBus.Handler<E, Error, R>
): Bus => ({
  ...bus,
  subscribe: (selector, handler) => bus.subscribe(selector, change(handler)),
  subscribeAll: (selector, handler) => bus.subscribeAll(selector, change(handler))
})

export const wrongEventBuses = [
  buses("events come in reverse", ["in the order of publishing"], (bus) => ({
    ...bus,
    publish: (events) => bus.publish(events.toReversed())
  })),
  buses("a tenant sees everybody's events", ["sees the tenant it runs for"], (bus) => ({
    ...bus,
    subscribe: (selector, handler) =>
      Effect.updateContext(
        bus.subscribeAll(selector, handler),
        Context.add(SystemContext.SystemContext, { reason: "" })
      )
  })),
  buses("events come twice", ["in the order of publishing", "gets every event once"], (bus) => ({
    ...bus,
    publish: (events) => bus.publish(events.flatMap((event) => [event, event]))
  })),
  buses("handlers run side by side", ["one event after the other"], (bus) =>
    handling(bus, (handler) => (published) => Effect.forkDetach(handler(published)))
  ),
  buses("publishing waits for handlers", ["holds up neither"], (bus) => {
    const running = new Set<Promise<void>>()
    return {
      ...handling(bus, (handler) => (published) => {
        let done = () => {}
        running.add(new Promise((resolve) => (done = resolve)))
        return Effect.ensuring(handler(published), Effect.sync(done))
      }),
      publish: (events) =>
        Effect.andThen(
          bus.publish(events),
          Effect.andThen(
            Effect.sleep("1 millis"),
            Effect.promise(() => Promise.all(running))
          )
        )
    }
  }),
  buses("a handler that fails gets no more", ["that fails harms no other", "that dies harms no other"], (bus) =>
    handling(bus, (handler) => {
      let failed = false
      return (published) => {
        if (failed) return Effect.asVoid(Effect.forkChild(Effect.void))
        return Effect.onError(handler(published), () => Effect.sync(() => (failed = true)))
      }
    })
  ),
  buses(
    "failures of handlers are not logged",
    ["a handler that fails is logged", "a handler that dies is logged", "both causes"],
    (bus) => handling(bus, (handler) => (published) => Effect.ignoreCause(handler(published)))
  ),
  buses("a handler knows nothing of the event's cause", ["has the event as its cause"], (bus) =>
    handling(
      bus,
      (handler) => (published) =>
        Effect.provideService(handler(published), MessageContext.MessageContext, MessageContext.empty)
    )
  ),
  buses(
    "who subscribes gets one event",
    ["every subscriber gets every event", "gets the next event", "gets every event once"],
    (bus) =>
      handling(bus, (handler) => {
        let had = false
        return (published) => Effect.suspend(() => (had ? Effect.never : ((had = true), handler(published))))
      })
  ),
  buses("transactions are ignored", ["leaves after its commit", "never leaves"], (bus) => ({
    ...bus,
    publish: (events) =>
      Effect.flatMap(TenantContext.TenantContext, (tenant) =>
        Effect.promise(() =>
          Effect.runPromise(bus.publish(events).pipe(Effect.provideService(TenantContext.TenantContext, tenant)))
        )
      )
  }))
]
