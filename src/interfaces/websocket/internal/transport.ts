/** What is known of the connection under a socket: how much waits to be sent, and whether anything comes. */
import type * as HttpServerRequest from "effect/http/HttpServerRequest"

export interface Transport {
  /** How many bytes the process holds for the client. */
  readonly buffered: () => number
  /** How many bytes have left, ever. */
  readonly flushed: () => number
  /** How many bytes have come, ever. */
  readonly received: () => number
  /** Calls once what was held has left, or is lost with the connection; what this returns ends it. */
  readonly onDrain: (listener: () => void) => () => void
  /** Asks whether the client is there: every WebSocket answers by itself. */
  readonly ping: () => void
  readonly destroy: () => void
}

/** What a connection of Node's is of interest for. */
interface Duplex {
  readonly writableLength: number
  readonly bytesRead: number
  readonly bytesWritten: number
  on(event: "drain" | "close", listener: () => void): void
  off(event: "drain" | "close", listener: () => void): void
  write(bytes: Uint8Array): void
  destroy(): void
}

const isDuplex = (value: unknown): value is Duplex =>
  typeof value === "object" &&
  value !== null &&
  "writableLength" in value &&
  "bytesRead" in value &&
  "bytesWritten" in value &&
  "on" in value &&
  "off" in value &&
  "write" in value &&
  "destroy" in value

// A ping without contents (RFC 6455, 5.5.2). Frames are written whole, so it stands between two of them.
const pingFrame = Uint8Array.of(0x89, 0)

/** Of servers that do not say, nothing is known: what is written counts as sent. */
const unknown: Transport = {
  buffered: () => 0,
  flushed: () => 0,
  received: () => 0,
  onDrain: (listener) => {
    listener()
    return () => {}
  },
  ping: () => {},
  destroy: () => {}
}

export const of = ({ source }: HttpServerRequest.HttpServerRequest): Transport => {
  const socket: unknown = "socket" in source ? source.socket : undefined
  if (!isDuplex(socket)) return unknown
  return {
    buffered: () => socket.writableLength,
    flushed: () => socket.bytesWritten - socket.writableLength,
    received: () => socket.bytesRead,
    onDrain: (listener) => {
      const once = () => {
        stop()
        listener()
      }
      const stop = () => {
        socket.off("drain", once)
        socket.off("close", once)
      }
      socket.on("drain", once)
      socket.on("close", once)
      return stop
    },
    ping: () => socket.write(pingFrame),
    destroy: () => socket.destroy()
  }
}
