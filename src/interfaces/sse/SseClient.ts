/**
 * Reading a server's events as a stream, across lost connections and restarts.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Encoding from "effect/encoding/Sse"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as LiveEvent from "../../application/LiveEvent.ts"
import type * as Event from "../../domain/Event.ts"
import type * as FieldIssue from "../../domain/FieldIssue.ts"
import * as Position from "../../domain/Position.ts"
import { LogReset, Refused, SseError, TooLarge, Undecodable } from "./SseError.ts"

/**
 * What to read, and how to go on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Classes extends ReadonlyArray<Event.AnyClass>> {
  readonly url: string
  readonly events: Classes
  /** Only events after this cursor, which a server gave; when absent, the server says where a client begins. */
  readonly after?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The pause before connecting again, until the server says another one; 1 second when absent. */
  readonly retry?: Duration.Input | undefined
  /** The longest pause, which repeated failures come to; 30 seconds when absent. */
  readonly longestRetry?: Duration.Input | undefined
  /** For how long a connection may say nothing before it counts as lost: 45 seconds when absent. */
  readonly silence?: Duration.Input | undefined
  /** The most characters that an event may take; 10 million when absent. */
  readonly largest?: number | undefined
}

/**
 * The events of a server of `Sse.respond`, each once and in order, for ever.
 *
 * **Details**
 *
 * A lost or silent connection is made again, from the last event or cursor that came whole, after a pause with jitter that
 * doubles while it fails. It fails with `LogReset` when the log does not reach to where the client was, with `Refused`
 * where trying again is of no use (a status from 400 to 499 other than 408 and 429), with `Undecodable`, and with `TooLarge`.
 * It ends when the server answers 204.
 *
 * @category reading
 * @since 0.1.0
 */
export const events = <const Classes extends ReadonlyArray<Event.AnyClass>>(
  options: Options<Classes>
): Stream.Stream<LiveEvent.Received<Event.Of<Classes>>, SseError, HttpClient.HttpClient> =>
  Stream.suspend(() => {
    const known: Progress = {
      cursor: options.after,
      retry: Duration.toMillis(options.retry ?? "1 second"),
      failures: 0
    }
    const decode = decoder(options.events)
    return Stream.flatMap(
      Stream.paginate(true, (isFirst) => Effect.map(next(known, options, isFirst), connectedOrNot)),
      (response) => connection(response, known, options, decode)
    )
  })

/** What a client knows beyond its connection. */
interface Progress {
  cursor: string | undefined
  retry: number
  failures: number
}

type Bytes = Stream.Stream<Uint8Array, unknown>
type Answer = Bytes | "again" | "ended"

const connectedOrNot = (answer: Answer): readonly [ReadonlyArray<Bytes>, Option.Option<boolean>] => {
  if (answer === "ended") return [[], Option.none()]
  return [answer === "again" ? [] : [answer], Option.some(false)]
}

const next = (
  known: Progress,
  options: Options<ReadonlyArray<Event.AnyClass>>,
  isFirst: boolean
): Effect.Effect<Answer, SseError, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    if (!isFirst) {
      const longest = Math.max(known.retry, Duration.toMillis(options.longestRetry ?? "30 seconds"))
      const pause = Math.min(longest, known.retry * 2 ** Math.min(known.failures, 20))
      yield* Effect.sleep(pause * (yield* Random.nextBetween(0.8, 1.2)))
    }
    // Counted as failed until something comes.
    known.failures++
    const request = HttpClientRequest.get(options.url, {
      accept: "text/event-stream",
      headers: { ...options.headers, ...(known.cursor === undefined ? {} : { "last-event-id": known.cursor }) }
    })
    const answered = yield* Effect.result(HttpClient.execute(request))
    if (Result.isFailure(answered)) return "again"
    const { status, stream } = answered.success
    if (status === 204) return "ended"
    if (status === 200) return stream
    if (status === 408 || status === 429 || status >= 500) return "again"
    return yield* new SseError({ reason: new Refused({ status }) })
  })

/** The events of one connection; when it is lost, in whatever way, that is its end. */
const connection = <E>(
  bytes: Bytes,
  known: Progress,
  options: Options<ReadonlyArray<Event.AnyClass>>,
  decode: (message: Encoding.Event) => Result.Result<LiveEvent.Received<E>, SseError>
): Stream.Stream<LiveEvent.Received<E>, SseError> =>
  Stream.suspend(() => {
    const text = new TextDecoder()
    const { largest = 10_000_000 } = options
    let whole: Array<Encoding.AnyEvent> = []
    const parser = Encoding.makeParser((message) => void whole.push(message), { maxEventSize: largest })
    // What came whole before an event that is too large is taken first.
    const parse = (chunk: Uint8Array): ReadonlyArray<Encoding.AnyEvent | "too large"> => {
      const failed = parser.feed(text.decode(chunk, { stream: true }))
      const parsed = whole
      whole = []
      return failed === undefined ? parsed : [...parsed, "too large"]
    }
    const take = (
      message: Encoding.AnyEvent | "too large"
    ): Effect.Effect<ReadonlyArray<LiveEvent.Received<E>>, SseError> => {
      known.failures = 0
      if (message === "too large") {
        const after = known.cursor === undefined ? {} : { after: known.cursor }
        return Effect.fail(new SseError({ reason: new TooLarge({ ...after, limit: largest }) }))
      }
      if (message._tag === "Retry") {
        known.retry = Duration.toMillis(message.duration)
        return Effect.succeed([])
      }
      const { data, event, id } = message
      if (event === "reset") {
        const position = Position.make(Number(data))
        return Effect.fail(new SseError({ reason: new LogReset({ cursor: id ?? "", position }) }))
      }
      const received = event === "message" ? Result.map(decode(message), (one) => [one]) : Result.succeed([])
      if (Result.isSuccess(received)) known.cursor = id
      return Effect.fromResult(received)
    }
    return bytes.pipe(
      Stream.timeout(options.silence ?? "45 seconds"),
      Stream.catchCause(() => Stream.empty),
      Stream.flatMap((chunk) => Stream.fromIterable(parse(chunk))),
      Stream.mapEffect(take),
      Stream.flatMap((some) => Stream.fromIterable(some))
    )
  })

const decoder = <const Classes extends ReadonlyArray<Event.AnyClass>>(classes: Classes) => {
  const decode = LiveEvent.decoder(classes)
  return ({ data, id = "" }: Encoding.Event): Result.Result<LiveEvent.Received<Event.Of<Classes>>, SseError> =>
    Result.mapError(
      Result.flatMap(parseJson(data), decode),
      (issues) => new SseError({ reason: new Undecodable({ id, issues }) })
    )
}

const parseJson = (text: string): Result.Result<unknown, ReadonlyArray<FieldIssue.FieldIssue>> =>
  Result.try({ try: (): unknown => JSON.parse(text), catch: (cause) => [{ path: "", message: String(cause) }] })
