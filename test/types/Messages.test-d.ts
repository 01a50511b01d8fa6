// What a message class gives: the types of its dispatch, and what is refused when it is declared or made.
// @effect-diagnostics floatingEffect:off missingEffectContext:off missingEffectError:off missingLayerContext:off
import { expectTypeOf } from "@effect/vitest"
import { type Context, type Effect, Schema } from "effect"
import {
  Command,
  CommandBus,
  type DispatchError,
  Event,
  type Message,
  Query,
  QueryBus,
  type TenantContext
} from "../../src/index.ts"

class Full extends Schema.TaggedError<Full>()("Full", {}) {}
class Reserve extends Command.Class<Reserve>()("Reserve", {
  payload: { seat: Schema.String, at: Schema.optional(Schema.Date) },
  success: Schema.Struct({ ticket: Schema.BigInt }),
  error: Full,
  aggregateId: ({ seat }) => seat
}) {
  get label(): string {
    return this.seat
  }
}
class Cancel extends Command.Class<Cancel>()("Cancel", { payload: {} }) {}
class Free extends Query.Class<Free>()("Free", { payload: {}, success: Schema.Array(Schema.String) }) {}

type Tenant = TenantContext.TenantContext
type Failed = DispatchError.DispatchError

const reserve = new Reserve({ seat: "A1" })

// A dispatch has the class's success and error, and requires its handler and a tenant.
expectTypeOf(CommandBus.execute(reserve)).toEqualTypeOf<
  Effect.Effect<{ readonly ticket: bigint }, Full | Failed, CommandBus.Handler<"Reserve"> | Tenant>
>()
expectTypeOf(CommandBus.execute(new Cancel())).toEqualTypeOf<
  Effect.Effect<void, Failed, CommandBus.Handler<"Cancel"> | Tenant>
>()
expectTypeOf(QueryBus.ask(new Free())).toEqualTypeOf<
  Effect.Effect<ReadonlyArray<string>, Failed, QueryBus.Handler<"Free"> | Tenant>
>()
expectTypeOf(CommandBus.dispatch(reserve)).toEqualTypeOf<
  Effect.Effect<
    CommandBus.Dispatched<{ readonly ticket: bigint }>,
    Full | Failed,
    CommandBus.Handler<"Reserve"> | Tenant
  >
>()
expectTypeOf(CommandBus.executeUnknown(Reserve, {})).toEqualTypeOf<
  Effect.Effect<{ readonly ticket: bigint }, Full | Failed, CommandBus.Handler<"Reserve"> | Tenant>
>()
expectTypeOf(CommandBus.parse(Reserve, {})).toEqualTypeOf<Effect.Effect<Reserve, Failed>>()

// A union of commands requires the handler of each, and gives either success.
declare const either: Reserve | Cancel
expectTypeOf(CommandBus.execute(either)).toEqualTypeOf<
  Effect.Effect<
    void | { readonly ticket: bigint },
    Full | Failed,
    CommandBus.Handler<"Reserve"> | CommandBus.Handler<"Cancel"> | Tenant
  >
>()
expectTypeOf<CommandBus.HandlerOf<"A" | "B">>().toEqualTypeOf<CommandBus.Handler<"A"> | CommandBus.Handler<"B">>()
expectTypeOf<QueryBus.HandlerOf<"A" | "B">>().toEqualTypeOf<QueryBus.Handler<"A"> | QueryBus.Handler<"B">>()

// Handlers of different tags, and of a command and a query of one tag, are different services.
expectTypeOf<CommandBus.Handler<"A">>().not.toExtend<CommandBus.Handler<"B">>()
expectTypeOf<CommandBus.Handler<"A">>().not.toExtend<CommandBus.Handler<string>>()
expectTypeOf<CommandBus.Handler<string>>().not.toExtend<CommandBus.Handler<"A">>()
expectTypeOf<CommandBus.Handler<"A">>().not.toExtend<QueryBus.Handler<"A">>()

// The class is what it declares.
expectTypeOf(Reserve.tag).toEqualTypeOf<"Reserve">()
expectTypeOf(Reserve.kind).toEqualTypeOf<"command">()
expectTypeOf(reserve.at).toEqualTypeOf<Date | undefined>()
expectTypeOf<Message.Success<Reserve>>().toEqualTypeOf<{ readonly ticket: bigint }>()
expectTypeOf<Message.Failure<Reserve>>().toEqualTypeOf<Full>()
expectTypeOf<Message.Failure<Cancel>>().toEqualTypeOf<never>()

// @ts-expect-error: 'number' is not assignable to type 'string'
new Reserve({ seat: 1 })
// @ts-expect-error: 'seat' is missing in type '{}'
new Reserve({})
// @ts-expect-error: Cannot assign to 'seat' because it is a read-only property
reserve.seat = "A2"

// @ts-expect-error: Missing type argument: write class Forgot extends ….Class<Forgot>()
class ForgotCommand extends Command.Class()("Forgot", { payload: {} }) {}
// @ts-expect-error: Missing type argument: write class Forgot extends ….Class<Forgot>()
class ForgotQuery extends Query.Class()("Forgot", { payload: {} }) {}
// @ts-expect-error: Missing type argument: write class Forgot extends ….Class<Forgot>()
class ForgotEvent extends Event.Class()("Forgot", {}) {}
export type Forgot = ForgotCommand | ForgotQuery | ForgotEvent

// A payload is data: a schema that needs services to be decoded is none.
declare const needy: Schema.Codec<string, string, Context.Context<never>>
// @ts-expect-error: is not assignable to type 'Serializable'
Command.Class<Reserve>()("Needy", { payload: { needy } })
// @ts-expect-error: is not assignable to type 'Serializable'
Event.Class<Reserve>()("Needy", { needy })

// A query is not executed, and a command is not asked.
// @ts-expect-error: Type '"query"' is not assignable to type '"command"'
CommandBus.execute(new Free())
// @ts-expect-error: Type '"command"' is not assignable to type '"query"'
QueryBus.ask(new Cancel())
// @ts-expect-error: Property '[Message.TypeId]' is missing in type '{ _tag: string; }' but required in type 'Any'
CommandBus.execute({ _tag: "Cancel" })
