// A projection whose handlers have changed is built anew beside what is read, and swapped in at once.
import { Effect, Layer, Schema, Stream } from "effect"
import { Event, EventStore, Memory, Projection, ReadModelStore, Rebuild, StreamName } from "effect-cqrs"
import { SystemContext, TenantContext } from "effect-cqrs"

class Joined extends Event.Class<Joined>()("Joined", { name: Schema.String }) {}

const Members = ReadModelStore.collection("members", Schema.String)

const MemberList = (version: number, write: (name: string) => string) =>
  Projection.make("members", {
    version,
    events: [Joined],
    collections: [Members],
    on: { Joined: ({ name }, { stream }) => Members.set(stream, write(name)) }
  })

const names = Effect.map(Members.list(), (all) => all.map(({ document }) => document).join(", "))

const program = Effect.gen(function* () {
  const store = yield* EventStore.EventStore
  const join = (id: number, name: string) =>
    store.append({ stream: StreamName.make("Member", String(id)), expected: "none", events: [new Joined({ name })] })

  yield* join(1, "ada")
  const receipt = yield* join(2, "grace")

  // The first version reads nicely, but not nicely enough.
  const first = MemberList(1, (name) => name)
  yield* Effect.raceFirst(Projection.waitFor(first, receipt), Projection.run(first))
  console.log("before:", yield* names)

  // Readers see the first version until the second one is complete.
  const second = MemberList(2, (name) => name.charAt(0).toUpperCase() + name.slice(1))
  const batches = Rebuild.stream(second, { batchSize: 1 }).pipe(
    Stream.filter(({ phase }) => phase !== "building"),
    Stream.runForEach(({ handled, phase }) => Effect.sync(() => console.log(`${phase}: ${handled} events`)))
  )
  yield* batches
  console.log("after:", yield* names)

  const { generation, state } = yield* Projection.status(second)
  console.log("generation", generation, "is", state)
})

const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("rebuilds"))
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// before: ada, grace
// swapping: 2 events
// done: 2 events
// after: Ada, Grace
// generation 2 is following
