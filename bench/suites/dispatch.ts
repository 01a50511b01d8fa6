/**
 * Commands to their handlers.
 */
import { Command, CommandBus, FlowRecorder, FlowRecording, FlowStore, Memory } from "effect-cqrs"
import { MessageContext, on, TenantContext } from "effect-cqrs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { type Contender, perSecond, type Suite } from "../harness.ts"
import * as Nest from "../peers/nest.ts"

const payload = { taskId: Schema.String, title: Schema.String }

class CreateTask extends Command.Class<CreateTask>()("CreateTask", { payload }) {}
class Touch extends Command.Class<Touch>()("Touch", { payload }) {}

let handled = 0

const Handlers = CommandBus.handlers(
  on(CreateTask, () =>
    Effect.map(MessageContext.MessageContext, ({ correlationId, messageId }) => {
      if (messageId === undefined || correlationId === undefined) throw new Error("A command has ids")
      handled++
    })
  ),
  on(Touch, () => Effect.sync(() => void handled++))
)

const withJit =
  (contender: Contender): Contender =>
  async (given) => {
    await import("effect/schema/SchemaJITCompiler/enable")
    return contender(given)
  }

const decoded: Contender = () => {
  const runtime = ManagedRuntime.make(Layer.merge(Handlers, TenantContext.layerSingle))
  return perSecond((times) =>
    runtime.runPromise(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) yield* CommandBus.execute(new CreateTask({ taskId: "t-1", title: "Write" }))
      })
    )
  )
}

const trusted: Contender = () => {
  const runtime = ManagedRuntime.make(Layer.merge(Handlers, TenantContext.layerSingle))
  const command = new Touch({ taskId: "t-1", title: "Write" })
  return perSecond((times) =>
    runtime.runPromise(
      Effect.gen(function* () {
        for (let n = 0; n < times; n++) yield* CommandBus.execute(command)
      })
    )
  )
}

// What a message pays: the storage is written to in the background, and here it takes nothing.
const recorded: Contender = () => {
  const store = Layer.effect(
    FlowStore.FlowStore,
    Effect.map(FlowStore.FlowStore, (flows) => ({ ...flows, record: () => Effect.void }))
  )
  const recorder = FlowRecorder.layer({ capacity: 10_000_000, linger: 0 }).pipe(
    Layer.provide(store),
    Layer.provide(Memory.layer)
  )
  const live = Handlers.pipe(
    Layer.provide(CommandBus.middleware(FlowRecording.middleware)),
    Layer.provideMerge(recorder)
  )
  const runtime = ManagedRuntime.make(Layer.merge(live, TenantContext.layerSingle))
  const command = new Touch({ taskId: "t-1", title: "Write" })
  return perSecond((times) =>
    runtime.runPromise(
      Effect.gen(function* () {
        const { counts, flush } = yield* FlowRecorder.FlowRecorder
        for (let n = 0; n < times; n++) yield* CommandBus.execute(command)
        yield* flush
        if ((yield* counts).dropped > 0) throw new Error("Steps were dropped")
      })
    )
  )
}

const suite: Suite = [
  {
    name: "dispatch a command, decoded, ids read",
    unit: "/s",
    target: { value: 1_000_000 },
    ours: decoded,
    peers: { "@nestjs/cqrs": Nest.dispatched }
  },
  {
    name: "dispatch a command, decoded, ids read, JIT",
    unit: "/s",
    target: { value: 1_000_000 },
    ours: withJit(decoded),
    peers: { "@nestjs/cqrs": Nest.dispatched }
  },
  {
    name: "dispatch a command, trusted",
    unit: "/s",
    target: { value: 2_500_000 },
    ours: trusted,
    peers: { "@nestjs/cqrs": Nest.dispatchedAgain }
  },
  {
    name: "dispatch a command, trusted, JIT",
    unit: "/s",
    target: { value: 2_500_000 },
    ours: withJit(trusted),
    peers: { "@nestjs/cqrs": Nest.dispatchedAgain }
  },
  {
    name: "dispatch a command, trusted, recorded",
    unit: "/s",
    ours: recorded,
    peers: { "not recorded": trusted }
  }
]

export default suite
