/**
 * Which messages a consumer has handled already: of a message that comes twice, the effect happens once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as FieldIssue from "../domain/FieldIssue.ts"
import type { Position } from "../domain/Position.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { ClaimingDriver, Driver, Place } from "./InboxDriver.ts"
import { InboxError, InvalidKey, RetentionTooShort } from "./InboxError.ts"
import { claimed } from "./internal/claiming.ts"
import * as Journal from "./internal/Journal.ts"
import { makeClaiming } from "./internal/memoryClaims.ts"
import { makeMemory } from "./internal/memoryInbox.ts"
import { nameIssue, tenantIssue } from "./internal/text.ts"
import { TenantContext } from "./TenantContext.ts"
import { UnitOfWork, type UnitOfWorkError } from "./UnitOfWork.ts"

/**
 * What consumers have handled; see {@link once}.
 *
 * @category services
 * @since 0.1.0
 */
export class Inbox extends Context.Service<Inbox, Driver>()("effect-cqrs/ports/Inbox") {}

/**
 * What consumers have handled, in a storage that takes part in nobody's transaction: it knows who handles a message, not whether
 * what the handler wrote was kept. What needs both or neither does not compile with it; see {@link onceClaimed}.
 *
 * @category services
 * @since 0.1.0
 */
export class ClaimingInbox extends Context.Service<ClaimingInbox, ClaimingDriver>()(
  "effect-cqrs/ports/ClaimingInbox"
) {}

/**
 * What a message is known by.
 *
 * **Details**
 *
 * - `id`: for messages of others. It is remembered until it is purged, for each tenant by itself.
 * - `position`: for messages of ours, which come from a segment of a log in order. What is not further than the last is
 *   dropped, and nothing has to be remembered but that.
 *
 * @category models
 * @since 0.1.0
 */
export type Key =
  | { readonly id: string }
  | { readonly source: string; readonly segment: number; readonly position: Position }

/**
 * Handles each message once: the note that it was handled commits with what the handler writes, or neither does.
 *
 * **Details**
 *
 * The handler runs in a unit of work, which is a savepoint inside another. For a message that was handled before it does not
 * run, and the answer is `None`. When it fails, nothing is noted, and the message may come again.
 *
 * **Gotchas**
 *
 * Only what takes part in the transaction happens once: a mail that the handler sends itself is sent again with every try.
 * Enqueue it in an `Outbox` instead.
 *
 * **Example** (The second delivery is dropped)
 *
 * ```ts
 * import { Inbox, Memory, ReadModelStore, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import * as Schema from "effect/Schema"
 *
 * const Paid = ReadModelStore.collection("paid", Schema.Int)
 * const handle = Inbox.once("billing", (payment: { readonly id: string; readonly amount: number }) => payment)(
 *   ({ amount }) => Paid.update("total", (total) => Option.getOrElse(total, () => 0) + amount)
 * )
 *
 * const program = Effect.all([handle({ id: "p-1", amount: 40 }), handle({ id: "p-1", amount: 40 }), handle({ id: "p-2", amount: 2 })])
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))
 * // => [Option.some(40), Option.none(), Option.some(42)]
 * ```
 *
 * @category handling
 * @since 0.1.0
 */
export const once =
  <M>(consumer: string, keyOf: (message: M) => Key) =>
  <N extends M, A, E, R>(
    handler: (message: N) => Effect.Effect<A, E, R>
  ): ((
    message: N
  ) => Effect.Effect<Option.Option<A>, E | InboxError | UnitOfWorkError, R | Inbox | UnitOfWork | TenantContext>) =>
  (message) =>
    Effect.gen(function* () {
      const unit = yield* UnitOfWork
      const inbox = yield* Inbox
      const { id: tenant } = yield* TenantContext
      const key = keyOf(message)
      const issues = keyIssues(tenant, consumer, key)
      if (issues.length > 0) return yield* Effect.fail(new InboxError({ reason: new InvalidKey({ consumer, issues }) }))
      const isNew =
        "id" in key
          ? inbox.take(tenant, consumer, key.id)
          : inbox.advance(consumer, key.source, key.segment, key.position)
      return yield* unit.transaction(
        Effect.flatMap(isNew, (yes) =>
          yes ? Effect.asSome(Effect.suspend(() => handler(message))) : Effect.succeed(Option.none<A>())
        )
      )
    })

/**
 * How a message is claimed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaimOptions {
  /** After how long without a sign of life another may have the message; 30 seconds when absent. It is renewed meanwhile. */
  readonly ttl?: Duration.Input | undefined
  /** How long to wait for whoever has it; as long as `ttl` when absent. */
  readonly wait?: Duration.Input | undefined
}

