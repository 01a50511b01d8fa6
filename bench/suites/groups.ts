/**
 * A log that is forwarded to streams of Redis, and the groups that handle it there, which is nothing to do.
 */
import {
  CheckpointStore,
  Event,
  EventBusDriver,
  EventForwarding,
  EventGroups,
  EventStore,
  ForwardTarget,
  Memory,
  Segment,
  StreamName,
  SystemContext,
  TenantContext
} from "effect-cqrs"
import { RedisConnection, RedisEventGroups } from "effect-cqrs/redis"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import type { Contender, Given, Suite } from "../harness.ts"
import * as Peers from "../peers/streams.ts"
import * as Task from "../task.ts"

export const needsRedis = true

class Created extends Event.Class<Created>()("TaskCreated", Task.fields) {}

const count = 20_000
const created = new Created({ taskId: "t-1", title: "Write" })

const start = ({ redis }: Given) =>
  ManagedRuntime.make(
    Layer.mergeAll(
      RedisEventGroups.layer().pipe(
        Layer.provide(RedisConnection.layer({ target: { url: Redacted.make(redis) }, commandTimeout: "30 seconds" }))
      ),
      TenantContext.layerSingle,
      SystemContext.layer("the bench")
    ).pipe(Layer.provideMerge(Memory.layer))
  )

/** Entries as the forwarder makes them, of a thousand streams. */
const texts = Array.from({ length: count }, (_, n) =>
  JSON.stringify(
    EventBusDriver.envelope("bench", {
      id: randomUUID(),
      tenant: "default",
      key: `Task-${n % 1000}`,
      metadata: { correlationId: randomUUID(), occurredAt: 1_700_000_000_000 + n },
      headers: { sequence: String(n + 1) },
      message: { type: "TaskCreated", version: 1, data: { taskId: "t-1", title: "Write" } }
    })
  )
)

const forwarded: Contender = async (given) => {
  const runtime = start(given)
  await runtime.runPromise(
    Effect.flatMap(EventStore.EventStore, (store) =>
      Effect.forEach(
        Array.from({ length: 1000 }, (_, n) => StreamName.make("Task", String(n))),
        (stream) =>
          store.append({ stream, expected: "any", events: Array.from({ length: count / 1000 }, () => created) }),
        { discard: true }
      )
    )
  )
  return async () => {
    const log = randomUUID()
    const began = performance.now()
    // Nobody needs it, so it is all settled as soon as it is there.
    const forwarding = EventForwarding.make(log, { events: [Created], groups: [] })
    const passed = Effect.flatMap(CheckpointStore.CheckpointStore, (checkpoints) =>
      Effect.flatMap(EventStore.EventStore, (store) =>
        Effect.flatMap(store.mark, (mark) => checkpoints.passed(`forwarding/${log}`, mark))
      )
    )
    await runtime.runPromise(Effect.raceFirst(EventForwarding.run(forwarding), passed))
    return (count / (performance.now() - began)) * 1000
  }
}

/** How a group handles: one by one, or what comes at once. */
type How = "one by one" | "together"

const handledAs =
  (how: How): Contender =>
  (given) => {
    const runtime = start(given)
    return () => {
      const log = randomUUID()
      const round = Effect.gen(function* () {
        const target = yield* ForwardTarget.ForwardTarget
        const all = yield* EventGroups.EventGroups
        const name = { log, group: "group" }
        const bySegment = Map.groupBy(texts.entries(), ([n]) => Segment.hash(`Task-${n % 1000}`) % target.segments)
        for (const [segment, own] of bySegment) {
          yield* target.open(log, segment, { groups: ["group"], floor: 0 })
          const entries = own.map(([n, text]) => ({ id: `${n + 1}-0`, key: `Task-${n % 1000}`, text }))
          yield* target.add(log, segment, { from: 0, to: count, entries })
        }
        const done = yield* Deferred.make<void>()
        let seen = 0
        const began = performance.now()
        const handling = (times: number) =>
          (seen += times) === count ? Deferred.succeed(done, undefined) : Effect.void
        const options = { ...name, events: [Created] as const }
        yield* how === "together"
          ? all.subscribe({ ...options, handleBatch: ({ length }) => handling(length) })
          : all.subscribe({ ...options, handle: () => handling(1) })
        yield* Deferred.await(done)
        const took = performance.now() - began
        yield* all.remove(name)
        for (const [segment] of bySegment) yield* target.settle(log, segment)
        return (count / took) * 1000
      })
      return runtime.runPromise(Effect.scoped(round))
    }
  }

const suite: Suite = [
  {
    name: "a log forwarded to Redis",
    unit: "events/s",
    ours: forwarded,
    peers: { ioredis: Peers.added(texts) }
  },
  {
    name: "events handled by a group",
    unit: "events/s",
    ours: handledAs("one by one"),
    peers: { ioredis: Peers.read(texts) }
  },
  {
    name: "events handled by a group, many at a time",
    unit: "events/s",
    ours: handledAs("together"),
    peers: { ioredis: Peers.read(texts) }
  }
]

export default suite
