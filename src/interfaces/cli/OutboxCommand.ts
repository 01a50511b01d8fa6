/**
 * The commands `outbox`: what waits to be delivered, and what could not be.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TenantId from "../../domain/TenantId.ts"
import { Outbox } from "../../ports/Outbox.ts"
import { Status } from "../../ports/OutboxDriver.ts"
import type * as CommandError from "./CommandError.ts"
import type { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

const queue = Argument.String("queue").pipe(
  Argument.withDescription("The queue, `default` when absent"),
  Argument.withDefault("default")
)
const id = Argument.String("id").pipe(Argument.withDescription("The id of the message"))
const key = Flag.String("key").pipe(Flag.withDescription("Only those of this key"), Flag.optional)
const error = Flag.String("error").pipe(Flag.withDescription("Only those whose error has this text"), Flag.optional)

/**
 * Lists messages of a queue, and how many stand how.
 *
 * @category commands
 * @since 0.1.0
 */
export const list: Command.Command<"list", never, {}, CommandError.CommandError, Database> = Command.make(
  "list",
  {
    queue,
    status: Flag.Literals("status", Status.literals).pipe(
      Flag.withDescription("Only those that stand so"),
      Flag.optional
    ),
    key,
    error,
    limit: Output.limit(100),
    json: Output.json
  },
  ({ error, json, key, limit, queue, status }) =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const counts = yield* outbox.counts(queue)
      const messages = yield* outbox.list(queue, {
        status: Option.getOrUndefined(status),
        key: Option.getOrUndefined(key),
        error: Option.getOrUndefined(error),
        limit
      })
      if (json) return yield* Output.fields(true, { queue, counts, messages })
      yield* Output.fields(false, { ...counts })
      yield* Output.rows(
        false,
        messages,
        {
          id: (one) => one.id,
          tenant: (one) => one.tenant,
          key: (one) => one.key,
          type: (one) => one.type,
          status: (one) => one.status,
          due: (one) => Output.time(one.due),
          attempts: (one) => one.attempts,
          error: (one) => one.error ?? one.reason
        },
        "There are no such messages"
      )
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("List messages of a queue"))

/**
 * Shows one message.
 *
 * @category commands
 * @since 0.1.0
 */
export const show: Command.Command<"show", never, {}, CommandError.CommandError, Database> = Command.make(
  "show",
  { id, tenant: Output.tenant, json: Output.json },
  ({ id, json, tenant }) =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { at, due, ...message } = yield* outbox.get({ tenant: TenantId.make(tenant), id })
      yield* Output.fields(
        json,
        json ? { ...message, at, due } : { ...message, at: Output.time(at), due: Output.time(due) }
      )
    }).pipe(Output.withPorts(tenant))
).pipe(Command.withDescription("Show one message"))

/**
 * Makes what has failed due now, with its attempts forgotten.
 *
 * @category commands
 * @since 0.1.0
 */
export const replay: Command.Command<"replay", never, {}, CommandError.CommandError, Database> = Command.make(
  "replay",
  { queue, key, error, json: Output.json },
  ({ error, json, key, queue }) =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const replayed = yield* outbox.replay(queue, {
        key: Option.getOrUndefined(key),
        error: Option.getOrUndefined(error)
      })
      yield* Console.log(json ? JSON.stringify({ queue, replayed }) : `${Output.count(replayed, "message")} to deliver`)
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Have what has failed delivered again"))

/**
 * Leaves one message out, for a reason that is kept.
 *
 * @category commands
 * @since 0.1.0
 */
export const skip: Command.Command<"skip", never, {}, CommandError.CommandError, Database> = Command.make(
  "skip",
  {
    id,
    tenant: Output.tenant,
    reason: Flag.String("reason").pipe(Flag.withDescription("Why; it is kept")),
    json: Output.json
  },
  ({ id, json, reason, tenant }) =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* outbox.skip({ tenant: TenantId.make(tenant), id }, reason)
      yield* Console.log(json ? JSON.stringify({ tenant, id, reason }) : `Skipped ${id}`)
    }).pipe(Output.withPorts(tenant))
).pipe(Command.withDescription("Leave one message out, for a reason"))

/**
 * The commands about the outbox.
 *
 * @category commands
 * @since 0.1.0
 */
export const outbox: Command.Command<"outbox", {}, {}, CommandError.CommandError, Database> = Command.make(
  "outbox"
).pipe(
  Command.withDescription("Messages that wait to be delivered"),
  Command.withSubcommands([list, show, replay, skip])
)
