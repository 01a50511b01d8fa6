/**
 * Announcing events to every process that is connected to one database, by NOTIFY.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import type * as IntegrationEvent from "../../domain/IntegrationEvent.ts"
import * as EventBus from "../../ports/EventBus.ts"
import * as EventBusDriver from "../../ports/EventBusDriver.ts"
import * as EventBusError from "../../ports/EventBusError.ts"
import * as chunks from "./internal/chunks.ts"
import * as failure from "./internal/failure.ts"
import * as session from "./internal/session.ts"
import { joined } from "./internal/transaction.ts"

/**
 * What is read, and which channel it goes by.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> extends EventBus.Options<R> {
  /** The channel of all events; `es_bus` when absent. */
  readonly channel?: string | undefined
}

/**
 * A bus that every process on one database hears.
 *
 * **Details**
 *
 * - What a unit of work publishes leaves with its commit itself: it is announced if and only if it was committed. All processes
 *   hear all events in the order of the commits.
 * - Who is connected gets an event once. Nothing is kept: who has lost the connection has missed what came meanwhile, and hears
 *   again when it is back, by itself. `isUp` tells, and the gauge `effect_cqrs_bus_up`.
 * - A payload of NOTIFY holds less than 8,000 bytes: larger events go in several, which come one after the other.
 * - A process that listens has one connection beside the client's pool. It hears of all tenants, whoever it listens for.
 * - A database with a single session has no other process to tell: there events are handed on after the commit.
 *
 * **Gotchas**
 *
 * - Transactions that notify commit one at a time, in the whole server: PostgreSQL takes a lock for it. What is announced at a high
 *   rate goes by `RedisEventBus`, or is read from the log.
 * - LISTEN needs a session of its own: behind a pooler that shares sessions nothing is heard.
 * - What must not be missed reads the log: `Subscription`, `Consumer`.
 *
 * **Example** (Announced if committed)
 *
 * ```ts
 * import { Event, EventBus, TenantContext, UnitOfWork } from "effect-cqrs"
 * import { PgEventBus, Postgres } from "effect-cqrs/postgres"
 * import * as Config from "effect/Config"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 *
 * class PriceChanged extends Event.Class<PriceChanged>()("price.changed", { cents: Schema.Int }) {}
 *
 * const program = Effect.gen(function* () {
 *   const bus = yield* EventBus.promising(EventBus.AcrossProcesses, EventBus.Transactional)
 *   const { transaction } = yield* UnitOfWork.UnitOfWork
 *   const heard = yield* Deferred.make<number>()
 *   yield* bus.subscribe(EventBus.of(PriceChanged), ({ event }) => Deferred.succeed(heard, event.cents))
 *   yield* Effect.ignore(transaction(Effect.andThen(bus.publish([new PriceChanged({ cents: 1 })]), Effect.fail("no"))))
 *   yield* transaction(bus.publish([new PriceChanged({ cents: 2 })]))
 *   return yield* Deferred.await(heard)
 * })
 *
 * const Bus = PgEventBus.layer({ events: [PriceChanged] })
 * const layer = Bus.pipe(Layer.provideMerge(Postgres.layerUrl(Config.Redacted("DATABASE_URL"))))
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([layer, TenantContext.layerSingle]))) // => 2
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R = never>(
  options: Options<R>
): Layer.Layer<
  EventBus.EventBus | EventBus.AcrossProcesses | EventBus.Transactional,
  never,
  PgClient.PgClient | Exclude<R, Scope.Scope>
> =>
  EventBus.layerDriver(options, (receiver) =>
    Effect.flatMap(PgClient.PgClient, (client) =>
      session.isSingle(client)
        ? Effect.succeed(local(client, receiver))
        : shared(client, options.channel ?? "es_bus", receiver)
    )
  )

const promises = {
  delivery: "at most once",
  order: "all",
  reach: "processes",
  durable: false,
  transactional: true
} as const satisfies EventBusDriver.Promises

type Driver = EventBusDriver.Driver<typeof promises>

const name = "postgres"

/** There is one session, and so one process: what it commits it hands to itself. */
const local = (client: PgClient.PgClient, receiver: EventBusDriver.Receiver): Driver => ({
  name,
  promises,
  publish: (envelopes) => {
    const hand = Effect.sync(() => {
      for (const text of envelopes.map((one) => JSON.stringify(one))) receiver.take(EventBusDriver.parse(text))
    })
    return joined(client, client.afterCommit(hand))
  },
  listen: () => Effect.void
})

