/**
 * Delivering what waits in an outbox: by many workers in many processes, in order per key, until it is delivered or somebody
 * has to look at it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as FieldIssue from "../domain/FieldIssue.ts"
import type { Metadata } from "../domain/Metadata.ts"
import * as OutboxMessage from "../domain/OutboxMessage.ts"
import type { TenantId } from "../domain/TenantId.ts"
import type { Outbox } from "../ports/Outbox.ts"
import type { Claimed } from "../ports/OutboxDriver.ts"
import type { SystemContext } from "../ports/SystemContext.ts"
import type { TenantContext } from "../ports/TenantContext.ts"
import type { Call, Settings } from "./internal/relay/model.ts"
import * as Reader from "./internal/reader.ts"
import * as Worker from "./internal/relay/worker.ts"

/**
 * A message on its way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery<out M> {
  readonly message: M
  readonly id: string
  /** The same at every delivery of this message, and of no other: give it to the receiver, to know repetitions by. */
  readonly idempotencyKey: string
  readonly tenant: TenantId
  readonly queue: string
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Metadata
  /** How often it is tried durably, this time included. */
  readonly attempt: number
}

/**
 * A message as it is kept, undecoded: for what passes messages on whatever they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parcel {
  readonly type: string
  readonly version: number
  readonly data: unknown
}

/**
 * A queue and how its messages are delivered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Relay<out R> {
  readonly queue: string
  /** The types that it knows; empty when it takes every type. */
  readonly types: ReadonlyArray<string>
  readonly call: Call<R>
  readonly settings: Settings
}

/**
 * How a relay works.
 *
 * **Details**
 *
 * A delivery that fails is repeated `retries` times (2 when absent) after 50 ms, 100 ms and so on. Then it has failed once:
 * the message is tried again after `backoff` (1 s, 4 s, 16 s up to an hour when absent, each up to a fifth shorter or longer),
 * by whichever worker comes, and is parked when it has failed `attempts` times (10 when absent).
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many messages one worker delivers at the same time; 16 when absent. */
  readonly concurrency?: number | undefined
  /**
   * How many messages one worker has claimed that are not delivered, those that it delivers now among them, which bounds what a slow
   * receiver holds; 100 when absent. As many more may be delivered already and wait to be noted.
   */
  readonly prefetch?: number | undefined
  /** How long a worker that no longer answers keeps its messages; 30 seconds when absent. One that works renews it. */
  readonly lease?: Duration.Input | undefined
  /** How long one delivery may take; as long as it likes when absent. */
  readonly timeout?: Duration.Input | undefined
  readonly retries?: number | undefined
  readonly attempts?: number | undefined
  readonly backoff?: ((attempts: number) => Duration.Input) | undefined
  /** How often to look for what other processes have enqueued, and for what is due; about every 250 ms when absent. */
  readonly pollInterval?: Duration.Input | undefined
  /**
   * How long what is in flight may take to end when the program ends, and then again how long the storage may take to be told of it;
   * 5 seconds when absent.
   */
  readonly drain?: Duration.Input | undefined
  /** Whether delivered messages can still be looked at; `false` when absent. */
  readonly keepDelivered?: boolean | undefined
  /** How long messages that were delivered or skipped are kept; 30 days when absent. */
  readonly keepFor?: Duration.Input | undefined
}

