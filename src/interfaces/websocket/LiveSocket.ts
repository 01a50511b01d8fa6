/**
 * Events, messages, commands and queries over one WebSocket per client.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Channel from "../../application/Channel.ts"
import type * as CommandBus from "../../application/CommandBus.ts"
import * as LiveAccess from "../../application/LiveAccess.ts"
import * as LiveConnections from "../../application/LiveConnections.ts"
import type { LiveError } from "../../application/LiveError.ts"
import * as LiveHub from "../../application/LiveHub.ts"
import * as LiveTail from "../../application/LiveTail.ts"
import { LiveTokens } from "../../application/LiveTokens.ts"
import type * as QueryBus from "../../application/QueryBus.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import * as Event from "../../domain/Event.ts"
import type * as Message from "../../domain/Message.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as Authenticator from "../../ports/Authenticator.ts"
import * as Calls from "./internal/calls.ts"
import { Session } from "./internal/session.ts"
import * as Transport from "./internal/transport.ts"

type AnyMessage = Message.AnyClass<Message.Any>

/**
 * What clients may do, and within which limits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Messages extends ReadonlyArray<AnyMessage> = ReadonlyArray<AnyMessage>> {
  /** The commands and queries that clients may send; none when absent. */
  readonly messages?: Messages | undefined
  /** Only events of these classes; of all when absent. */
  readonly events?: ReadonlyArray<Event.AnyClass<Decoding.Kind>> | undefined
  /** Who may read which channel or publish there, and which events are in it. */
  readonly rules?: Channel.Rules | undefined
  /** The other origins whose pages may connect. */
  readonly origins?: LiveAccess.Origins | undefined
  /**
   * Asked for each event: the event itself, one that says less, or nothing. It must be pure and must not throw. An answer that
   * is the same object for the same event is encoded once.
   */
  readonly visible?: ((principal: Authenticator.Principal, stored: Stored) => Stored | undefined) | undefined
  /** How often a client is asked whether it is there; 15 seconds when absent. One that is silent for three times that is not. */
  readonly heartbeat?: Duration.Input | undefined
  /** The longest that a client waits before it connects again when the server drains; 30 seconds when absent. */
  readonly spread?: Duration.Input | undefined
  /** How many requests of one connection are worked on at a time; 16 when absent. */
  readonly inFlight?: number | undefined
  /** How many subscriptions and channels one connection may have open; 50 when absent. */
  readonly subscriptions?: number | undefined
  /**
   * How many bytes are held for a client before it is sent no more events, and before what it asks is read; 256 KiB when absent.
   * Messages, and who comes and goes, are lost beyond four times that.
   */
  readonly buffer?: number | undefined
  /** The most characters of what a client sends; 1 million when absent. */
  readonly largest?: number | undefined
}

/**
 * What the handler of such messages requires.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type HandlersOf<C> = C extends { readonly kind: infer Kind; readonly tag: infer Tag extends string }
  ? Kind extends "command"
    ? CommandBus.Handler<Tag>
    : QueryBus.Handler<Tag>
  : never

type Serving =
  | HttpServerRequest.HttpServerRequest
  | LiveTail.LiveTail
  | LiveHub.LiveHub
  | LiveConnections.LiveConnections
  | Authenticator.Authenticator
  | Scope.Scope

/**
 * Answers a request that opens a WebSocket, for as long as that is open.
 *
 * **Details**
 *
 * Who connects is asked before the socket is accepted: of a `ticket` in the URL, or of the `Authenticator`. What is refused
 * is answered with a status. Then all goes both ways as text frames of JSON:
 *
 * | a client sends | and gets |
 * | --- | --- |
 * | `subscribe` with `channels`, and `after` to go on where it was | `subscribed`, then `events`, each with a cursor; `cursor`; `reset` |
 * | `ack` with a `position`, where it subscribed with a `window` | more events |
 * | `join` with a `channel` | who is there; then each `message` and `presence` |
 * | `publish` with a `channel` and `data` | how many connections took it |
 * | `members` with a `channel` | who is there |
 * | `execute` with a `message`, and `messageId` if it may come twice | `value` and `receipt` |
 * | `ask` with a `message`, and `after` to read what was written | `value` |
 * | `leave` | the end of what was opened under this `id` |
 *
 * Each request has an `id`, which its `answer` or `failed` repeats. A client that does not read is sent no more events until
 * it does; one that takes nothing for the time of `LiveConnections`, or is not there any more, is cut off.
 *
 * **Gotchas**
 *
 * Give `websocket: { maxPayload }` to `NodeHttpServer.layer` as well: its own limit of a frame is 100 MiB.
 *
 * @category responding
 * @since 0.1.0
 */
