/**
 * What both buses are made of: handler services by tag, layers that build them, and the dispatch itself.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as DispatchError from "../../domain/DispatchError.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import type * as Message from "../../domain/Message.ts"
import type { AnyEntry, Handlers, Registration } from "../../middleware/Handler.ts"
import * as Middleware from "../../middleware/Middleware.ts"
import { CheckpointError } from "../../ports/CheckpointStore.ts"
import { EventBusError } from "../../ports/EventBusError.ts"
import { EventStoreError } from "../../ports/EventStoreError.ts"
import * as MessageContext from "../../ports/MessageContext.ts"
import { ReadModelError } from "../../ports/ReadModelStore.ts"
import * as Receipt from "../../ports/Receipt.ts"
import { SnapshotError } from "../../ports/SnapshotStore.ts"
import type { StorageFailure } from "../../ports/StorageFailure.ts"
import { TenantContext } from "../../ports/TenantContext.ts"
import { UnitOfWorkError } from "../../ports/UnitOfWork.ts"
import * as HandlerRegistry from "../HandlerRegistry.ts"

/** Runs a message in this fiber, as the child of what the fiber handles now. */
type Run = (
  message: Message.Any,
  fiber: Fiber.Fiber<unknown, unknown>,
  messageId: string | undefined
) => Effect.Effect<unknown, unknown, unknown>

type Key = Context.Key<unknown, Run>

const keys: Record<Message.Kind, Map<string, Key>> = { command: new Map(), query: new Map() }

const keyOf = (kind: Message.Kind, tag: string): Key => {
  let key = keys[kind].get(tag)
  if (key === undefined) {
    key = Context.Service<unknown, Run>(`effect-cqrs/application/${kind}/${tag}`)
    keys[kind].set(tag, key)
  }
  return key
}

/** Middleware and what it requires, built once. */
interface Outer {
  readonly middleware: ReadonlyArray<Middleware.Any>
  readonly context: Context.Context<unknown>
}

const none = (): Outer => ({ middleware: [], context: Context.makeUnsafe(new Map()) })

/** The middleware of a whole bus, the first one outermost. */
const BusMiddleware: Record<Message.Kind, Context.Reference<Outer>> = {
  command: Context.Reference("effect-cqrs/application/command/Middleware", { defaultValue: none }),
  query: Context.Reference("effect-cqrs/application/query/Middleware", { defaultValue: none })
}

/** What every call brings along, or does not: a layer must never hold it for a call. */
const withoutPerCall = Context.omit(TenantContext, Scope.Scope, Tracer.ParentSpan, Receipt.Collector)

/** Puts middleware around all handlers of one kind whose layers this layer is provided to, inside of what is there. */
export const middleware = (
  kind: Message.Kind,
  all: ReadonlyArray<Middleware.Any>
): Layer.Layer<never, never, unknown> =>
  Layer.effect(
    BusMiddleware[kind],
    Effect.map(Effect.context<unknown>(), (context) => {
      const outer = Context.get(context, BusMiddleware[kind])
      return {
        middleware: [...outer.middleware, ...all],
        context: Context.merge(outer.context, withoutPerCall(context))
      }
    })
  )

/** Builds the handlers of one kind into a context of their services. */
export const layer = (
  kind: Message.Kind,
  groups: ReadonlyArray<Handlers<AnyEntry>>,
  overrides: boolean
): Layer.Layer<unknown, HandlerRegistry.DuplicateHandler, unknown> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const registry = yield* HandlerRegistry.HandlerRegistry
      const outer = yield* BusMiddleware[kind]
      // Handlers of one layer may send messages to each other: what they capture grows by each of them.
      const captured = { context: Context.merge(outer.context, withoutPerCall(yield* Effect.context<unknown>())) }
      const descriptions = outer.middleware.map(({ name, policy }) => ({ name, policy }))
      let services: Context.Context<unknown> = Context.makeUnsafe(new Map())
      for (const registration of groups.flatMap((group) => group.registrations)) {
        yield* registry.add(registration, descriptions, overrides)
        const whole = outer.middleware.reduceRight(Middleware.wrapped, registration)
        services = Context.add(services, keyOf(kind, registration.message.tag), runner(whole, captured))
      }
      captured.context = Context.merge(captured.context, services)
      return services
    })
  ).pipe(Layer.provideMerge(HandlerRegistry.layer))

const runner = (registration: Registration, captured: { readonly context: Context.Context<unknown> }): Run => {
  const { message: self } = registration
  const settle = settler(self)
  // Most programs dispatch from one context again and again.
  let lastCaller: Context.Context<never> | undefined
  let lastParent = MessageContext.empty
  let lastMerged = captured.context
  return (message, fiber, messageId) => {
    const caller = fiber.context
    if (caller !== lastCaller) {
      lastCaller = caller
      lastParent = fiber.getRef(MessageContext.MessageContext)
      lastMerged = Context.merge(captured.context, caller)
    }
    const child = MessageContext.child(lastParent, fiber, messageId)
    const context = Context.add(lastMerged, MessageContext.MessageContext, child)
    return Effect.onExitPrimitive(
      Effect.withFiber(() => {
        fiber.setContext(context)
        return settle(registration.handle(message))
      }),
      () => {
        fiber.setContext(caller)
        return undefined
      }
    )
  }
}

