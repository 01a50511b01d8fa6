/**
 * As much of PostgreSQL's wire protocol as it takes to stand between a driver and a backend: where messages begin and end.
 */
import type { Notification } from "@effect/sql-pg/PgConnection"
import { Buffer } from "node:buffer"

/** What a driver sends, in the portions a backend takes. */
export type Packet =
  /** The beginning of a session. */
  | { readonly _tag: "Startup"; readonly bytes: Buffer }
  /** Whole messages. When they end a cycle the backend says that it is ready, and is at rest. */
  | { readonly _tag: "Messages"; readonly bytes: Buffer; readonly atRest: boolean }
  /** A request for encryption. */
  | { readonly _tag: "Encrypt" }
  /** The end of a session, or a request to cancel what another one does. */
  | { readonly _tag: "End" }

/**
 * Cuts what a driver writes into packets.
 *
 * A message that comes in many pieces is put together once, when it is whole. What ends a cycle is a packet of its own: a
 * backend that dies while it commits would never come back from a packet with more to read. And as the driver does not
 * copy, a statement that might is followed by a refusal, or the backend would wait for rows that never come, and die of it;
 * a backend that does not copy ignores it.
 */
export const makeFrontendReader = (): ((chunk: Buffer) => ReadonlyArray<Packet>) => {
  let started = false
  let pieces: Array<Buffer> = []
  let size = 0
  /** How many bytes must be there before it makes sense to look. */
  let wanted = 0

  return (chunk) => {
    pieces.push(chunk)
    size += chunk.length
    if (size < wanted) return []

    const bytes = pieces.length === 1 ? chunk : Buffer.concat(pieces, size)
    const packets: Array<Packet> = []
    let from = 0
    let at = 0
    let copies = false
    const flush = (atRest: boolean) => {
      const run = bytes.subarray(from, at)
      if (at > from) packets.push({ _tag: "Messages", bytes: copies ? Buffer.concat([run, copyRefused]) : run, atRest })
      from = at
      copies = false
    }
    while (true) {
      const head = started ? 5 : 8
      wanted = head
      if (bytes.length - at < head) break
      const length = started ? 1 + bytes.readInt32BE(at + 1) : bytes.readInt32BE(at)
      if (length < head) throw new Error(`A message of ${length} bytes is not PostgreSQL's protocol`)
      wanted = length
      if (bytes.length - at < length) break
      if (!started) {
        const packet = opening(bytes.subarray(at, at + length))
        started = packet._tag === "Startup"
        packets.push(packet)
        at += length
        from = at
      } else if (bytes[at] === terminate) {
        flush(false)
        packets.push({ _tag: "End" })
        at += length
        from = at
      } else {
        const tag = bytes[at]
        if (tag === sync) flush(false)
        if ((tag === parse || tag === query) && /copy/i.test(bytes.toString("latin1", at, at + length))) copies = true
        at += length
        if (tag === sync || tag === query) flush(true)
      }
    }
    flush(false)
    pieces = at < bytes.length ? [bytes.subarray(at)] : []
    size = bytes.length - at
    return packets
  }
}

const opening = (bytes: Buffer): Packet => {
  switch (bytes.readInt32BE(4)) {
    case cancelRequest:
      return { _tag: "End" }
    case sslRequest:
    case gssRequest:
      return { _tag: "Encrypt" }
    default:
      return { _tag: "Startup", bytes }
  }
}

/** What a backend said in answer to one packet. */
export interface BackendReader {
  readonly read: (chunk: Buffer) => void
  /** Whether it said that it is ready for the next cycle. */
  readonly isReady: () => boolean
  readonly notifications: ReadonlyArray<Notification>
}

/** Follows what a backend says, in chunks that may end anywhere. */
export const makeBackendReader = (): BackendReader => {
  const notifications: Array<Notification> = []
  let ready = false
  /** What is left of a message that is of no interest. */
  let skip = 0
  /** The beginning of a message, when more of it is needed. */
  let rest: Buffer = empty

  return {
    notifications,
    isReady: () => ready,
    read: (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = Math.min(skip, bytes.length)
      skip -= at
      while (bytes.length - at >= 5) {
        const end = at + 1 + bytes.readInt32BE(at + 1)
        if (bytes[at] === notificationResponse) {
          if (end > bytes.length) break
          notifications.push(readNotification(bytes.subarray(at + 5, end)))
        } else if (bytes[at] === readyForQuery) {
          ready = true
        }
        skip = Math.max(0, end - bytes.length)
        at = Math.min(end, bytes.length)
      }
      rest = at < bytes.length ? bytes.subarray(at) : empty
    }
  }
}

const readNotification = (body: Buffer): Notification => {
  const channelEnd = body.indexOf(0, 4)
  return {
    processId: body.readInt32BE(0),
    channel: body.toString("utf8", 4, channelEnd),
    payload: body.toString("utf8", channelEnd + 1, body.length - 1)
  }
}

/** A statement without parameters, as one message. */
export const encodeQuery = (sql: string): Buffer => {
  const text = Buffer.from(sql, "utf8")
  const bytes = Buffer.alloc(text.length + 6)
  bytes[0] = query
  bytes.writeInt32BE(text.length + 5, 1)
  text.copy(bytes, 5)
  return bytes
}

/** The message that ends a cycle, also one that was never finished. */
export const syncMessage: Buffer = Buffer.from([0x53, 0, 0, 0, 4])

/** The answer to a request for encryption: there is none. */
export const encryptionRefused: Buffer = Buffer.from("N")

/** The first column of the first row in what a backend said. */
export const firstValue = (bytes: Buffer): string | undefined => {
  for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    if (bytes[at] !== dataRow) continue
    const length = bytes.readInt32BE(at + 7)
    return length < 0 ? undefined : bytes.toString("utf8", at + 11, at + 11 + length)
  }
  return undefined
}

const empty = Buffer.alloc(0)

const cancelRequest = 80877102
const sslRequest = 80877103
const gssRequest = 80877104

/** CopyFail without a reason. */
const copyRefused = Buffer.from([0x66, 0, 0, 0, 5, 0])

const parse = 0x50
const query = 0x51
const sync = 0x53
const terminate = 0x58
const notificationResponse = 0x41
const dataRow = 0x44
const readyForQuery = 0x5a