/**
 * One function per type of message.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<M extends OutboxMessage.Sendable> = {
  readonly [Tag in M["_tag"]]: (
    message: Extract<M, { readonly _tag: Tag }>,
    delivery: Delivery<Extract<M, { readonly _tag: Tag }>>
  ) => Effect.Effect<unknown, unknown, unknown>
}

/**
 * What the handlers of a relay require.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ServicesOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never
}[keyof H]

/**
 * Declares a relay: a queue, and a handler for each of its messages, which the compiler checks to be all of them.
 *
 * **Details**
 *
 * - A message is delivered **at least once**. Its `idempotencyKey` is the same each time.
 * - Messages of one key are delivered one after the other in the order of enqueuing, whichever worker has them; one that is
 *   retried or parked holds those after it, and no others. Messages without a key are delivered side by side.
 * - A handler runs as the message's tenant, with the message as cause. It fails with `RelayError.postponed` to be called again
 *   later without that counting, and with `RelayError.undeliverable` to have the message parked at once.
 * - What cannot be read is parked as it is: `UnknownType` or `Undecodable`.
 *
 * **Gotchas**
 *
 * A worker that is stopped for longer than its lease may finish a delivery that another has begun: what it says of it is
 * refused, but the receiver has had the message twice.
 *
 * **Example** (Two kinds of messages)
 *
 * ```ts
 * import { Memory, Outbox, OutboxMessage, Relay, SystemContext, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Queue from "effect/Queue"
 * import * as Schema from "effect/Schema"
 *
 * class Mail extends OutboxMessage.Class<Mail>()("Mail", { to: Schema.String }, { key: ({ to }) => to }) {}
 * class Hook extends OutboxMessage.Class<Hook>()("Hook", { url: Schema.String }) {}
 *
 * const program = Effect.gen(function* () {
 *   const sent = yield* Queue.unbounded<string>()
 *   const relay = Relay.make("default", {
 *     messages: [Mail, Hook],
 *     on: {
 *       Mail: ({ to }) => Queue.offer(sent, `mail to ${to}`),
 *       Hook: ({ url }) => Queue.offer(sent, `hook at ${url}`)
 *     }
 *   })
 *   yield* Layer.build(Relay.layer(relay))
 *   yield* Outbox.enqueue(new Mail({ to: "ada" }))
 *   return yield* Queue.take(sent)
 * })
 *
 * const Live = Layer.mergeAll(Memory.layer, TenantContext.layerSingle, SystemContext.layer("relays serve all tenants"))
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Live))) // => "mail to ada"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<
  const Classes extends ReadonlyArray<OutboxMessage.SendableClass>,
  const H extends Handlers<OutboxMessage.Of<Classes>>
>(
  queue: string,
  options: Options & { readonly messages: Classes; readonly on: H }
): Relay<Exclude<ServicesOf<H>, TenantContext>>
export function make(queue: string, { messages, on, ...options }: AnyOptions): Relay<unknown> {
  const handlers = new Map(Object.entries(on))
  const readers = new Map<string, { readonly read: OutboxMessage.Reader<unknown>; readonly handle: AnyHandler }>()
  for (const one of messages) {
    const handle = handlers.get(one.tag)
    if (handle === undefined) throw new Error(`The relay of "${queue}" has no handler for "${one.tag}"`)
    for (const type of OutboxMessage.types(one)) {
      if (readers.has(type)) throw new Error(`The relay of "${queue}" has two classes that read "${type}"`)
      readers.set(type, { read: OutboxMessage.reader(one), handle })
    }
  }
  const asMessage = Reader.asEvents()
  return {
    queue,
    types: Array.from(readers.keys()),
    settings: settings(options),
    call: (claimed) => {
      const known = readers.get(claimed.type)
      if (known === undefined) {
        return Result.fail({ category: "UnknownType", error: `The relay of "${queue}" knows no "${claimed.type}"` })
      }
      const read = known.read(claimed.data, claimed.version, claimed.type)
      if (Result.isFailure(read)) {
        return Result.fail({ category: "Undecodable", error: FieldIssue.format(FieldIssue.fromIssue(read.failure)) })
      }
      return Result.succeed(
        asMessage(
          claimed,
          Effect.suspend(() => known.handle(read.success, delivery(claimed, read.success)))
        )
      )
    }
  }
}

type AnyHandler = (message: unknown, delivery: Delivery<unknown>) => Effect.Effect<unknown, unknown, unknown>

interface AnyOptions extends Options {
  readonly messages: ReadonlyArray<OutboxMessage.SendableClass>
  readonly on: Readonly<Record<string, AnyHandler>>
}

/**
 * Declares a relay that passes every message of a queue on as it is kept: to a broker, to a file.
 *
 * @category constructors
 * @since 0.1.0
 */
export const forward = <E, R>(
  queue: string,
  deliver: (delivery: Delivery<Parcel>) => Effect.Effect<unknown, E, R>,
  options?: Options
): Relay<Exclude<R, TenantContext>> => {
  const asMessage = Reader.asEvents()
  return {
    queue,
    types: [],
    settings: settings(options ?? {}),
    call: (claimed) => {
      const { data, type, version } = claimed
      return Result.succeed(
        asMessage(
          claimed,
          Effect.suspend(() => deliver(delivery(claimed, { type, version, data })))
        )
      )
    }
  }
}

/**
 * Runs one worker of a relay, for ever.
 *
 * **Details**
 *
 * Run as many as there are processes. When it is interrupted it claims nothing more, gives what is in flight a while to end,
 * and gives the rest back to the others. A storage that does not answer is waited for; every try is logged.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(self: Relay<R>): Effect.Effect<never, never, R | Outbox | SystemContext> =>
  Worker.run(self.queue, self.call, self.settings)

/**
 * Runs a worker of a relay in the background of a program, until the program ends.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(self: Relay<R>): Layer.Layer<never, never, R | Outbox | SystemContext> =>
  Reader.layerOf({ kind: "relay", name: self.queue, events: self.types }, run(self))

const delivery = <M>(claimed: Claimed, message: M): Delivery<M> => ({
  message,
  id: claimed.id,
  idempotencyKey: `${claimed.tenant}/${claimed.id}`,
  tenant: claimed.tenant,
  queue: claimed.queue,
  key: claimed.key,
  headers: claimed.headers,
  metadata: claimed.metadata,
  attempt: claimed.attempts + 1
})

const settings = (options: Options): Settings => {
  const concurrency = atLeastOne(options.concurrency, 16)
  return {
    concurrency,
    prefetch: atLeastOne(options.prefetch, 100),
    lease: Duration.fromInputUnsafe(options.lease ?? "30 seconds"),
    timeout: options.timeout === undefined ? undefined : Duration.fromInputUnsafe(options.timeout),
    retries: Math.max(0, options.retries ?? 2),
    attempts: atLeastOne(options.attempts, 10),
    backoff: options.backoff ?? ((attempts) => Math.min(1000 * 4 ** (attempts - 1), 3_600_000)),
    pollInterval: Duration.fromInputUnsafe(options.pollInterval ?? "250 millis"),
    drain: Duration.fromInputUnsafe(options.drain ?? "5 seconds"),
    keepDelivered: options.keepDelivered ?? false,
    keepFor: Duration.fromInputUnsafe(options.keepFor ?? "30 days")
  }
}

const atLeastOne = (value: number | undefined, otherwise: number): number => Math.max(1, Math.floor(value ?? otherwise))