/** What the bus makes of a handler's outcome: nothing of an answer that was not asked for, dispatch errors of ports'. */
const settler = (self: Message.AnyClass) => {
  const translate = toDispatchError(self.tag)
  const onFailure = (cause: Cause.Cause<unknown>) => Effect.failCause(Cause.map(cause, translate))
  const settling = { onFailure, onSuccess: () => Effect.void }
  return self.success === Schema.Void
    ? (handled: Effect.Effect<unknown, unknown, unknown>) => Effect.matchCauseEffect(handled, settling)
    : (handled: Effect.Effect<unknown, unknown, unknown>) => Effect.catchCause(handled, onFailure)
}

/** Dispatches a message to the handler that the caller's context holds. */
export const dispatch = (
  kind: Message.Kind,
  message: Message.Any,
  messageId: string | undefined
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const run = Context.getOrUndefined(fiber.context, keyOf(kind, message._tag))
    return run === undefined
      ? Effect.fail(DispatchError.make(message._tag, new DispatchError.NotHandled({ kind })))
      : run(message, fiber, messageId)
  })

/** Decodes input from outside to a message, or says every field that is wrong with it. */
export const parse = (self: Message.AnyClass, input: unknown): Effect.Effect<unknown, DispatchError.DispatchError> => {
  const decoded = decoderOf(self)({ _tag: self.tag, ...Object(input) })
  return Result.isSuccess(decoded)
    ? Effect.succeed(decoded.success)
    : Effect.fail(
        DispatchError.make(self.tag, new DispatchError.Invalid({ issues: FieldIssue.fromIssue(decoded.failure.issue) }))
      )
}

type Decode = (input: unknown) => Result.Result<unknown, Schema.SchemaError>

const decoders = new WeakMap<Message.AnyClass, Decode>()

const decoderOf = (self: Message.AnyClass): Decode => {
  let decode = decoders.get(self)
  if (decode === undefined) {
    decode = Schema.decodeUnknownResult(Schema.toCodecJson(self), { errors: "all" })
    decoders.set(self, decode)
  }
  return decode
}

const toDispatchError =
  (tag: string) =>
  (error: unknown): unknown => {
    if (error instanceof EventStoreError) return DispatchError.make(tag, ofEventStore(error.reason), error)
    if (error instanceof ReadModelError) {
      return error.reason._tag === "InvalidDocument"
        ? DispatchError.make(tag, new DispatchError.Invalid({ issues: error.reason.issues }), error)
        : DispatchError.make(tag, ofStorage(error.reason), error)
    }
    if (error instanceof CheckpointError) {
      return error.reason._tag === "CheckpointConflict"
        ? DispatchError.make(tag, new DispatchError.Storage({ operation: "checkpoint", retryable: true }), error)
        : DispatchError.make(tag, ofStorage(error.reason), error)
    }
    if (error instanceof SnapshotError) {
      return error.reason._tag === "InvalidSnapshot"
        ? DispatchError.make(tag, new DispatchError.Storage({ operation: "snapshot", retryable: false }), error)
        : DispatchError.make(tag, ofStorage(error.reason), error)
    }
    if (error instanceof UnitOfWorkError) return DispatchError.make(tag, ofStorage(error.reason), error)
    if (error instanceof EventBusError) {
      return DispatchError.make(tag, ofEventBus(error.reason), error)
    }
    if (Cause.isTimeoutError(error)) {
      return DispatchError.make(tag, new DispatchError.Timeout({ waitingFor: "what the handler called" }), error)
    }
    return error
  }

const ofEventBus = (reason: EventBusError["reason"]): DispatchError.Reason => {
  switch (reason._tag) {
    case "NotConnected":
      return new DispatchError.Unreachable({ service: reason.bus })
    case "NotTaken":
      return new DispatchError.Storage({ operation: "publish", retryable: reason.retryable })
    case "InvalidEvent":
      return new DispatchError.Invalid({ issues: reason.issues })
  }
}

const ofStorage = ({ operation, retryable }: StorageFailure): DispatchError.Reason =>
  new DispatchError.Storage({ operation, retryable })

const ofEventStore = (reason: EventStoreError["reason"]): DispatchError.Reason => {
  switch (reason._tag) {
    case "VersionConflict":
      return new DispatchError.Conflict({ stream: reason.stream, expected: reason.expected, actual: reason.actual })
    case "AppendConditionFailed":
      return new DispatchError.Conflict({
        stream: reason.stream,
        expected: `nothing after position ${reason.after}`,
        actual: reason.position
      })
    case "StreamTombstoned":
    case "StreamArchived":
      return new DispatchError.Gone({ stream: reason.stream })
    case "InvalidInput":
      return new DispatchError.Invalid({ issues: reason.issues })
    case "EventTooLarge":
      return new DispatchError.Invalid({
        issues: [{ path: `events[${reason.index}]`, message: `must take at most ${reason.limit} bytes` }]
      })
    case "EventUndecodable":
      return new DispatchError.Storage({ operation: "decode", retryable: false })
    case "ProjectionFailed":
      return new DispatchError.Storage({ operation: `projection ${reason.projection}`, retryable: false })
    case "StorageFailure":
      return ofStorage(reason)
  }
}
