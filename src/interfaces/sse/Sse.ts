/**
 * The log as server-sent events.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as LiveTail from "../../application/LiveTail.ts"
import type * as Decoding from "../../domain/Decoding.ts"
import * as Event from "../../domain/Event.ts"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import { TenantContext } from "../../ports/TenantContext.ts"
import { SseConnections } from "./SseConnections.ts"
import { InvalidCursor, SseError } from "./SseError.ts"
import * as Frames from "./internal/frames.ts"

/**
 * What a client gets, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Only events of these classes; of all when absent. */
  readonly events?: ReadonlyArray<Event.AnyClass<Decoding.Kind>> | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  /** Only events that carry at least one of these tags. */
  readonly tags?: ReadonlyArray<string> | undefined
  /** Asked for each event: the event itself, one that says less, or nothing. It must be pure and must not throw. */
  readonly visible?: ((stored: Stored) => Stored | undefined) | undefined
  /** Who connects, for the limit of connections per principal. */
  readonly principal?: string | undefined
  /** Where a client begins that does not say so: at the `"start"` of the log or `"now"`, which is what it is when absent. */
  readonly from?: "start" | "now" | undefined
  /** How often a client hears where it is when there is nothing else; 15 seconds when absent. */
  readonly heartbeat?: Duration.Input | undefined
  /** The shortest that a client waits before it connects again, and the third of the longest; 1 second when absent. */
  readonly retry?: Duration.Input | undefined
  /** The longest that a client waits before it connects again when the server drains; 30 seconds when absent. */
  readonly spread?: Duration.Input | undefined
}

/**
 * Answers a request with the tenant's events, for ever: those after where the client was, then each as it is settled.
 *
 * **Details**
 *
 * The id of an event is its position in the log, so a browser's `EventSource` goes on by itself after it was cut off, at
 * any instance of the server: it sends `Last-Event-ID`. A client that begins says where with `?after=`, or begins at `from`.
 *
 * - An event comes as a message of JSON: `position`, `stream`, `version`, `id`, `type`, `schemaVersion`, `tags`,
 *   `recordedAt` and `data`, as stored. Its metadata stay here, as does the name of the tenant.
 * - `cursor` events come first and when there is nothing else: their id moves the client on past what it does not see.
 * - A `reset` event says that the log does not reach to where the client was, as after a restore.
 *
 * A client that does not read is not written to, and holds up nobody. It fails with `TooManyConnections`, `Draining` or
 * `InvalidCursor`; see {@link respondError}.
 *
 * **Gotchas**
 *
 * `TenantContext` is what the client may see: take it from what was authenticated. Browsers send no headers of one's own
 * with an `EventSource`; a cookie or a short-lived ticket in the URL says who it is.
 *
 * @category responding
 * @since 0.1.0
 */
export const respond = (
  options: Options = {}
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  SseError,
  HttpServerRequest.HttpServerRequest | LiveTail.LiveTail | SseConnections | TenantContext | Scope.Scope
> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const tail = yield* LiveTail.LiveTail
    const connections = yield* SseConnections
    const tenant = yield* TenantContext
    const asked = yield* cursorOf(request)
    const after = asked ?? (options.from === "start" ? Position.start : yield* tail.position)
    yield* connections.admit(options.principal)
    const body = Stream.provideService(frames(tail, connections, after, options), TenantContext, tenant)
    return HttpServerResponse.stream(body, { contentType: "text/event-stream", headers })
  })

const headers = {
  "cache-control": "no-cache, no-transform",
  // Asks nginx and those like it not to hold back what is sent.
  "x-accel-buffering": "no"
}

const cursorOf = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Position.Position | undefined, SseError> => {
  const query = new URL(request.url, "http://localhost").searchParams
  const text = request.headers["last-event-id"] ?? query.get("after") ?? ""
  if (text === "") return Effect.succeed(undefined)
  const value = Number(text)
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value)
    ? Effect.succeed(Position.make(value))
    : Effect.fail(new SseError({ reason: new InvalidCursor({ cursor: text.slice(0, 100) }) }))
}

interface State {
  readonly cursor: Position.Position
  /** When something was last sent. */
  readonly sentAt: number
}

const frames = (
  tail: LiveTail.LiveTail["Service"],
  connections: SseConnections["Service"],
  after: Position.Position,
  options: Options
): Stream.Stream<Uint8Array, EventStoreError, TenantContext> => {
  const { categories, tags, visible } = options
  const types = options.events === undefined ? undefined : Event.types(options.events)
  const filter: LiveTail.Filter = { types, categories, tags, visible }
  const heartbeat = Duration.toMillis(options.heartbeat ?? "15 seconds")
  const spread = Duration.toMillis(options.spread ?? "30 seconds")
  const drained = Effect.as(connections.draining, "drained" as const)

  type Step = readonly [ReadonlyArray<Uint8Array>, Option.Option<State>]
  const step = ({ cursor, sentAt }: State): Effect.Effect<Step, EventStoreError, TenantContext> =>
    Effect.gen(function* () {
      const idle = sentAt + heartbeat - (yield* Clock.currentTimeMillis)
      const found = yield* Effect.raceFirst(drained, Effect.timeoutOption(tail.read(cursor, filter), Math.max(idle, 0)))
      if (found === "drained") {
        const pause = yield* Random.nextBetween(0, spread)
        return [[Frames.retry(pause), Frames.cursor(cursor)], Option.none()]
      }
      const now = yield* Clock.currentTimeMillis
      if (Option.isNone(found)) return [[Frames.cursor(cursor)], Option.some({ cursor, sentAt: now })]
      const { value } = found
      if (value.reset) return [[Frames.reset(value.cursor)], Option.some({ cursor: value.cursor, sentAt: now })]
      const sent = value.events.map(Frames.event)
      return [sent, Option.some({ cursor: value.cursor, sentAt: sent.length === 0 ? sentAt : now })]
    })

  // Who is told at once where it is can go on from there, even when it is cut off before the first event.
  const opening = Effect.gen(function* () {
    const checked = yield* tail.check(after)
    const shortest = Duration.toMillis(options.retry ?? "1 second")
    const pause = yield* Random.nextBetween(shortest, 3 * shortest)
    const frame = checked.reset ? Frames.reset(checked.cursor) : Frames.cursor(checked.cursor)
    const state: State = { cursor: checked.cursor, sentAt: yield* Clock.currentTimeMillis }
    return Stream.concat(Stream.make(Frames.retry(pause), frame), Stream.paginate(state, step))
  })
  return Stream.unwrap(opening)
}

/**
 * The answer to a request whose stream is refused: a problem in JSON, which has an `EventSource` stop, or with `Retry-After`
 * where another time or server helps.
 *
 * @category responding
 * @since 0.1.0
 */
export const respondError = ({ message, reason }: SseError): HttpServerResponse.HttpServerResponse => {
  const status = statusOf(reason)
  return HttpServerResponse.jsonUnsafe(
    { type: `urn:effect-cqrs:${reason._tag}`, title: message, status },
    {
      status,
      contentType: "application/problem+json",
      headers: status === 429 || status === 503 ? { "retry-after": "5" } : {}
    }
  )
}

const statusOf = (reason: SseError["reason"]): number => {
  switch (reason._tag) {
    case "InvalidCursor":
      return 400
    case "TooManyConnections":
      return reason.scope === "server" ? 503 : 429
    case "Draining":
      return 503
    default:
      return 500
  }
}
