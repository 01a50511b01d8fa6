/**
 * A typed client of a socket, which connects again by itself and goes on where it was.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Socket from "effect/socket/Socket"
import type { Channel } from "../../application/Channel.ts"
import type * as CommandBus from "../../application/CommandBus.ts"
import * as LiveEvent from "../../application/LiveEvent.ts"
import type * as LiveHub from "../../application/LiveHub.ts"
import { Actor } from "../../domain/Actor.ts"
import type * as Command from "../../domain/Command.ts"
import type { DispatchError } from "../../domain/DispatchError.ts"
import type * as Event from "../../domain/Event.ts"
import type * as FieldIssue from "../../domain/FieldIssue.ts"
import type * as Message from "../../domain/Message.ts"
import * as Position from "../../domain/Position.ts"
import type * as Query from "../../domain/Query.ts"
import * as Receipt from "../../ports/Receipt.ts"
import { LiveSocketError, LogReset, Undecodable } from "./LiveSocketError.ts"
import * as Answers from "./internal/answers.ts"
import { Link, liveError } from "./internal/link.ts"

type AnyMessage = Message.AnyClass<Message.Any>

/**
 * A client, and the messages that it sends.
 *
 * @category models
 * @since 0.1.0
 */
export interface LiveSocketClient<out Messages extends AnyMessage = AnyMessage> {
  readonly "~link": Link
  readonly "~codecs": ReadonlyMap<string, Answers.Codec>
  /** Nothing at run time. */
  readonly "~messages"?: Messages | undefined
}

/**
 * Where to connect, and how to go on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Messages extends ReadonlyArray<AnyMessage> = ReadonlyArray<AnyMessage>> {
  /** `ws://` or `wss://`; an effect is asked for each connection, so that a ticket in it is fresh. */
  readonly url: string | Effect.Effect<string>
  /** The classes of the commands and queries that are sent; none when absent. */
  readonly messages?: Messages | undefined
  /** Headers of the request that opens a connection; browsers send none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The pause before connecting again; 1 second when absent. It doubles while connecting fails. */
  readonly retry?: Duration.Input | undefined
  /** The longest pause; 30 seconds when absent. */
  readonly longestRetry?: Duration.Input | undefined
  /** For how long a connection may say nothing before it counts as lost: 45 seconds when absent. */
  readonly silence?: Duration.Input | undefined
  /** For how long a request waits for a connection; 30 seconds when absent. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Connects, and stays connected until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Messages extends ReadonlyArray<AnyMessage> = []>(
  options: Options<Messages>
): Effect.Effect<LiveSocketClient<Messages[number]>, never, Scope.Scope | Socket.WebSocketConstructor> =>
  Effect.gen(function* () {
    const { headers, url } = options
    const link = new Link({
      url: typeof url === "string" ? Effect.succeed(url) : url,
      headers,
      retry: Duration.fromInputUnsafe(options.retry ?? "1 second"),
      longestRetry: Duration.fromInputUnsafe(options.longestRetry ?? "30 seconds"),
      silence: Duration.fromInputUnsafe(options.silence ?? "45 seconds"),
      timeout: Duration.fromInputUnsafe(options.timeout ?? "30 seconds")
    })
    yield* Effect.forkScoped(link.run)
    return { "~link": link, "~codecs": Answers.codecs(options.messages ?? []) }
  })

/**
 * The events of some channels, each once and in order, across lost connections and servers that end.
 *
 * **Details**
 *
 * It begins after the cursor `after`, or now. The server sends no more than `window` events (1,024 when absent) beyond those
 * that were taken from the stream. It fails with `LogReset`, with `Refused` where the channels are not for this client, and
 * with `Undecodable`.
 *
 * @category reading
 * @since 0.1.0
 */
export const events = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  self: LiveSocketClient,
  options: {
    readonly channels: ReadonlyArray<Channel>
    readonly events: Classes
    readonly after?: string | undefined
    readonly window?: number | undefined
  }
): Stream.Stream<LiveEvent.Received<Event.Of<Classes>>, LiveSocketError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const link = self["~link"]
      const { channels, window = 1_024 } = options
      const decode = LiveEvent.decoder(options.events)
      const types = options.events.map(({ tag }) => tag)
      const queue = yield* Queue.unbounded<LiveEvent.Received<Event.Of<Classes>>, LiveSocketError>()
      const id = link.nextId()
      let cursor = options.after
      let taken = 0
      yield* link.stand(id, {
        request: () => ({
          type: "subscribe",
          id,
          channels,
          types,
          window,
          ...(cursor === undefined ? {} : { after: cursor })
        }),
        heard: (reply) => {
          switch (reply.type) {
            case "subscribed":
            case "cursor":
              return Effect.sync(() => void (cursor = reply.cursor))
            case "reset":
              return Effect.asVoid(Queue.fail(queue, new LiveSocketError({ reason: new LogReset(reply) })))
            case "failed":
              return Effect.asVoid(Queue.fail(queue, liveError(reply.error)))
            case "events": {
              cursor = reply.cursor
              return Effect.forEach(
                reply.events,
                (input) => {
                  const decoded = decode(input)
                  return Result.isSuccess(decoded)
                    ? Queue.offer(queue, decoded.success)
                    : Queue.fail(queue, undecodable("an event", decoded.failure))
                },
                { discard: true }
              )
            }
            default:
              return Effect.void
          }
        }
      })
      // So the server holds back what this client has not come to.
      const acknowledge = (some: ReadonlyArray<LiveEvent.Received<Event.Of<Classes>>>) => {
        taken += some.length
        const last = some.at(-1)
        if (last === undefined || taken < window / 4) return Effect.void
        taken = 0
        return link.write({ type: "ack", id, position: last.position })
      }
      return Stream.fromQueue(queue).pipe(
        Stream.chunks,
        Stream.flatMap((some) => Stream.concat(Stream.fromIterable(some), Stream.fromEffectDrain(acknowledge(some))))
      )
    })
  )

