// What a bus asks of its handlers, and in which words it refuses a wrong one.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import {
  Command,
  CommandBus,
  EventStore,
  type EventStoreError,
  group,
  type HandlerRegistry,
  Memory,
  on,
  Query,
  QueryBus,
  TenantContext
} from "../../src/index.ts"
import { build, run } from "./run.ts"

class Full extends Schema.TaggedError<Full>()("Full", {}) {}
class Oops extends Schema.TaggedError<Oops>()("Oops", {}) {}
class Reserve extends Command.Class<Reserve>()("Reserve", {
  payload: { seat: Schema.String },
  success: Schema.Int,
  error: Full
}) {}
class Cancel extends Command.Class<Cancel>()("Cancel", { payload: {} }) {}
class Free extends Query.Class<Free>()("Free", { payload: {}, success: Schema.Int }) {}

class Mailer extends Context.Service<Mailer, { readonly send: Effect.Effect<void> }>()("test/Mailer") {}
declare const storageFails: Effect.Effect<number, EventStoreError.EventStoreError>
declare const scoped: Effect.Effect<number, never, Scope.Scope>
declare const mails: Effect.Effect<number, never, Mailer>

const reserve = on(Reserve, ({ seat }) => (seat === "" ? Effect.fail(new Full()) : Effect.succeed(1)))
const cancel = on(Cancel, () => Effect.void)
const free = on(Free, () => Effect.succeed(1))

// A layer gives the handler of each tag, and requires what the handlers require.
type Requires<L extends Layer.Any> = Layer.Services<L>
const Both = CommandBus.handlers(reserve, cancel)
expectTypeOf(Both).toEqualTypeOf<
  Layer.Layer<
    CommandBus.Handler<"Reserve"> | CommandBus.Handler<"Cancel"> | HandlerRegistry.HandlerRegistry,
    HandlerRegistry.DuplicateHandler
  >
>()
expectTypeOf(CommandBus.handlers(group(reserve, cancel))).toEqualTypeOf(Both)
expectTypeOf(CommandBus.override(reserve, cancel)).toEqualTypeOf(Both)
const Mailing = CommandBus.handlers(
  on(Reserve, () => mails),
  cancel
)
expectTypeOf<Requires<typeof Mailing>>().toEqualTypeOf<Mailer>()

// The tenant comes with each call: it is no requirement of a layer, even where a handler uses it.
const tenant = Effect.map(TenantContext.TenantContext, ({ id }) => id.length)
const Tenants = CommandBus.handlers(on(Reserve, () => Effect.andThen(tenant, mails)))
expectTypeOf<Requires<typeof Tenants>>().toEqualTypeOf<Mailer>()
const Reads = QueryBus.handlers(
  on(Free, () => Effect.flatMap(EventStore.EventStore, (store) => Effect.map(store.mark, Number)))
)
expectTypeOf<Requires<typeof Reads>>().toEqualTypeOf<EventStore.EventStore>()

// What is right: ports' errors, the declared error, any answer where none was asked for.
CommandBus.handlers(on(Reserve, () => storageFails))
CommandBus.handlers(on(Cancel, () => Effect.succeed("anything at all")))
CommandBus.handlers(on(Reserve, () => Effect.scoped(scoped)))
CommandBus.handlers(on(Reserve, () => Effect.timeout(mails, "1 second")))

// A program without a handler, or without a tenant, does not compile.
const single = TenantContext.layerSingle
run(CommandBus.execute(new Reserve({ seat: "A1" })).pipe(Effect.provide([Both, single])))
// @ts-expect-error: Type 'Handler<"Reserve">' is not assignable to type 'never'
run(CommandBus.execute(new Reserve({ seat: "A1" })).pipe(Effect.provide(single)))
// @ts-expect-error: Type 'Handler<"Reserve">' is not assignable to type 'never'
run(CommandBus.execute(new Reserve({ seat: "A1" })).pipe(Effect.provide([CommandBus.handlers(cancel), single])))
// @ts-expect-error: Type 'Handler<"Free">' is not assignable to type 'never'
run(QueryBus.ask(new Free()).pipe(Effect.provide([Both, single])))
// @ts-expect-error: Type 'TenantContext' is not assignable to type 'never'
run(CommandBus.execute(new Reserve({ seat: "A1" })).pipe(Effect.provide(Both)))
// @ts-expect-error: Type 'Mailer' is not assignable to type 'never'
build(Mailing)

// @ts-expect-error: The handler of Reserve may fail with Oops: declare it as the command's error, or handle it
CommandBus.handlers(on(Reserve, () => Effect.fail(new Oops())))
// @ts-expect-error: The handler of Cancel may fail with Full: declare it as the command's error, or handle it
CommandBus.handlers(on(Cancel, () => Effect.fail(new Full())))
// @ts-expect-error: The handler of Free may fail with Oops: declare it as the query's error, or handle it
QueryBus.handlers(on(Free, () => Effect.fail(new Oops())))
// @ts-expect-error: The handler of Reserve may fail with an error without a _tag: declare it as the command's error
CommandBus.handlers(on(Reserve, () => Effect.fail("text")))
// @ts-expect-error: The handler of Reserve requires a Scope: close it inside the handler with Effect.scoped
CommandBus.handlers(on(Reserve, () => scoped))
// @ts-expect-error: Free is a query, not a command
CommandBus.handlers(reserve, free)
// @ts-expect-error: Reserve is a command, not a query
QueryBus.handlers(free, reserve)
// @ts-expect-error: Free is a query, not a command
CommandBus.override(free)
// Among several, the wrong one is named; also inside a group.
const failing = on(Cancel, () => Effect.fail(new Oops()))
// @ts-expect-error: The handler of Cancel may fail with Oops: declare it as the command's error, or handle it
CommandBus.handlers(reserve, group(reserve, failing))

// @ts-expect-error: Type 'string' is not assignable to type 'number'
CommandBus.handlers(on(Reserve, () => Effect.succeed("A1")))
// @ts-expect-error: Property 'row' does not exist on type 'Reserve'
CommandBus.handlers(on(Reserve, ({ row }) => Effect.succeed(row)))
// @ts-expect-error: Type 'typeof Full' is missing the following properties from type 'AnyClass<Any>': kind, tag, success, error
CommandBus.handlers(on(Full, () => Effect.void))

// A handler's layer is given what it requires.
build(Reads.pipe(Layer.provide(Memory.layer)))
