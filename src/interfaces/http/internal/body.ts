/** The body of a request. */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpError from "../HttpError.ts"

/** Reads at most so many bytes. Who is interrupted leaves the rest unread, and does not wait for it. */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.Effect<ArrayBuffer | Uint8Array, HttpError.HttpError> => {
  const { headers, source } = request
  // Whoever waits to be told to go on, or speaks another protocol next, is the platform's to answer.
  return headers["expect"] === undefined && headers["upgrade"] === undefined && isUnread(source)
    ? direct(source, maxBytes)
    : request.arrayBuffer.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(maxBytes)),
        // What reads a body cannot be interrupted, and a client may take for ever to send one: it ends with the connection.
        Effect.forkDetach({ startImmediately: true }),
        Effect.flatMap(Fiber.join),
        Effect.catch((error) => refuse(reasonOf(error, maxBytes)))
      )
}

/** A request as Node has it, of whose body nobody has read anything. */
interface Unread {
  on(event: string, listener: (chunk: Uint8Array) => void): unknown
  off(event: string, listener: (chunk: Uint8Array) => void): unknown
  resume(): unknown
}

const isUnread = (source: object): source is Unread =>
  "readableDidRead" in source &&
  source.readableDidRead === false &&
  "destroyed" in source &&
  source.destroyed === false &&
  "readableEncoding" in source &&
  source.readableEncoding === null

const direct = (source: Unread, maxBytes: number): Effect.Effect<ArrayBuffer | Uint8Array, HttpError.HttpError> =>
  Effect.callback((resume) => {
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    const stop = () => {
      source.off("data", onData)
      source.off("end", onEnd)
      source.off("close", onLost)
      // What comes still is thrown away, so that the connection goes on.
      source.resume()
    }
    const onData = (chunk: Uint8Array) => {
      bytes += chunk.byteLength
      if (bytes <= maxBytes) return void chunks.push(chunk)
      stop()
      resume(refuse(new HttpError.BodyTooLarge({ limit: maxBytes })))
    }
    const onEnd = () => {
      stop()
      const [first] = chunks
      resume(Effect.succeed(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)))
    }
    const onLost = () => {
      stop()
      resume(refuse(unfinished))
    }
    source.on("data", onData)
    source.on("end", onEnd)
    source.on("close", onLost)
    return Effect.sync(stop)
  })

const refuse = (reason: HttpError.HttpError["reason"]) => Effect.fail(HttpError.make(reason))

const unfinished = new HttpError.Malformed({ part: "body", expected: "sent to its end" })

const reasonOf = ({ reason }: HttpServerError.HttpServerError, limit: number): HttpError.HttpError["reason"] =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? new HttpError.BodyTooLarge({ limit })
    : unfinished