const undecodable = (of: string, issues: ReadonlyArray<FieldIssue.FieldIssue>): LiveSocketError =>
  new LiveSocketError({ reason: new Undecodable({ of, issues }) })

/**
 * What happens in a channel beside the log: who is there when it is joined, which is each time a connection is made; what is
 * sent; who comes and goes.
 *
 * @category models
 * @since 0.1.0
 */
export type Happening =
  | { readonly _tag: "Members"; readonly members: ReadonlyArray<Actor> }
  | ({ readonly _tag: "Message" } & Omit<LiveHub.Message, "channel">)
  | ({ readonly _tag: "Presence" } & Omit<LiveHub.Presence, "channel">)

const decodeMembers = Schema.decodeUnknownResult(Schema.Array(Actor))

/**
 * Joins a channel, for as long as the stream is read. What is sent while there is no connection is missed.
 *
 * @category reading
 * @since 0.1.0
 */
export const join = (self: LiveSocketClient, channel: Channel): Stream.Stream<Happening, LiveSocketError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const link = self["~link"]
      const queue = yield* Queue.unbounded<Happening, LiveSocketError>()
      const id = link.nextId()
      yield* link.stand(id, {
        request: () => ({ type: "join", id, channel }),
        heard: (reply) => {
          switch (reply.type) {
            case "answer": {
              const members = Result.getOrElse(decodeMembers(reply.value), () => [])
              return Effect.asVoid(Queue.offer(queue, { _tag: "Members", members }))
            }
            case "message":
              return Effect.asVoid(Queue.offer(queue, { _tag: "Message", from: reply.from, data: reply.data }))
            case "presence":
              return Effect.asVoid(Queue.offer(queue, { _tag: "Presence", actor: reply.actor, isHere: reply.isHere }))
            case "failed":
              return Effect.asVoid(Queue.fail(queue, liveError(reply.error)))
            default:
              return Effect.void
          }
        }
      })
      return Stream.fromQueue(queue)
    })
  )

/**
 * Sends a message to who is in a channel, and answers with how many connections took it.
 *
 * @category sending
 * @since 0.1.0
 */
export const publish = (
  self: LiveSocketClient,
  channel: Channel,
  data: unknown
): Effect.Effect<number, LiveSocketError> =>
  Effect.flatMap(
    self["~link"].ask((id) => ({ type: "publish", id, channel, data })),
    (reply) => (reply.type === "failed" ? Effect.fail(liveError(reply.error)) : Effect.succeed(Number(reply.value)))
  )

/**
 * What sending a message gives: its own success and error, with `DispatchError` as from a bus, and `LiveSocketError`.
 *
 * @category models
 * @since 0.1.0
 */
export type Sent<M extends Message.Any, A = Message.Success<M>> = Effect.Effect<
  A,
  Message.Failure<M> | DispatchError | LiveSocketError
>

/**
 * Sends a command and answers with what its handler answers, and the receipt of what was written.
 *
 * **Gotchas**
 *
 * With `ConnectionLost` it may have been handled. Sent again with the same `messageId`, a handler that uses it as the id of
 * what it appends answers as the first time.
 *
 * @category sending
 * @since 0.1.0
 */
export function dispatch<Messages extends AnyMessage, C extends Extract<Messages["Type"], Command.Any>>(
  self: LiveSocketClient<Messages>,
  command: C,
  options?: { readonly messageId?: string | undefined }
): Sent<C, CommandBus.Dispatched<Message.Success<C>>>
export function dispatch(self: LiveSocketClient, command: Message.Any, options?: Execution): unknown {
  return dispatched(self, command, options)
}

interface Execution {
  readonly messageId?: string | undefined
}

const dispatched = (self: LiveSocketClient, command: Message.Any, { messageId }: Execution = {}) => {
  const named = messageId === undefined ? {} : { messageId }
  const sent = Answers.send(self["~codecs"], command, (message) =>
    self["~link"].ask((id) => ({ type: "execute", id, message, ...named }))
  )
  return Effect.map(sent, ({ receipt = nothing, value }) => ({ value, receipt }))
}

const nothing = Receipt.Receipt.make({ streams: [], position: Position.start })

/**
 * Sends a command and answers with what its handler answers; see {@link dispatch}.
 *
 * @category sending
 * @since 0.1.0
 */
export function execute<Messages extends AnyMessage, C extends Extract<Messages["Type"], Command.Any>>(
  self: LiveSocketClient<Messages>,
  command: C,
  options?: { readonly messageId?: string | undefined }
): Sent<C>
export function execute(self: LiveSocketClient, command: Message.Any, options?: Execution): unknown {
  return Effect.map(dispatched(self, command, options), ({ value }) => value)
}

/**
 * Asks a query, of what this receipt is of or later if one is given.
 *
 * @category sending
 * @since 0.1.0
 */
export function ask<Messages extends AnyMessage, Q extends Extract<Messages["Type"], Query.Any>>(
  self: LiveSocketClient<Messages>,
  query: Q,
  options?: { readonly after?: { readonly position: Position.Position } | undefined }
): Sent<Q>
export function ask(
  self: LiveSocketClient,
  query: Message.Any,
  options: { readonly after?: { readonly position: Position.Position } | undefined } = {}
): unknown {
  const { after } = options
  const later = after === undefined ? {} : { after: after.position }
  const sent = Answers.send(self["~codecs"], query, (message) =>
    self["~link"].ask((id) => ({ type: "ask", id, message, ...later }))
  )
  return Effect.map(sent, ({ value }) => value)
}
