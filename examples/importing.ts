// Moves the history of one system into another, as lines of JSON. The first run breaks off; the next goes on where it was.
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Event, EventExport, EventImport, EventStore, Memory, StreamName, TenantContext } from "effect-cqrs"

class Deposited extends Event.Class<Deposited>()("Deposited", { euros: Schema.Int }) {}

const layer = Layer.merge(Memory.layer, TenantContext.layerSingle)
const stream = StreamName.make("Account", "ada")

const old = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  for (const euros of [10, 20, 30]) yield* store.append({ stream, expected: "any", events: [new Deposited({ euros })] })
  return yield* Stream.runCollect(EventExport.toNdjson(EventExport.events()))
})

const move = (lines: ReadonlyArray<string>) =>
  EventImport.run("old bank", EventExport.fromNdjson(Stream.fromIterable(lines)), { batchSize: 1 }).pipe(
    Stream.tap(({ imported }) => Console.log("imported:", imported))
  )

const next = (lines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* Stream.runDrain(Stream.take(move(lines), 1))
    yield* Stream.runDrain(move(lines))
    const store = yield* EventStore.EventStore
    for (const { data, version } of yield* store.readStream(stream)) yield* Console.log(version, JSON.stringify(data))
  })

const lines = await Effect.runPromise(Effect.provide(old, layer))
await Effect.runPromise(Effect.provide(next(lines), layer))

// prints:
// imported: 1
// imported: 2
// imported: 3
// 1 {"euros":10}
// 2 {"euros":20}
// 3 {"euros":30}
