/**
 * Reads the events of a server's log, across lost connections and restarts.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as HttpClient from "effect/http/HttpClient"
import * as RpcClient from "effect/rpc/RpcClient"
import type * as Socket from "effect/socket/Socket"
import type { LiveError } from "../../application/LiveError.ts"
import * as LiveEvent from "../../application/LiveEvent.ts"
import * as Servers from "../../application/Servers.ts"
import * as DispatchError from "../../domain/DispatchError.ts"
import type * as Event from "../../domain/Event.ts"
import type { Options as CallOptions } from "./BusClient.ts"
import * as Calling from "./internal/calling.ts"
import * as Connecting from "./internal/connecting.ts"
import * as Wire from "./internal/wire.ts"

/**
 * Events that came together. Whatever the client may see up to `cursor` has come; it is where to go on after a restart of the
 * client. With `reset` the log does not reach to where the client was: what was made of its events may be wrong.
 *
 * @category models
 * @since 0.1.0
 */
export interface Batch<out E> {
  readonly events: ReadonlyArray<LiveEvent.Received<E>>
  readonly cursor: string
  readonly reset: boolean
}

/**
 * Which events to read, and how to go on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Only events after this cursor, which a server gave; when absent, the server says where a client begins. */
  readonly after?: string | undefined
  /** `tenant` when absent. */
  readonly channels?: ReadonlyArray<string> | undefined
  /** The pause before connecting again, doubled while that fails; 1 second when absent. */
  readonly retry?: Duration.Input | undefined
  /** The longest pause; 30 seconds when absent. */
  readonly longestRetry?: Duration.Input | undefined
  /** For how long a server may say nothing before its stream counts as lost: 45 seconds when absent. */
  readonly silence?: Duration.Input | undefined
}

/**
 * A batch as it came, not decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received extends Omit<Batch<unknown>, "events"> {
  readonly events: ReadonlyArray<LiveEvent.LiveEvent>
}

/**
 * Opens a server's feed once. {@link events} makes a stream without an end of it.
 *
 * @category services
 * @since 0.1.0
 */
export class FeedClient extends Context.Service<
  FeedClient,
  {
    readonly open: (
      asked: Pick<Options, "after" | "channels">
    ) => Stream.Stream<Received, LiveError | DispatchError.DispatchError>
  }
>()("effect-cqrs/interfaces/rpc/FeedClient") {}

/**
 * A feed over HTTP: of a server of `FeedServer.layerHttp`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <R = never>(
  options: Pick<CallOptions<R>, "url" | "headers">
): Layer.Layer<FeedClient, never, HttpClient.HttpClient | R> =>
  Layer.provide(layer(Servers.nameOf(options.url), {}), Connecting.overHttp(options))

/**
 * A feed over a WebSocket: of a server of `FeedServer.layerWebSocket`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWebSocket = <R = never>(
  options: Pick<CallOptions<R>, "url" | "headers">
): Layer.Layer<FeedClient, never, Socket.WebSocketConstructor | R> =>
  Layer.provide(layer(Servers.nameOf(options.url), options.headers ?? {}), Connecting.overWebSocket(options.url))

const layer = (service: string, headers: Connecting.Headers) =>
  Layer.effect(
    FeedClient,
    Effect.map(RpcClient.make(Wire.feed), (client) => ({
      open: ({ after, channels }) => {
        const asked = {
          ...(after === undefined ? {} : { after }),
          ...(channels === undefined ? {} : { channels })
        }
        return Stream.unwrap(
          Effect.map(Connecting.current(headers), (pairs) => client.events(asked, { headers: pairs }))
        ).pipe(
          Stream.mapError((error) =>
            error._tag === "RpcClientError"
              ? DispatchError.make("events", Calling.ofTransport(error, service), error)
              : error
          ),
          Stream.catchCause((cause) =>
            Stream.failCause(Calling.understood({ kind: "query", tag: "events" }, service, cause))
          )
        )
      }
    }))
  )

/**
 * The events of a server, each once and in order, for ever.
 *
 * **Details**
 *
 * A stream that was lost, or that the server ended, is opened again after its last batch, after a pause with jitter that
 * doubles while it fails. It fails where that is of no use: when the server does not let the client in or at what it asks for,
 * and with `Invalid` when an event is not one of these classes or not as they say.
 *
 * **Gotchas**
 *
 * Batches may be empty: then only the cursor moved.
 *
 * @category reading
 * @since 0.1.0
 */
export const events = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  classes: Classes,
  options: Options = {}
): Stream.Stream<Batch<Event.Of<Classes>>, LiveError | DispatchError.DispatchError, FeedClient> =>
  Stream.unwrap(
    Effect.map(FeedClient, ({ open }) => {
      const decode = LiveEvent.decoder(classes)
      const known = { cursor: options.after, failures: 0 }
      const once = Stream.suspend(() => open({ after: known.cursor, channels: options.channels })).pipe(
        Stream.timeout(options.silence ?? "45 seconds"),
        Stream.mapEffect((batch) => {
          known.failures = 0
          const decoded = Result.all(batch.events.map(decode))
          if (Result.isFailure(decoded)) {
            const { failure: issues } = decoded
            return Effect.fail(DispatchError.make("events", new DispatchError.Invalid({ issues })))
          }
          known.cursor = batch.cursor
          return Effect.succeed({ ...batch, events: decoded.success })
        }),
        Stream.catch((error) => (mayPass(error) ? Stream.empty : Stream.fail(error)))
      )
      const shortest = Duration.toMillis(options.retry ?? "1 second")
      const longest = Duration.toMillis(options.longestRetry ?? "30 seconds")
      const pause = Effect.flatMap(Random.nextBetween(0.8, 1.2), (jitter) =>
        Effect.sleep(jitter * Math.min(longest, shortest * 2 ** Math.min(known.failures++, 20)))
      )
      const next = (isFirst: boolean) => Effect.as(isFirst ? Effect.void : pause, [[once], Option.some(false)] as const)
      return Stream.flatMap(Stream.paginate(true, next), (attempt) => attempt)
    })
  )

/** Whether another time or another server helps. */
const mayPass = ({ reason }: LiveError | DispatchError.DispatchError): boolean => {
  switch (reason._tag) {
    case "Unreachable":
    case "Timeout":
    case "Draining":
    case "TooManyConnections":
    case "Defect":
      return true
    case "Storage":
      return reason.retryable
    default:
      return false
  }
}