export function handle<const Messages extends ReadonlyArray<AnyMessage> = []>(
  options?: Options<Messages>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Serving | HandlersOf<Messages[number]>>
export function handle(options: Options = {}): unknown {
  const calls = Calls.make(options.messages ?? [])
  const types = options.events === undefined ? undefined : Event.types(options.events)
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const principal = yield* LiveAccess.principal(request, options.origins)
    yield* Effect.scoped(session(request, principal, calls, types, options)).pipe(Authenticator.provide(principal))
    return HttpServerResponse.empty()
  }).pipe(
    Effect.catch((error: LiveError | Authenticator.AuthenticatorError | HttpServerResponse.HttpServerResponse) =>
      Effect.succeed(HttpServerResponse.isHttpServerResponse(error) ? error : respondError(error))
    )
  )
}

const session = (
  request: HttpServerRequest.HttpServerRequest,
  principal: Authenticator.Principal,
  calls: ReadonlyMap<string, Calls.Call>,
  types: ReadonlyArray<string> | undefined,
  options: Options
) =>
  Effect.gen(function* () {
    const { buffer = 262_144, inFlight = 16, largest = 1_000_000, subscriptions = 50, visible } = options
    const connections = yield* LiveConnections.LiveConnections
    const { actor } = principal
    const admitted = yield* connections.admit({ transport: "websocket", principal: `${actor.kind} ${actor.id}` })
    const socket = yield* request.upgrade.pipe(Effect.mapError(() => upgradeRequired))
    const reader = yield* socket.reader.pipe(Effect.mapError(() => upgradeRequired))
    const services = {
      clock: yield* Clock.Clock,
      tail: yield* LiveTail.LiveTail,
      hub: yield* LiveHub.LiveHub,
      tokens: yield* LiveTokens,
      transport: Transport.of(request),
      writer: yield* socket.writer,
      connections,
      admitted,
      reader
    }
    const settings = {
      heartbeat: Duration.toMillis(options.heartbeat ?? "15 seconds"),
      spread: Duration.toMillis(options.spread ?? "30 seconds"),
      rules: options.rules ?? {},
      visible: visible === undefined ? undefined : (stored: Stored) => visible(principal, stored),
      principal,
      types,
      calls,
      buffer,
      inFlight,
      largest,
      subscriptions
    }
    yield* new Session(services, settings, yield* Effect.scope).run
  })

const upgradeRequired = HttpServerResponse.empty({ status: 426, headers: { upgrade: "websocket" } })

/**
 * The answer to a request whose socket is refused: a problem in JSON, with `Retry-After` where another time or server helps.
 *
 * @category responding
 * @since 0.1.0
 */
export const respondError = ({
  message,
  reason
}: LiveError | Authenticator.AuthenticatorError): HttpServerResponse.HttpServerResponse => {
  const status = statuses[reason._tag]
  const headers = status === 429 || status === 503 ? { "retry-after": "5" } : {}
  const body = { type: `urn:effect-cqrs:${reason._tag}`, title: message, status }
  return HttpServerResponse.jsonUnsafe(body, { status, contentType: "application/problem+json", headers })
}

type Reason = (LiveError | Authenticator.AuthenticatorError)["reason"]["_tag"]

const statuses: Readonly<Record<Reason, number>> = {
  InvalidCursor: 400,
  InvalidChannel: 400,
  InvalidRequest: 400,
  InvalidTicket: 401,
  Unauthenticated: 401,
  ChannelDenied: 403,
  Denied: 403,
  ForeignOrigin: 403,
  TooManyConnections: 429,
  TooManyRequests: 429,
  Draining: 503,
  SigningFailed: 503,
  Unavailable: 503
}