/**
 * Handles each message once, unless a process dies or Redis forgets at the wrong moment: for handlers whose effects are not in
 * one transaction with any inbox.
 *
 * **Details**
 *
 * - A message is claimed before the handler runs, confirmed after it has, and given back when it fails.
 * - Who comes meanwhile waits. For a message that was handled the answer is `None`; for one that is still being handled when
 *   `wait` is over the failure is `MessageClaimed`, since whoever has it may yet fail.
 * - The claim is renewed while the handler runs. When it was lost, the handler is interrupted, and the failure is `ClaimLost`.
 *   When that comes to light only after it has ended, `handled` says so: another has handled the message as well.
 * - When the confirmation does not get through, it is tried again for as long as the claim lasts; then the failure is
 *   `StorageFailure`, and the message may be handled again.
 *
 * **Gotchas**
 *
 * Between the handler's last effect and the confirmation a crash makes it happen again. Make that harmless, or use {@link once}
 * with an inbox in the handler's own database. Not to be called inside a unit of work, whose commit comes after.
 *
 * **Example** (The second delivery is dropped)
 *
 * ```ts
 * import { Inbox, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const handle = Inbox.onceClaimed("mailer", (mail: { readonly id: string }) => mail)(({ id }) => Effect.succeed(`sent ${id}`))
 *
 * const program = Effect.all([handle({ id: "m-1" }), handle({ id: "m-1" })])
 * await Effect.runPromise(program.pipe(Effect.provide([Inbox.layerMemoryClaiming(), TenantContext.layerSingle])))
 * // => [Option.some("sent m-1"), Option.none()]
 * ```
 *
 * @category handling
 * @since 0.1.0
 */
export const onceClaimed =
  <M>(consumer: string, keyOf: (message: M) => Key, options?: ClaimOptions) =>
  <N extends M, A, E, R>(
    handler: (message: N) => Effect.Effect<A, E, R>
  ): ((message: N) => Effect.Effect<Option.Option<A>, E | InboxError, R | ClaimingInbox | TenantContext>) =>
  (message) =>
    Effect.gen(function* () {
      const inbox = yield* ClaimingInbox
      const { id: tenant } = yield* TenantContext
      const key = keyOf(message)
      const issues = keyIssues(tenant, consumer, key)
      if (issues.length > 0) return yield* Effect.fail(new InboxError({ reason: new InvalidKey({ consumer, issues }) }))
      const place: Place = "id" in key ? { tenant, consumer, id: key.id } : { consumer, ...key }
      const ttl = Duration.toMillis(Duration.fromInputUnsafe(options?.ttl ?? "30 seconds"))
      const wait = options?.wait === undefined ? ttl : Duration.toMillis(Duration.fromInputUnsafe(options.wait))
      return yield* claimed(
        inbox,
        place,
        { ttl, wait },
        Effect.suspend(() => handler(message))
      )
    })

/**
 * How long ids are remembered, and for how long whoever sends may send again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retention {
  /** 8 days when absent. */
  readonly keep?: Duration.Input | undefined
  /** For how long a broker may deliver a message again; 7 days when absent. */
  readonly redelivery?: Duration.Input | undefined
}

/**
 * Forgets old ids, hourly, as long as the program runs.
 *
 * **Details**
 *
 * Building it fails with `RetentionTooShort` when a message might come again after its id was forgotten.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRetention = (options?: Retention): Layer.Layer<never, InboxError, Inbox> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const keep = Duration.fromInputUnsafe(options?.keep ?? "8 days")
      const redelivery = Duration.fromInputUnsafe(options?.redelivery ?? "7 days")
      if (Duration.isLessThanOrEqualTo(keep, redelivery)) {
        return yield* Effect.fail(new InboxError({ reason: new RetentionTooShort({ keep, redelivery }) }))
      }
      const inbox = yield* Inbox
      yield* inbox.purge(keep).pipe(
        Effect.catch((error) => Effect.logWarning("Old ids were not forgotten; the next time is in an hour", error)),
        Effect.repeat(Schedule.spaced("1 hour")),
        Effect.forkScoped
      )
    })
  )

const maxNameBytes = 512

const keyIssues = (tenant: TenantId, consumer: string, key: Key): ReadonlyArray<FieldIssue.FieldIssue> =>
  [
    nameIssue("consumer", consumer, maxNameBytes),
    ...("id" in key
      ? [tenantIssue(tenant), nameIssue("id", key.id, maxNameBytes)]
      : [
          nameIssue("source", key.source, maxNameBytes),
          Number.isInteger(key.segment) && key.segment >= 0 && key.segment < 2 ** 31
            ? undefined
            : { path: "segment", message: "must be a whole number of 0 or more" }
        ])
  ].filter((issue) => issue !== undefined)

/**
 * An inbox in memory, on the journal of the other memory layers; time is the program's clock.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Inbox> = Layer.effect(Inbox, Effect.map(Journal.MemoryJournal, makeMemory)).pipe(
  Layer.provide(Journal.layer)
)

/**
 * Claims in the memory of this process; time is the program's clock. Ids are forgotten `keep` after they were confirmed, 8 days
 * when absent.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemoryClaiming = (options?: {
  readonly keep?: Duration.Input | undefined
}): Layer.Layer<ClaimingInbox> =>
  Layer.sync(ClaimingInbox, () => makeClaiming(Duration.toMillis(Duration.fromInputUnsafe(options?.keep ?? "8 days"))))
