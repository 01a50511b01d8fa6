/**
 * What is to be sent once a transaction has committed: commands to others, mails, webhooks.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type { Sendable } from "../domain/OutboxMessage.ts"
import * as Journal from "./internal/Journal.ts"
import { makeMemory } from "./internal/memoryOutbox.ts"
import * as Outgoing from "./internal/outgoing.ts"
import type { Driver } from "./OutboxDriver.ts"
import { OutboxError } from "./OutboxError.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * The messages that wait to be delivered.
 *
 * **Details**
 *
 * A message is delivered **at least once**: a worker that dies after it has sent and before it has said so is followed by
 * another that sends again. Tenant and id of a message never change, and are what a receiver knows repetitions by.
 *
 * - `enqueue` keeps messages, all or none. One whose id waits already is left as it is. Inside a unit of work they commit with
 *   the rest: nothing leaves that was rolled back, and nothing is lost that was committed.
 * - `claim` gives messages that may leave, to one worker at a time, under a token that is greater than any before. Those of one
 *   key are given in the order of their sequence, from the first that is not done: while it is in flight, retried or parked,
 *   the others wait. Those without a key are given in no order, the longest due first as a rule.
 * - `renew` puts the end of leases off and answers with those that are still held. A lease that has run out is held until
 *   another worker claims the message. Time is the storage's own.
 * - `complete` is told of what was delivered, and answers with what it has noted: for the rest the token is an old one, and
 *   another worker has them. With `keep` delivered messages can be looked at until they are purged.
 * - `failed` keeps what became of a delivery, and says whether the token was still good; `release` gives messages back.
 * - `replay` makes what has failed due now, with its attempts forgotten, and answers with how many messages that are.
 * - `edit` gives a message other contents; when it is parked it is due. `skip` leaves it out, for a reason that is kept.
 * - `get` and `list` show messages, those that are done as well, where they were kept; `counts` is how many there are.
 * - `purge` forgets what was delivered or skipped that long ago.
 * - `changes` begins to listen: the effect that it gives completes with the next message that this process enqueues or makes
 *   due.
 *
 * @category services
 * @since 0.1.0
 */
export class Outbox extends Context.Service<
  Outbox,
  Driver & { readonly changes: Effect.Effect<Effect.Effect<void>> }
>()("effect-cqrs/ports/Outbox") {}

/**
 * The outbox over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): Outbox["Service"] => {
  let latch = Latch.makeUnsafe(false)
  const announce = Effect.suspend(() => {
    const opened = latch
    latch = Latch.makeUnsafe(false)
    return Effect.asVoid(opened.open)
  })
  // However the call ends: who is interrupted cannot tell whether it was done, and those who wait look for themselves.
  const announced = <A, E>(self: Effect.Effect<A, E>) => Effect.ensuring(self, driver.afterCommit(announce))
  return {
    ...driver,
    enqueue: (messages) => (messages.length === 0 ? Effect.void : announced(driver.enqueue(messages))),
    replay: (queue, filter) => announced(driver.replay(queue, filter)),
    edit: (ref, data) => announced(driver.edit(ref, data)),
    skip: (ref, reason) => announced(driver.skip(ref, reason)),
    changes: Effect.sync(() => latch.await)
  }
}

/**
 * How a message is sent, beside what its class says.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The id, a new one when absent. While a message with it waits, another is not kept: enqueuing can be repeated. */
  readonly id?: string | undefined
  /** The queue, that of the class when absent. */
  readonly queue?: string | undefined
  /** What it is delivered in order with, the key of the class when absent. */
  readonly key?: string | undefined
  /** When it may leave, as a time or from now on; at once when absent. Those of its key after it wait as long. */
  readonly due?: Duration.Input | DateTime.DateTime | undefined
  /** Free pairs that go with it. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * Keeps a message for delivery, in the transaction that is open, and answers with its id.
 *
 * **Example** (Sent when the transaction has committed, or never)
 *
 * ```ts
 * import { Memory, Outbox, OutboxMessage, TenantContext, UnitOfWork } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class Welcome extends OutboxMessage.Class<Welcome>()("Welcome", { to: Schema.String }) {}
 *
 * const program = Effect.gen(function* () {
 *   const unit = yield* UnitOfWork.UnitOfWork
 *   yield* unit.transaction(Outbox.enqueue(new Welcome({ to: "ada" })))
 *   yield* Effect.ignore(unit.transaction(Effect.andThen(Outbox.enqueue(new Welcome({ to: "bob" })), Effect.fail("no"))))
 *   const outbox = yield* Outbox.Outbox
 *   return (yield* outbox.list("default")).map(({ data, status }) => [data, status])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))
 * // => [[{ to: "ada" }, "pending"]]
 * ```
 *
 * @category sending
 * @since 0.1.0
 */
export const enqueue = (
  message: Sendable,
  options?: Options
): Effect.Effect<string, OutboxError, Outbox | TenantContext> =>
  Effect.map(enqueueAll([{ ...options, message }]), ([id]) => id ?? "")

/**
 * Keeps several messages for delivery, all or none, and answers with their ids.
 *
 * @category sending
 * @since 0.1.0
 */
export const enqueueAll = (
  all: ReadonlyArray<Options & { readonly message: Sendable }>
): Effect.Effect<ReadonlyArray<string>, OutboxError, Outbox | TenantContext> =>
  Effect.withFiber<ReadonlyArray<string>, OutboxError, Outbox | TenantContext>((fiber) => {
    const outbox = Context.getUnsafe(fiber.context, Outbox)
    const tenant = Context.getUnsafe(fiber.context, TenantContext).id
    const { issues, prepared } = Outgoing.prepare(tenant, all, fiber)
    if (issues !== undefined) return Effect.fail(new OutboxError({ reason: issues }))
    return Effect.as(
      outbox.enqueue(prepared),
      prepared.map(({ id }) => id)
    )
  })

/**
 * An outbox in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Outbox> = Layer.effect(
  Outbox,
  Effect.map(Journal.MemoryJournal, (journal) => make(makeMemory(journal)))
).pipe(Layer.provide(Journal.layer))
