// Decision 7: what a middleware adds and takes away is in the type of the handlers it is used on.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Context, Effect, type Layer, Schema } from "effect"
import type { RateLimiter } from "effect/persistence"
import {
  Command,
  CommandBus,
  type DispatchError,
  type FlowRecorder,
  FlowRecording,
  group,
  type Handler,
  Logging,
  type Message,
  Middleware,
  on,
  Policy,
  Query,
  QueryBus,
  Resilience,
  Tracing,
  Validation
} from "../../src/index.ts"

class Denied extends Schema.TaggedError<Denied>()("Denied", {}) {}
class Missing extends Schema.TaggedError<Missing>()("Missing", {}) {}
class User extends Context.Service<User, { readonly name: string }>()("test/User") {}
class Session extends Context.Service<Session, { readonly user: string }>()("test/Session") {}

class Read extends Command.Class<Read>()("Read", { payload: { id: Schema.Int }, success: Schema.Int, error: Denied }) {}
class Write extends Command.Class<Write>()("Write", { payload: { id: Schema.Int } }) {}

declare const needsUser: Effect.Effect<number, never, User>
declare const mayMiss: Effect.Effect<number, Missing>

declare const adding: Middleware.Middleware<Message.Any, Denied, Session>
declare const providing: Middleware.Middleware<Message.Any, Denied, Session, User>
declare const handling: Middleware.Middleware<Message.Any, Denied, never, never, Missing>
declare const forReads: Middleware.Middleware<Read>

type EntriesOf<H> = Handler.EntriesOf<H>

// Errors and requirements are added ...
const added = on(Read, () => mayMiss).pipe(Middleware.use(adding))
expectTypeOf<EntriesOf<typeof added>>().toEqualTypeOf<Handler.Entry<Read, Denied | Missing, Session>>()
// ... services are provided ...
const provided = on(Read, () => needsUser).pipe(Middleware.use(providing))
expectTypeOf<EntriesOf<typeof provided>>().toEqualTypeOf<Handler.Entry<Read, Denied, Session>>()
// ... and errors are handled.
const handled = on(Read, () => mayMiss).pipe(Middleware.use(handling))
expectTypeOf<EntriesOf<typeof handled>>().toEqualTypeOf<Handler.Entry<Read, Denied, never>>()
expectTypeOf<Layer.Services<ReturnType<typeof ofProvided>>>().toEqualTypeOf<Session>()
const ofProvided = () => CommandBus.handlers(provided)

// A group is wrapped one by one: each keeps its message.
const grouped = group(
  on(Read, () => needsUser),
  on(Write, () => mayMiss)
).pipe(Middleware.use(handling))
expectTypeOf<EntriesOf<typeof grouped>>().toEqualTypeOf<
  Handler.Entry<Read, Denied, User> | Handler.Entry<Write, Denied, never>
>()

// What is there adds what it says.
const standard = on(Write, () => Effect.void).pipe(
  Middleware.use(Tracing.middleware),
  Middleware.use(Logging.middleware),
  Middleware.use(Resilience.retryOnConflict())
)
expectTypeOf<EntriesOf<typeof standard>>().toEqualTypeOf<Handler.Entry<Write, never, never>>()
const limited = on(Write, () => Effect.void).pipe(
  Middleware.use(Validation.middleware),
  Middleware.use(Resilience.timeout("1 second"))
)
expectTypeOf<EntriesOf<typeof limited>>().toEqualTypeOf<Handler.Entry<Write, DispatchError.DispatchError, never>>()

// @ts-expect-error: The handler of Write may fail with Denied: declare it as the command's error, or handle it
CommandBus.handlers(on(Write, () => Effect.void).pipe(Middleware.use(adding)))
// @ts-expect-error: The handler of Read may fail with Missing: declare it as the command's error, or handle it
CommandBus.handlers(added)

// A middleware for some messages is for no others.
on(Read, () => Effect.succeed(1)).pipe(Middleware.use(forReads))
// @ts-expect-error: Type 'Handlers<Entry<Write, never, never>>' is not assignable to type 'Handlers<Entry<Read & Any, unknown, unknown>>'
on(Write, () => Effect.void).pipe(Middleware.use(forReads))

