import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as RedisCheckpointStore from "../../../src/adapters/redis/RedisCheckpointStore.ts"
import * as RedisInbox from "../../../src/adapters/redis/RedisInbox.ts"
import * as RedisSnapshotStore from "../../../src/adapters/redis/RedisSnapshotStore.ts"
import * as Repository from "../../../src/application/Repository.ts"
import * as Aggregate from "../../../src/domain/Aggregate.ts"
import * as Event from "../../../src/domain/Event.ts"
import * as Position from "../../../src/domain/Position.ts"
import * as SnapshotPolicy from "../../../src/domain/SnapshotPolicy.ts"
import * as StreamName from "../../../src/domain/StreamName.ts"
import { CheckpointStore } from "../../../src/ports/CheckpointStore.ts"
import * as Inbox from "../../../src/ports/Inbox.ts"
import * as Memory from "../../../src/ports/Memory.ts"
import * as SnapshotStore from "../../../src/ports/SnapshotStore.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as CheckpointStoreLaws from "../../../src/testing/CheckpointStoreLaws.ts"
import * as InboxLaws from "../../../src/testing/InboxLaws.ts"
import * as SnapshotStoreLaws from "../../../src/testing/SnapshotStoreLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { connection, eventually, ownServer, send, sharedUrl, withRedis } from "./support.ts"

/** The three stores on a server, beside a log in memory. */
const stores = (url: string, options?: RedisSnapshotStore.Options, timeout?: number) =>
  Layer.mergeAll(
    RedisCheckpointStore.layer(options),
    RedisInbox.layer(options),
    SnapshotStore.layerForgetting.pipe(Layer.provideMerge(RedisSnapshotStore.layer(options)))
  ).pipe(
    Layer.provideMerge(Memory.layer),
    Layer.provideMerge(connection(url, timeout === undefined ? undefined : { commandTimeout: timeout }))
  )

const single = TenantContext.layerSingle

class Added extends Event.Class<Added>()("Added", { n: Schema.Int }) {}

const Sum = Aggregate.make("Sum", {
  events: [Added],
  initial: 0,
  snapshots: { state: Schema.Int, policy: SnapshotPolicy.every(10) }
}).evolve({ Added: (sum, { n }) => sum + n })

const add = (n: number) => Repository.execute(Sum, "s-1", n, (n) => Result.succeed([new Added({ n })]))
const loaded = Effect.map(Repository.load(Sum, "s-1"), ({ state }) => state)

