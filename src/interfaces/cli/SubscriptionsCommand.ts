/**
 * The commands `subscriptions` and `parked`: consumers, and what they could not handle.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Position from "../../domain/Position.ts"
import { ConsumerStore } from "../../ports/ConsumerStore.ts"
import type { ConsumerInfo } from "../../ports/ConsumerStoreDriver.ts"
import { ParkedStore } from "../../ports/ParkedStore.ts"
import type * as CommandError from "./CommandError.ts"
import type { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

const name = Argument.String("consumer").pipe(Argument.withDescription("The name of the consumer"))

/**
 * Lists consumers: how they stand, how far they are, and who works for them.
 *
 * @category commands
 * @since 0.1.0
 */
export const list: Command.Command<"list", never, {}, CommandError.CommandError, Database> = Command.make(
  "list",
  { json: Output.json },
  ({ json }) =>
    Effect.gen(function* () {
      const consumers = yield* ConsumerStore
      const parked = yield* ParkedStore
      const all = yield* Effect.forEach(yield* consumers.list, (info) =>
        Effect.map(parked.count(info.name), (count) => ({ ...info, parked: count }))
      )
      yield* Output.rows(
        json,
        all,
        {
          consumer: (one) => one.name,
          state: (one) => stateOf(one),
          position: (one) => Math.min(...one.segments.map(({ checkpoint }) => checkpoint.position)),
          segments: (one) => one.segments.length,
          workers: (one) => one.workers.length,
          parked: (one) => one.parked
        },
        "There are no consumers"
      )
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("List consumers"))

const stateOf = ({ state }: ConsumerInfo): string =>
  state.status === "paused" ? `paused: ${state.reason}` : state.status

/**
 * Stops a consumer, in all processes: what is being handled at that moment may still end.
 *
 * @category commands
 * @since 0.1.0
 */
export const pause: Command.Command<"pause", never, {}, CommandError.CommandError, Database> = Command.make(
  "pause",
  {
    name,
    reason: Flag.String("reason").pipe(
      Flag.withDescription("Why, for whoever finds it stopped"),
      Flag.withDefault("by hand")
    ),
    json: Output.json
  },
  ({ json, name, reason }) =>
    Effect.gen(function* () {
      const consumers = yield* ConsumerStore
      yield* consumers.setState(name, { status: "paused", reason })
      yield* Console.log(json ? JSON.stringify({ consumer: name, status: "paused", reason }) : `${name} is paused`)
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Stop a consumer in all processes"))

/**
 * Lets a consumer go on.
 *
 * @category commands
 * @since 0.1.0
 */
export const resume: Command.Command<"resume", never, {}, CommandError.CommandError, Database> = Command.make(
  "resume",
  { name, json: Output.json },
  ({ json, name }) =>
    Effect.gen(function* () {
      const consumers = yield* ConsumerStore
      yield* consumers.setState(name, { status: "running" })
      yield* Console.log(json ? JSON.stringify({ consumer: name, status: "running" }) : `${name} goes on`)
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Let a consumer go on"))

/**
 * The commands about consumers.
 *
 * @category commands
 * @since 0.1.0
 */
export const subscriptions: Command.Command<"subscriptions", {}, {}, CommandError.CommandError, Database> =
  Command.make("subscriptions").pipe(
    Command.withDescription("The consumers of the log"),
    Command.withSubcommands([list, pause, resume])
  )

const key = Flag.String("key").pipe(Flag.withDescription("Only those of this key"), Flag.optional)
const error = Flag.String("error").pipe(Flag.withDescription("Only those whose error has this text"), Flag.optional)
const position = Argument.Int("position").pipe(Argument.withDescription("The position of the event"))
const ofKey = Argument.String("key").pipe(Argument.withDescription("The key it is parked under"))

/**
 * Lists what a consumer has parked.
 *
 * @category commands
 * @since 0.1.0
 */
export const parkedList: Command.Command<"list", never, {}, CommandError.CommandError, Database> = Command.make(
  "list",
  { name, key, error, limit: Output.limit(100), json: Output.json },
  ({ error, json, key, limit, name }) =>
    Effect.gen(function* () {
      const store = yield* ParkedStore
      const all = yield* store.list(name, {
        key: Option.getOrUndefined(key),
        error: Option.getOrUndefined(error),
        limit
      })
      yield* Output.rows(
        json,
        all,
        {
          position: (one) => one.position,
          key: (one) => one.key,
          status: (one) => one.status,
          type: (one) => one.stored.type,
          attempts: (one) => one.attempts,
          error: (one) => one.error ?? one.reason
        },
        "Nothing is parked"
      )
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("List what a consumer has parked"))

/**
 * Shows one parked event.
 *
 * @category commands
 * @since 0.1.0
 */
export const parkedShow: Command.Command<"show", never, {}, CommandError.CommandError, Database> = Command.make(
  "show",
  { name, key: ofKey, position, json: Output.json },
  ({ json, key, name, position }) =>
    Effect.gen(function* () {
      const store = yield* ParkedStore
      const {
        at,
        due,
        hash: _,
        ...parked
      } = yield* store.get({ consumer: name, key, position: Position.make(position) })
      yield* Output.fields(
        json,
        json ? { ...parked, at, due } : { ...parked, at: Output.time(at), due: Output.time(due) }
      )
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Show one parked event"))

/**
 * Has the fitting heads handled again, and what comes after them, in order.
 *
 * @category commands
 * @since 0.1.0
 */
export const parkedReplay: Command.Command<"replay", never, {}, CommandError.CommandError, Database> = Command.make(
  "replay",
  { name, key, error, json: Output.json },
  ({ error, json, key, name }) =>
    Effect.gen(function* () {
      const store = yield* ParkedStore
      const replayed = yield* store.replay(name, {
        key: Option.getOrUndefined(key),
        error: Option.getOrUndefined(error)
      })
      yield* Console.log(
        json ? JSON.stringify({ consumer: name, replayed }) : `${Output.count(replayed, "key")} to replay`
      )
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Have what is parked handled again, in order"))

/**
 * Leaves one parked event out, for a reason that is kept.
 *
 * @category commands
 * @since 0.1.0
 */
export const parkedSkip: Command.Command<"skip", never, {}, CommandError.CommandError, Database> = Command.make(
  "skip",
  {
    name,
    key: ofKey,
    position,
    reason: Flag.String("reason").pipe(Flag.withDescription("Why; it is kept")),
    json: Output.json
  },
  ({ json, key, name, position, reason }) =>
    Effect.gen(function* () {
      const store = yield* ParkedStore
      yield* store.skip({ consumer: name, key, position: Position.make(position) }, reason)
      yield* Console.log(json ? JSON.stringify({ consumer: name, key, position, reason }) : `Skipped ${position}`)
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Leave one parked event out, for a reason"))

/**
 * The commands about what consumers have parked.
 *
 * @category commands
 * @since 0.1.0
 */
export const parked: Command.Command<"parked", {}, {}, CommandError.CommandError, Database> = Command.make(
  "parked"
).pipe(
  Command.withDescription("Events that a consumer could not handle"),
  Command.withSubcommands([parkedList, parkedShow, parkedReplay, parkedSkip])
)
