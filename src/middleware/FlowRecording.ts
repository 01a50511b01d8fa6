/**
 * Recording what one request sets in motion.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Message from "../domain/Message.ts"
import * as FlowRecorder from "../ports/FlowRecorder.ts"
import * as MessageContext from "../ports/MessageContext.ts"
import { TenantContext } from "../ports/TenantContext.ts"
import * as Middleware from "./Middleware.ts"

/**
 * Records each command or query as a step of its flow: what it was, what caused it, how it ended, after how long and how
 * many attempts.
 *
 * **Details**
 *
 * A message is never slowed by the storage and never fails because of it: the `FlowRecorder` writes in the background. What
 * succeeds inside a unit of work is recorded after its commit, what fails at once. Attempts are counted wherever this stands,
 * outside of a retry or inside.
 *
 * **Gotchas**
 *
 * The payload is not recorded, and of an error only its tag.
 *
 * **Example** (A command and its event)
 *
 * ```ts
 * import { Command, CommandBus, Event, EventStore, Flow, FlowRecorder, FlowRecording, FlowStore, Memory } from "effect-cqrs"
 * import { MessageContext, on, StreamName, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * class Create extends Command.Class<Create>()("Create", { payload: {} }) {}
 * class Created extends Event.Class<Created>()("Created", {}) {}
 *
 * const Handlers = CommandBus.handlers(
 *   on(Create, () =>
 *     Effect.flatMap(EventStore.EventStore, (store) =>
 *       store.append({ stream: StreamName.make("Task", "1"), expected: "none", events: [new Created()] })
 *     )
 *   )
 * ).pipe(Layer.provide(CommandBus.middleware(FlowRecording.middleware)))
 *
 * const program = Effect.gen(function* () {
 *   yield* CommandBus.execute(new Create()).pipe(MessageContext.provide({ correlationId: "r-1" }))
 *   const recorder = yield* FlowRecorder.FlowRecorder
 *   yield* recorder.flush
 *   const flows = yield* FlowStore.FlowStore
 *   const { steps } = yield* flows.read("r-1")
 *   return Flow.toText(Flow.make("r-1", steps)).replace(/in \d+ ms/, "in no time").split("\n")
 * })
 *
 * const Live = Handlers.pipe(Layer.provideMerge(FlowRecorder.layer()), Layer.provideMerge(Memory.layer))
 * await Effect.runPromise(program.pipe(Effect.provide([Live, TenantContext.layerSingle])))
 * // => ["flow r-1", "└─ command Create: succeeded in no time", "   └─ event Created (Task-1@1)"]
 * ```
 *
 * @category middleware
 * @since 0.1.0
 */
export const middleware: Middleware.Middleware<Message.Any, never, FlowRecorder.FlowRecorder | TenantContext> =
  Middleware.make<Message.Any, never, FlowRecorder.FlowRecorder | TenantContext>(
    "flowRecording",
    (next) => (message) =>
      Effect.withFiber((fiber) => {
        const recorder = Context.getUnsafe(fiber.context, FlowRecorder.FlowRecorder)
        const tenant = Context.getUnsafe(fiber.context, TenantContext).id
        const context = fiber.getRef(MessageContext.MessageContext)
        const clock = fiber.getRef(Clock.Clock)
        const at = clock.currentTimeMillisUnsafe()
        return Effect.onExitPrimitive(next(message), (exit) => {
          const { causationId, correlationId, messageId: id } = context
          if (id === undefined || correlationId === undefined) return undefined
          const step = { id, kind: message[Message.TypeId].kind, name: message._tag, causationId, at }
          return FlowRecorder.ended(recorder, { tenant, correlationId, step }, exit, {
            millis: clock.currentTimeMillisUnsafe() - at,
            attempts: Math.max(1, MessageContext.attempts(context))
          })
        })
      })
  )