// A whole bus takes middleware for any message, which fails with nothing that a message would have to declare.
expectTypeOf(CommandBus.middleware(Tracing.middleware, Validation.middleware)).toEqualTypeOf<Layer.Layer<never>>()
declare const needsSession: Middleware.Middleware<Message.Any, never, Session>
expectTypeOf(CommandBus.middleware(needsSession)).toEqualTypeOf<Layer.Layer<never, never, Session>>()
// @ts-expect-error: Type 'Denied' is not assignable to type
CommandBus.middleware(adding)
// @ts-expect-error: is not assignable to parameter of type 'Middleware<Any
CommandBus.middleware(forReads)

// One that adds is not one that adds nothing; one for all messages is one for some, one that gives more is one that gives less.
type Plain = Middleware.Middleware
expectTypeOf<Middleware.Middleware<Message.Any, Denied>>().not.toExtend<Plain>()
expectTypeOf<Middleware.Middleware<Message.Any, never, Session>>().not.toExtend<Plain>()
expectTypeOf<Middleware.Middleware<Read>>().not.toExtend<Plain>()
expectTypeOf<Plain>().not.toExtend<Middleware.Middleware<Message.Any, never, never, User>>()
expectTypeOf<Plain>().not.toExtend<Middleware.Middleware<Message.Any, never, never, never, Missing>>()
expectTypeOf<Plain>().toExtend<Middleware.Middleware<Read, Denied, Session>>()
expectTypeOf<Middleware.Middleware<Message.Any, never, never, User, Missing>>().toExtend<Plain>()
CommandBus.middleware(Middleware.make<Command.Any>("of commands", (next) => next))
// @ts-expect-error: Type '"query"' is not assignable to type '"command"'
QueryBus.middleware(Middleware.make<Command.Any>("of commands", (next) => next))

// Making one: what it adds and does not say is unknown, and refused where it is used.
const unsaid = Middleware.make(
  "unsaid",
  (next) => (message) => Effect.andThen(Effect.fail(new Denied()), next(message))
)
// @ts-expect-error: The handler of Read may fail with an error without a _tag: declare it as the command's error, or handle it
CommandBus.handlers(on(Read, () => Effect.succeed(1)).pipe(Middleware.use(unsaid)))
// @ts-expect-error: Type 'unknown' is not assignable to type
CommandBus.middleware(unsaid)
const needy = Middleware.make("needy", (next) => (message) => Effect.andThen(Session, next(message)))
// @ts-expect-error: The handler of Read may fail with an error without a _tag: declare it as the command's error, or handle it
CommandBus.handlers(on(Read, () => Effect.succeed(1)).pipe(Middleware.use(needy)))
// @ts-expect-error: Type 'number' is not assignable to type 'A'
Middleware.make("answering", () => () => Effect.succeed(1))
expectTypeOf(Middleware.lift("span", Effect.withSpan("x"))).toEqualTypeOf<Middleware.Middleware>()
expectTypeOf(Middleware.make("same", (next) => next)).toEqualTypeOf<Middleware.Middleware>()

// A hedge asks twice, which only a query bears.
class Look extends Query.Class<Look>()("Look", { payload: {}, success: Schema.Int }) {}
const hedged = Policy.make({ hedge: { after: "10 millis" } })
on(Look, () => Effect.succeed(1)).pipe(Middleware.use(hedged))
// @ts-expect-error: Type '"command"' is not assignable to type '"query"'
on(Write, () => Effect.void).pipe(Middleware.use(hedged))
expectTypeOf(Policy.make({ timeout: "1 second" })).toEqualTypeOf<
  Middleware.Middleware<Message.Any, DispatchError.DispatchError>
>()
expectTypeOf(Policy.make({ rateLimit: { limit: 1, window: "1 second" } })).toEqualTypeOf<
  Middleware.Middleware<Message.Any, DispatchError.DispatchError, RateLimiter.RateLimiter>
>()

// A fallback answers with what the message asks for.
class Try extends Query.Class<Try>()("Try", { payload: {}, success: Schema.Int, error: Denied }) {}
const trying = on(Try, () => Effect.fail(new Denied()))
Resilience.fallback(trying, (error) => Effect.succeed(error._tag.length))
// @ts-expect-error: Type 'string' is not assignable to type 'number'
Resilience.fallback(trying, (error) => Effect.succeed(error._tag))

// Who records flows without a recorder does not compile: the tenant comes with each call, the recorder with the layer.
expectTypeOf(CommandBus.middleware(FlowRecording.middleware)).toEqualTypeOf<
  Layer.Layer<never, never, FlowRecorder.FlowRecorder>
>()
expectTypeOf(QueryBus.middleware(FlowRecording.middleware)).toEqualTypeOf<
  Layer.Layer<never, never, FlowRecorder.FlowRecorder>
>()
