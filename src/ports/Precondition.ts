/**
 * What the sender of a command takes for granted: the version of the aggregate that it has seen.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { StreamName } from "../domain/StreamName.ts"
import { type ExpectedVersion, VersionConflict } from "./EventStoreError.ts"
import * as MessageContext from "./MessageContext.ts"
import * as Receipt from "./Receipt.ts"

/**
 * The version that an aggregate must have, or one of several.
 *
 * @category models
 * @since 0.1.0
 */
export type Expected = ExpectedVersion | ReadonlyArray<number>

/**
 * What one command expects, and of which aggregate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Precondition {
  /** The command that it belongs to: commands that this one leads to have none of it. */
  readonly messageId: string
  /** The id of the aggregate that the command is for; of those with this id, or of all when absent, the first that its handler executes is meant. */
  readonly aggregateId: string | undefined
  readonly expected: Expected
}

/**
 * The precondition of the command that the running fiber handles; absent when its sender expects nothing.
 *
 * **Example** (A sender that has seen nothing yet)
 *
 * ```ts
 * import { Aggregate, Command, CommandBus, Event, Memory, on, Repository, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Result from "effect/Result"
 * import * as Schema from "effect/Schema"
 *
 * class Opened extends Event.Class<Opened>()("Opened", {}) {}
 * class Open extends Command.Class<Open>()("Open", { payload: { id: Schema.String }, aggregateId: ({ id }) => id }) {}
 * const Door = Aggregate.make("Door", { events: [Opened], initial: 0 }).evolve({ Opened: (n) => n + 1 })
 * const Handlers = CommandBus.handlers(
 *   on(Open, (command) => Repository.execute(Door, command.id, command, () => Result.succeed([new Opened()])))
 * )
 *
 * const open = CommandBus.execute(new Open({ id: "front" }), { expected: 0 })
 * const program = Effect.flip(Effect.andThen(open, open))
 * const Live = Handlers.pipe(Layer.provideMerge(Layer.merge(Memory.layer, TenantContext.layerSingle)))
 * const { message } = await Effect.runPromise(Effect.provide(program, Live))
 * message // => "Open: Door-front is at 1, expected 0"
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export const Precondition: Context.Reference<Precondition | undefined> = Context.Reference<Precondition | undefined>(
  "effect-cqrs/ports/Precondition",
  { defaultValue: () => undefined }
)

/**
 * Whether an aggregate at this version is what the sender expects; it says so of a version.
 *
 * @category models
 * @since 0.1.0
 */
export type Check = (version: number) => VersionConflict | undefined

/**
 * What the running fiber's command expects of an aggregate, when it is the one that is meant.
 *
 * **Details**
 *
 * What the command itself has appended to the stream already is not held against it.
 *
 * @category getters
 * @since 0.1.0
 */
export const of = (fiber: Fiber.Fiber<unknown, unknown>, stream: StreamName, id: string): Check | undefined => {
  const precondition = fiber.getRef(Precondition)
  if (precondition === undefined || !isMeant(precondition, fiber, stream, id)) return undefined
  const own = fiber.getRef(Receipt.Collector)?.findLast((append) => append.stream === stream)
  const expected = own?.version ?? precondition.expected
  return (version) =>
    holds(expected, version) ? undefined : new VersionConflict({ stream, expected: named(expected), actual: version })
}

const firsts = new WeakMap<Precondition, StreamName>()

const isMeant = (
  precondition: Precondition,
  fiber: Fiber.Fiber<unknown, unknown>,
  stream: StreamName,
  id: string
): boolean => {
  const { aggregateId, messageId } = precondition
  if (fiber.getRef(MessageContext.MessageContext).messageId !== messageId) return false
  if (aggregateId !== undefined && aggregateId !== id) return false
  // Aggregates of two kinds may have one id.
  if (!firsts.has(precondition)) firsts.set(precondition, stream)
  return firsts.get(precondition) === stream
}

const holds = (expected: Expected, version: number): boolean => {
  switch (expected) {
    case "any":
      return true
    case "none":
      return version === 0
    case "exists":
      return version > 0
    default:
      return typeof expected === "number" ? version === expected : expected.includes(version)
  }
}

const named = (expected: Expected): ExpectedVersion =>
  typeof expected === "object" ? Math.max(0, ...expected) : expected
