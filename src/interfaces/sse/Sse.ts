/**
 * The log, or any stream of events, as server-sent events.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Channel from "../../application/Channel.ts"
import * as LiveAccess from "../../application/LiveAccess.ts"
import * as LiveConnections from "../../application/LiveConnections.ts"
import { InvalidRequest, LiveError } from "../../application/LiveError.ts"
import type { Filter } from "../../application/LiveFilter.ts"
import * as LiveTail from "../../application/LiveTail.ts"
import { LiveTokens } from "../../application/LiveTokens.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import * as Event from "../../domain/Event.ts"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as Authenticator from "../../ports/Authenticator.ts"
import { TenantContext } from "../../ports/TenantContext.ts"
import { Connection } from "./internal/connection.ts"
import * as Frames from "./internal/frames.ts"

/**
 * How a client is served.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timing {
  /** How often a client hears where it is when there is nothing else, to the second; 15 seconds when absent. */
  readonly heartbeat?: Duration.Input | undefined
  /** The shortest that a client waits before it connects again, and the third of the longest; 1 second when absent. */
  readonly retry?: Duration.Input | undefined
  /** The longest that a client waits before it connects again when the server drains; 30 seconds when absent. */
  readonly spread?: Duration.Input | undefined
  /** Where a client begins that does not say so: at the `"start"` of the log or `"now"`, which is what it is when absent. */
  readonly from?: "start" | "now" | undefined
}

/**
 * What a client gets that the program itself has let in, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Timing, Omit<Filter, "types"> {
  /** Only events of these classes; of all when absent. */
  readonly events?: ReadonlyArray<Event.AnyClass<Decoding.Kind>> | undefined
  /** Who connects, for the limit of connections per principal. */
  readonly principal?: string | undefined
  /** What the client is told besides in its first event. */
  readonly hello?: Readonly<Record<string, unknown>> | undefined
}

/**
 * What clients get that come by themselves, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChannelOptions extends Timing {
  /** Only events of these classes; of all when absent. */
  readonly events?: ReadonlyArray<Event.AnyClass<Decoding.Kind>> | undefined
  /** Who may read which channel, and which events are in it. */
  readonly rules?: Channel.Rules | undefined
  /** The other origins whose pages may connect. */
  readonly origins?: LiveAccess.Origins | undefined
  /**
   * Asked for each event: the event itself, one that says less, or nothing. It must be pure and must not throw. An answer that
   * is the same object for the same event is encoded once.
   */
  readonly visible?: ((principal: Authenticator.Principal, stored: Stored) => Stored | undefined) | undefined
}

type Serving = HttpServerRequest.HttpServerRequest | LiveTail.LiveTail | LiveConnections.LiveConnections | Scope.Scope

const defaultChannels = ["tenant"]
const mostChannels = 50

/**
 * Answers any request of a browser or a service: lets in whom the `Authenticator` knows or a ticket names, and sends the
 * events of the channels that are asked for with `?channel=`, once for each of at most 50; of `tenant` when there is none.
 *
 * **Details**
 *
 * What is refused is answered as {@link respondError} does. The rest is that of {@link respond}.
 *
 * **Gotchas**
 *
 * Events reach a channel by carrying its name as a tag, if `rules` do not say otherwise; see `Channel`. An event without
 * such a tag is sent to nobody.
 *
 * @category responding
 * @since 0.1.0
 */
export const handle = (
  options: ChannelOptions = {}
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Serving | Authenticator.Authenticator> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { origins, rules, visible, ...rest } = options
    const principal = yield* LiveAccess.principal(request, origins)
    const asked = LiveAccess.parameters(request.url).getAll("channel")
    if (asked.length > mostChannels) {
      return yield* new LiveError({ reason: new InvalidRequest({ why: `more than ${mostChannels} channels` }) })
    }
    const channels = yield* Channel.authorize(principal, asked.length === 0 ? defaultChannels : asked, rules)
    const response = yield* respond({
      ...rest,
      ...Channel.filter(channels, rules),
      visible: visible === undefined ? undefined : (stored) => visible(principal, stored),
      principal: `${principal.actor.kind} ${principal.actor.id}`,
      hello: { channels: channels.map(({ channel }) => channel) }
    }).pipe(Authenticator.provide(principal))
    return HttpServerResponse.setHeaders(response, LiveAccess.corsHeaders(request, origins))
  }).pipe(Effect.catch((error) => Effect.succeed(respondError(error))))

/**
 * Answers a request with the tenant's events, for ever: those after where the client was, then each as it is settled.
 *
 * **Details**
 *
 * The id of an event is its cursor, so a browser's `EventSource` goes on by itself after it was cut off, at
 * any instance of the server: it sends `Last-Event-ID`. A client that begins says where with `?after=`, or begins at `from`.
 *
 * - An event comes as a message of JSON: see `LiveEvent`. Its metadata stay here, as does the name of the tenant.
 * - A `connected` event comes first, with the position and how often something is heard.
 * - `cursor` events come when there is nothing else: their id moves the client on past what it does not see.
 * - A `reset` event says that the log does not reach to where the client was, as after a restore.
 *
 * A client that does not read is not written to, and holds up nobody: what is held for it is at most 64 KiB, or one event, and a batch of the log. It fails
 * with `TooManyConnections`, `Draining` or `InvalidCursor`; see {@link respondError}.
 *
 * **Gotchas**
 *
 * `TenantContext` is what the client may see: take it from what was authenticated, as {@link handle} does.
 *
 * @category responding
 * @since 0.1.0
 */