withRedis("stores in Redis", () => {
  checkLaws(
    "Redis",
    {
      CheckpointStore: CheckpointStoreLaws.laws,
      "CheckpointStore beside a UnitOfWork": CheckpointStoreLaws.beside,
      ClaimingInbox: InboxLaws.claiming,
      SnapshotStore: SnapshotStoreLaws.laws,
      "SnapshotStore beside a UnitOfWork": SnapshotStoreLaws.beside,
      "SnapshotStore beside StreamAdmin": SnapshotStoreLaws.administered
    },
    stores(sharedUrl(), undefined, 5000),
    { sessions: Number.POSITIVE_INFINITY }
  )

  it.live("are a failure of the storage when Redis is gone, and are back with it", () =>
    Effect.gen(function* () {
      const server = yield* ownServer({ durable: true })
      yield* Effect.gen(function* () {
        const checkpoints = yield* CheckpointStore
        const snapshots = yield* SnapshotStore.SnapshotStore
        const handle = Inbox.onceClaimed("c", (key: Inbox.Key) => key)(() => Effect.succeed("done"))
        yield* checkpoints.save("r", Position.start, Position.make(5))
        yield* handle({ id: "a" })
        yield* Effect.promise(() => server.kill())
        const failures = [
          yield* Effect.flip(checkpoints.load("r")),
          yield* Effect.flip(checkpoints.save("r", Position.make(5), Position.make(6))),
          yield* Effect.flip(handle({ id: "b" })),
          yield* Effect.flip(snapshots.load(StreamName.make("Sum", "1")))
        ]
        for (const { reason } of failures) {
          expect(reason._tag === "StorageFailure" && reason.retryable, reason.message).toBe(true)
        }
        yield* Effect.promise(() => server.restart())
        yield* eventually("it is back", Effect.map(Effect.result(checkpoints.load("r")), Result.isSuccess))
        expect(yield* checkpoints.load("r")).toBe(5)
        expect([yield* handle({ id: "a" }), yield* handle({ id: "b" })]).toEqual([Option.none(), Option.some("done")])
      }).pipe(Effect.provide([stores(server.url), single]))
    })
  )

  it.live("make a program without snapshots slower, and not wrong", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        const snapshots = yield* SnapshotStore.SnapshotStore
        const version = Effect.map(snapshots.load(StreamName.make("Sum", "s-1")), (found) =>
          Option.isSome(found) ? found.value.version : 0
        )
        for (let n = 1; n <= 21; n++) yield* add(1)
        expect([yield* loaded, yield* version]).toEqual([21, 20])
        yield* send("FLUSHALL")
        expect([yield* loaded, yield* version]).toEqual([21, 0])
        yield* add(1)
        expect([yield* loaded, yield* version]).toEqual([22, 21])
        yield* Effect.promise(() => server.kill())
        for (let n = 1; n <= 11; n++) yield* add(1)
        expect(yield* loaded).toBe(33)
        yield* Effect.promise(() => server.restart())
        yield* eventually("it is back", Effect.map(Effect.result(version), Result.isSuccess))
        yield* add(1)
        expect([yield* loaded, yield* version]).toEqual([34, 33])
      }).pipe(Effect.provide([stores(server.url), single]))
    })
  )

  it.live("bound what a snapshot takes, and for how long", () =>
    Effect.gen(function* () {
      const prefix = `p:${crypto.randomUUID()}`
      yield* Effect.gen(function* () {
        const snapshots = yield* SnapshotStore.SnapshotStore
        const stream = StreamName.make("Sum", "1")
        const snapshot = { stream, event: crypto.randomUUID(), schema: "1", takenAt: 0 }
        yield* snapshots.save({ ...snapshot, version: 1, state: "é" })
        yield* snapshots.save({ ...snapshot, version: 2, state: "éé" })
        expect(Option.getOrThrow(yield* snapshots.load(stream)).version).toBe(1)
        const left = yield* send<number>("PTTL", `${prefix}:{default}:snapshot:Sum-1`)
        expect(left > 50_000 && left <= 60_000).toBe(true)
      }).pipe(Effect.provide([stores(sharedUrl(), { prefix, keep: "1 minute", maxBytes: 5 }), single]))
    })
  )

  it.live("read a page again when Redis is lost between its commit and its checkpoint", () =>
    Effect.gen(function* () {
      const server = yield* ownServer({ durable: true })
      yield* Effect.gen(function* () {
        const checkpoints = yield* CheckpointStore
        const unit = yield* UnitOfWork
        yield* checkpoints.save("r", Position.start, Position.make(5))
        yield* unit.transaction(
          Effect.andThen(
            checkpoints.save("r", Position.make(5), Position.make(9)),
            Effect.promise(() => server.kill())
          )
        )
        yield* Effect.promise(() => server.restart())
        yield* eventually("it is back", Effect.map(Effect.result(checkpoints.load("r")), Result.isSuccess))
        const error = yield* Effect.flip(checkpoints.save("r", Position.make(9), Position.make(12)))
        expect(error.reason).toMatchObject({ _tag: "CheckpointConflict", actual: 5 })
      }).pipe(Effect.provide([stores(server.url), single]))
    })
  )

  it.live("hand a message over when its handler's server hangs for longer than its claim", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      const other = Context.get(yield* Layer.build(Layer.fresh(stores(server.url))), Inbox.ClaimingInbox)
      yield* Effect.gen(function* () {
        const handle = Inbox.onceClaimed("c", (key: Inbox.Key) => key, { ttl: "400 millis", wait: "5 seconds" })
        const first = yield* Effect.forkChild(Effect.flip(handle(() => Effect.never)({ id: "a" })), {
          startImmediately: true
        })
        yield* Effect.sleep("50 millis")
        yield* Effect.forkChild(Effect.ignore(send("DEBUG", "SLEEP", "1.5")))
        const { reason } = yield* Fiber.join(first)
        expect(reason).toMatchObject({ _tag: "ClaimLost", handled: false })
        yield* eventually("it answers", Effect.map(Effect.result(send("PING")), Result.isSuccess))
        const second = handle(() => Effect.succeed("second"))({ id: "a" })
        expect(yield* Effect.provideService(second, Inbox.ClaimingInbox, other)).toEqual(Option.some("second"))
      }).pipe(Effect.provide([stores(server.url), single]))
    })
  )

  it.live("confirm what was handled while connections are killed and everything is deleted", () =>
    Effect.gen(function* () {
      const server = yield* ownServer()
      yield* Effect.gen(function* () {
        let handled = 0
        const handle = Inbox.onceClaimed("c", (key: Inbox.Key) => key, { ttl: "2 seconds" })
        const harm = (command: string, ...args: ReadonlyArray<string>) =>
          handle(() =>
            Effect.andThen(
              Effect.ignore(send(command, ...args)),
              Effect.sync(() => ++handled)
            )
          )({ id: command })
        expect(yield* harm("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")).toEqual(Option.some(1))
        expect(yield* harm("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")).toEqual(Option.none())
        expect(yield* harm("FLUSHALL")).toEqual(Option.some(2))
        expect(yield* harm("FLUSHALL")).toEqual(Option.none())
      }).pipe(Effect.provide([stores(server.url), single]))
    })
  )

  it.live("keep no id for ever", () =>
    Effect.gen(function* () {
      const prefix = `p:${crypto.randomUUID()}`
      yield* Effect.gen(function* () {
        const handle = Inbox.onceClaimed("c", (key: Inbox.Key) => key)(() => Effect.void)
        yield* handle({ id: "a" })
        yield* Effect.flip(Inbox.onceClaimed("c", (key: Inbox.Key) => key)(() => Effect.fail("no"))({ id: "b" }))
        const left = (id: string) => send<number>("PTTL", `${prefix}:{default}:inbox:c:${id}`)
        expect([(yield* left("a")) > 3_500_000, yield* left("b")]).toEqual([true, -2])
      }).pipe(Effect.provide([stores(sharedUrl(), { prefix, keep: "1 hour" }), single]))
    })
  )
})