// What is selected is in the order of the array.
const notify = "select pg_notify($1, payload) from unnest($2::text[]) as payload"

const shared = (
  client: PgClient.PgClient,
  channel: string,
  receiver: EventBusDriver.Receiver
): Effect.Effect<Driver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ear = new Ear(client, channel, receiver)
    yield* Effect.forkScoped(session.inBackground(ear.run))
    return {
      name,
      promises,
      publish: (envelopes) =>
        joined(client, client.unsafe(notify, [channel, envelopes.flatMap(payloads)]).withoutTransform).pipe(
          Effect.asVoid,
          Effect.mapError(failed)
        ),
      listen: () => ear.listening
    }
  })

const payloads = (envelope: IntegrationEvent.Envelope) => chunks.split(envelope.id, JSON.stringify(envelope))

const failed = (error: SqlError): EventBusError.EventBusError =>
  failure.isLost(error)
    ? EventBusError.notConnected(name, error)
    : EventBusError.notTaken(name, failure.fromSqlError("publish")(error).retryable, error)

const shortestRetry = 100
const longestRetry = 5000
const heartbeat = "2 seconds"

/** A connection that listens, from the first time that somebody wants to. */
class Ear {
  private readonly wanted = Latch.makeUnsafe(false)
  private readonly tried = Latch.makeUnsafe(false)
  private readonly client: PgClient.PgClient
  private readonly channel: string
  private readonly receiver: EventBusDriver.Receiver
  private pause = shortestRetry

  constructor(client: PgClient.PgClient, channel: string, receiver: EventBusDriver.Receiver) {
    this.client = client
    this.channel = channel
    this.receiver = receiver
  }

  /** Completes when all is heard, or when it was tried in vain. */
  readonly listening: Effect.Effect<void> = Effect.suspend(() => Effect.andThen(this.wanted.open, this.tried.await))

  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.andThen(
      this.wanted.await,
      Effect.forever(
        this.hear.pipe(
          Effect.scoped,
          Effect.catchCause((cause) => {
            this.receiver.down()
            return Effect.logWarning("Cannot listen for events; trying again", cause)
          }),
          Effect.andThen(this.tried.open),
          Effect.andThen(Random.next),
          Effect.flatMap((random) => {
            const millis = this.pause * (0.75 + random / 4)
            this.pause = Math.min(this.pause * 2, longestRetry)
            return Effect.sleep(millis)
          })
        )
      )
    )
  )

  private get hear(): Effect.Effect<never, SqlError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { applicationName = "effect-cqrs" } = this.client.config
      // Pinned, the connection can be asked while it listens.
      const connection = yield* (yield* session.connect(this.client, `${applicationName} bus`)).pin
      const notifications = yield* connection.listen(this.channel)
      const joining = new chunks.Joining()
      this.pause = shortestRetry
      this.receiver.up()
      yield* this.tried.open
      const taking = Effect.map(Queue.takeAll(notifications), (all) => {
        for (const { payload } of all) {
          const text = joining.take(payload)
          if (text !== undefined) this.receiver.take(EventBusDriver.parse(text))
        }
      })
      return yield* Effect.raceFirst(Effect.forever(taking), beating(connection))
    })
  }
}

// A connection can be lost without a word: a cable, a firewall that forgot it.
const beating = (connection: PgConnection.PgConnection): Effect.Effect<never, SqlError> =>
  Effect.forever(
    connection
      .query("select 1")
      .pipe(
        Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail(unanswered) }),
        Effect.delay(heartbeat)
      )
  )

const unanswered = new SqlError({
  reason: new ConnectionError({ cause: "no answer in time", message: "The server did not answer", operation: "query" })
})