export const respond = (
  options: Options = {}
): Effect.Effect<HttpServerResponse.HttpServerResponse, LiveError, Serving | TenantContext> =>
  Effect.gen(function* () {
    const { hello = {}, principal, from = "now" } = options
    const request = yield* HttpServerRequest.HttpServerRequest
    const tail = yield* LiveTail.LiveTail
    const connections = yield* LiveConnections.LiveConnections
    const tokens = yield* LiveTokens
    const clock = yield* Clock.Clock
    const { id: tenant } = yield* TenantContext
    const asked = cursorOf(request)
    const after = asked === undefined ? undefined : yield* tokens.position(tenant, asked)
    const isForeign = asked !== undefined && after === undefined
    const admitted = yield* connections.admit({ transport: "sse", principal })
    const poll = yield* tail.poller(filterOf(options))
    const begun = after ?? (from === "start" && !isForeign ? Position.start : tail.end())
    const settings = { tenant, hello, ...millis(options) }
    const opening = Effect.gen(function* () {
      const checked = yield* tail.check(begun)
      const start = isForeign ? { ...checked, reset: true } : checked
      const connection = new Connection(start, { admitted, clock, connections, poll, tail, tokens }, settings)
      yield* Effect.acquireRelease(
        Effect.sync(() => connection.watch()),
        (stop) => Effect.sync(stop)
      )
      yield* connection.open(start)
      return Stream.fromPull(Effect.succeed(connection.pull))
    })
    return HttpServerResponse.stream(Stream.unwrap(opening), { contentType: "text/event-stream", headers })
  })

const filterOf = ({ any, categories, events, tags, visible }: Options): Filter => {
  const types = events === undefined ? undefined : Event.types(events)
  return { types, categories, tags, any, visible }
}

const millis = ({ heartbeat = "15 seconds", retry = "1 second", spread = "30 seconds" }: Timing) => ({
  heartbeat: Duration.toMillis(heartbeat),
  retry: Duration.toMillis(retry),
  spread: Duration.toMillis(spread)
})

const headers = {
  "cache-control": "no-cache, no-transform",
  // Asks nginx and those like it not to hold back what is sent.
  "x-accel-buffering": "no"
}

// An empty `Last-Event-ID` is what a client sends that has got nothing yet.
const cursorOf = ({ headers, url }: HttpServerRequest.HttpServerRequest): string | undefined => {
  const text = headers["last-event-id"] ?? LiveAccess.parameters(url).get("after") ?? ""
  return text === "" ? undefined : text
}

/**
 * Answers with a stream of a program's own: each value a message of JSON, as long as the stream goes on.
 *
 * **Details**
 *
 * With `id`, each message has one, which comes back as `Last-Event-ID`. A comment is sent where there was nothing for the
 * time of the heartbeat. A failure of the stream cuts the connection off, so that the client comes back.
 *
 * **Example** (Numbers to a browser)
 *
 * ```ts
 * import { Sse } from "effect-cqrs/sse"
 * import * as Stream from "effect/Stream"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 *
 * const response = Sse.fromStream(Stream.make({ n: 1 }, { n: 2 }), { id: ({ n }) => `${n}` })
 * await HttpServerResponse.toWeb(response).text() // => "id: 1\ndata: {\"n\":1}\n\nid: 2\ndata: {\"n\":2}\n\n"
 * ```
 *
 * @category responding
 * @since 0.1.0
 */
export const fromStream = <A, E>(
  self: Stream.Stream<A, E>,
  options: {
    /** The id of a message: one line of text. */
    readonly id?: ((value: A) => string) | undefined
    readonly heartbeat?: Duration.Input | undefined
  } = {}
): HttpServerResponse.HttpServerResponse => {
  const { heartbeat = "15 seconds", id } = options
  const values = Stream.map(self, (value) => Frames.message(value, id?.(value).replace(/[\r\n\0]/g, " ")))
  const beats = Stream.map(Stream.tick(heartbeat), () => Frames.comment).pipe(Stream.drop(1))
  const body = Stream.merge(values, beats, { haltStrategy: "left" })
  return HttpServerResponse.stream(body, { contentType: "text/event-stream", headers })
}

/**
 * The answer to a request whose stream is refused: a problem in JSON, which has an `EventSource` stop, or with `Retry-After`
 * where another time or server helps.
 *
 * @category responding
 * @since 0.1.0
 */
export const respondError = (
  error: LiveError | Authenticator.AuthenticatorError
): HttpServerResponse.HttpServerResponse => {
  const { reason } = error
  const status = statusOf(reason)
  return HttpServerResponse.jsonUnsafe(
    { type: `urn:effect-cqrs:${reason._tag}`, title: error.message, status },
    {
      status,
      contentType: "application/problem+json",
      headers: status === 429 || status === 503 ? { "retry-after": "5" } : {}
    }
  )
}

const statusOf = (reason: LiveError["reason"] | Authenticator.AuthenticatorError["reason"]): number => {
  switch (reason._tag) {
    case "InvalidCursor":
    case "InvalidChannel":
    case "InvalidRequest":
      return 400
    case "InvalidTicket":
    case "Unauthenticated":
      return 401
    case "ChannelDenied":
    case "Denied":
    case "ForeignOrigin":
      return 403
    case "TooManyRequests":
      return 429
    case "TooManyConnections":
      return reason.scope === "server" ? 503 : 429
    case "Draining":
    case "SigningFailed":
    case "Unavailable":
      return 503
  }
}
