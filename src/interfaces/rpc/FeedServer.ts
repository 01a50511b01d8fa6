/**
 * Sends the events of the log to clients, as they happen.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Headers from "effect/http/Headers"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Channel from "../../application/Channel.ts"
import * as LiveConnections from "../../application/LiveConnections.ts"
import type { LiveError } from "../../application/LiveError.ts"
import * as LiveEvent from "../../application/LiveEvent.ts"
import * as LiveTail from "../../application/LiveTail.ts"
import { LiveTokens } from "../../application/LiveTokens.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import * as DispatchError from "../../domain/DispatchError.ts"
import * as Event from "../../domain/Event.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as Authenticator from "../../ports/Authenticator.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import { TenantContext } from "../../ports/TenantContext.ts"
import type { Options as CallOptions } from "./BusServer.ts"
import * as Answering from "./internal/answering.ts"
import * as Serving from "./internal/serving.ts"
import * as Wire from "./internal/wire.ts"

/**
 * Where clients come in, and what they get.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Pick<CallOptions, "path" | "origins" | "tracing"> {
  /** Only events of these classes; of all when absent. */
  readonly events?: ReadonlyArray<Event.AnyClass<Decoding.Kind>> | undefined
  /** Who may read which channel, and which events are in it. */
  readonly rules?: Channel.Rules | undefined
  /** Asked for each event: the event itself, one that says less, or nothing. It must be pure and must not throw. */
  readonly visible?: ((principal: Authenticator.Principal, stored: Stored) => Stored | undefined) | undefined
  /** Where a client begins that does not say so: at the `"start"` of the log or `"now"`, which is what it is when absent. */
  readonly from?: "start" | "now" | undefined
  /** How often a client hears where it is when there is nothing else; 15 seconds when absent. */
  readonly heartbeat?: Duration.Input | undefined
}

type Requires =
  | LiveTail.LiveTail
  | LiveConnections.LiveConnections
  | Authenticator.Authenticator
  | HttpRouter.HttpRouter

/**
 * Sends events over HTTP, for `FeedClient.layerHttp`: each client has a request of its own, whose answer goes on.
 *
 * **Details**
 *
 * Who asks is authenticated, and gets the events of the channels that are asked for and that are its to read, of its tenant
 * alone; see `Channel`. A client that comes back with its cursor goes on after it, at any instance of the server.
 *
 * A client that takes nothing is sent nothing, and holds up nobody. The limits are those of `LiveConnections`: who is over one is
 * refused with `TooManyConnections`; after its lifetime a client's stream ends, and the client proves anew who it is.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = (options: Options): Layer.Layer<never, never, Requires> =>
  Serving.overHttp(Wire.feed, options).pipe(Layer.provide(handlers(options)))

/**
 * Sends events over WebSockets, for `FeedClient.layerWebSocket`: any number of streams over one connection.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebSocket = (options: Options): Layer.Layer<never, never, Requires> =>
  Serving.overWebSockets(Wire.feed, options).pipe(Layer.provide(handlers(options)))

const decode = Schema.decodeUnknownResult(Schema.toCodecJson(Wire.Asked), { errors: "all" })

const handlers = (options: Options) =>
  Wire.feed.toLayer(
    Effect.gen(function* () {
      const { authenticate } = yield* Authenticator.Authenticator
      const tail = yield* LiveTail.LiveTail
      const connections = yield* LiveConnections.LiveConnections
      const tokens = yield* LiveTokens
      const types = options.events === undefined ? undefined : Event.types(options.events)
      const heartbeat = Duration.fromInputUnsafe(options.heartbeat ?? "15 seconds")

      const answer = (payload: unknown, headers: Headers.Headers) =>
        Effect.gen(function* () {
          const principal = yield* authenticate(yield* Answering.requestOf(headers))
          const decoded = decode(payload)
          if (Result.isFailure(decoded)) {
            const issues = FieldIssue.fromIssue(decoded.failure.issue)
            return yield* DispatchError.make("events", new DispatchError.Invalid({ issues }))
          }
          const { after: cursor, channels = ["tenant"] } = decoded.success
          const parts = yield* Channel.authorize(principal, channels, options.rules)
          const after = cursor === undefined ? undefined : yield* tokens.position(principal.tenant, cursor)
          const isForeign = cursor !== undefined && after === undefined
          const who = `${principal.actor.kind} ${principal.actor.id}`
          yield* connections.admit({ transport: "rpc", principal: who }).pipe(Authenticator.provide(principal))

          const filter = {
            types,
            ...Channel.filter(parts, options.rules),
            visible:
              options.visible === undefined ? undefined : (stored: Stored) => options.visible?.(principal, stored)
          }
          const beginning = options.from === "start" && !isForeign ? Position.start : tail.end()
          const checked = yield* tail.check(after ?? beginning)
          const next = (cursor: Position.Position) =>
            Effect.map(
              Effect.timeoutOption(tail.read(cursor, filter), heartbeat),
              Option.getOrElse(() => ({ events: [], cursor, reset: false }))
            )
          const rest = Stream.paginate(checked.cursor, (cursor) =>
            Effect.map(next(cursor), (batch) => [[batch], Option.some(batch.cursor)] as const)
          )
          const over = Effect.raceFirst(connections.draining, Effect.sleep(connections.lifetime))
          return Stream.make({ ...checked, reset: checked.reset || isForeign }).pipe(
            Stream.concat(rest),
            Stream.interruptWhen(over),
            Stream.mapEffect((batch) =>
              Effect.map(tokens.cursor(principal.tenant, batch.cursor), (cursor) => ({
                events: batch.events.map(LiveEvent.make),
                cursor,
                reset: batch.reset
              }))
            ),
            Stream.mapError(named),
            Stream.provideService(TenantContext, { id: principal.tenant })
          )
        })

      return Wire.feed.of({
        events: (payload, { headers }) =>
          Stream.unwrap(Effect.mapError(answer(payload, headers), named)).pipe(
            Stream.catchCause((cause) => Stream.fromEffect(Answering.isolated("events", cause)))
          )
      })
    })
  )

const named = (
  error: EventStoreError | LiveError | Authenticator.AuthenticatorError | DispatchError.DispatchError
): LiveError | DispatchError.DispatchError => {
  switch (error._tag) {
    case "AuthenticatorError":
      return Answering.ofAuthenticator("events", error)
    case "EventStoreError":
      return DispatchError.make("events", new DispatchError.Storage({ operation: "read", retryable: true }), error)
    default:
      return error
  }
}
