/**
 * The one session of an embedded database, behind connections that a driver takes for sockets.
 *
 * The backend has a single session for its whole life, while a driver may replace its connection: when a new one begins,
 * the session is made like new. Between cycles, and outside transactions, the session also takes up and drops channels, and
 * writes the checkpoints that a server writes in the background; without them the log of writes would grow until the
 * database is closed.
 */
import type { Notification } from "@effect/sql-pg/PgConnection"
import type { PGlite } from "@electric-sql/pglite"
import { Buffer } from "node:buffer"
import { Duplex } from "node:stream"
import * as wire from "./wire.ts"

/** A started PGlite. */
export interface Backend {
  readonly pglite: Pick<PGlite, "execProtocolRawStream" | "isInTransaction" | "runExclusive">
  /** Why it is of no more use: after a fatal error, to call it again is to wait for ever. */
  death: Error | undefined
}

export interface Session {
  /** Opens a connection, and ends the one before. */
  readonly connect: () => Duplex
  /** Hears a channel, from the next transaction on, until the returned function is called. */
  readonly subscribe: (channel: string, notify: (notification: Notification) => void) => () => void
}

/** How many cycles pass between two looks at the log of writes; one look takes as long as a small query. */
const cyclesPerLook = 64

/** How much the log of writes may grow before a checkpoint. */
const bytesPerCheckpoint = 32 * 1024 * 1024

export const make = (backend: Backend): Session => {
  const { pglite } = backend
  const subscribers = new Map<string, Set<(notification: Notification) => void>>()
  /** The channels that the backend listens to, and whether these are the subscribers' channels. */
  const listening = new Set<string>()
  let upToDate = true
  let used = false
  /** Whether a cycle has ended and no other begun. */
  let atRest = true
  let owner: Duplex | undefined
  let cycles = 0
  let checkpointAt: number | undefined

  const execute = async (bytes: Buffer, endsCycle: boolean): Promise<ReadonlyArray<Buffer>> => {
    if (backend.death !== undefined) throw backend.death
    const reader = wire.makeBackendReader()
    const chunks: Array<Buffer> = []
    const onRawData = (view: Uint8Array) => {
      // The view is onto the backend's memory, and the backend is in the middle of its work: nobody may act on it yet.
      const chunk = Buffer.from(view)
      reader.read(chunk)
      chunks.push(chunk)
    }
    await pglite.execProtocolRawStream(bytes, { onRawData }).catch((cause: unknown) => {
      backend.death ??= new Error("PGlite failed", { cause })
    })
    if (endsCycle && !reader.isReady()) backend.death ??= new Error("PGlite stopped in the middle of an answer")
    if (backend.death !== undefined) throw backend.death
    for (const notification of reader.notifications) {
      for (const notify of subscribers.get(notification.channel) ?? []) notify(notification)
    }
    return chunks
  }

  const run = async (sql: string): Promise<Buffer> => Buffer.concat(await execute(wire.encodeQuery(sql), true))

  const reset = async (): Promise<void> => {
    await execute(wire.syncMessage, true)
    if (pglite.isInTransaction()) await run("ROLLBACK")
    await run("DISCARD ALL")
    listening.clear()
    upToDate = subscribers.size === 0
  }

  const followSubscribers = async (): Promise<void> => {
    upToDate = true
    for (const channel of subscribers.keys()) {
      if (!listening.has(channel)) await run(`LISTEN ${quote(channel)}`)
      listening.add(channel)
    }
    for (const channel of listening) {
      if (subscribers.has(channel)) continue
      await run(`UNLISTEN ${quote(channel)}`)
      listening.delete(channel)
    }
  }

  const checkpointIfDue = async (): Promise<void> => {
    cycles = 0
    const written = Number(wire.firstValue(await run("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")))
    if (Number.isNaN(written)) return
    checkpointAt ??= written
    if (written - checkpointAt < bytesPerCheckpoint) return
    await run("CHECKPOINT")
    checkpointAt = written
  }

  const handle = async (connection: Duplex, packet: wire.Packet): Promise<void> => {
    switch (packet._tag) {
      case "Encrypt":
        connection.push(wire.encryptionRefused)
        return
      case "End":
        connection.destroy()
        return
      case "Startup":
        if (used) await reset()
        used = true
        atRest = true
        owner = connection
        for (const chunk of await execute(packet.bytes, true)) connection.push(chunk)
        return
      case "Messages":
        if (owner !== connection) throw new Error("Another connection has taken over the session")
        if (!upToDate && atRest && !pglite.isInTransaction()) await followSubscribers()
        atRest = packet.atRest
        for (const chunk of await execute(packet.bytes, atRest)) connection.push(chunk)
        if (atRest && ++cycles >= cyclesPerLook && !pglite.isInTransaction()) await checkpointIfDue()
        return
    }
  }

  return {
    connect: () => {
      const read = wire.makeFrontendReader()
      const connection: Duplex = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _encoding, done) => {
          const work = async () => {
            for (const packet of read(chunk)) {
              if (!connection.destroyed) await handle(connection, packet)
            }
          }
          pglite.runExclusive(work).then(
            () => done(),
            (cause: unknown) => done(cause instanceof Error ? cause : new Error(String(cause)))
          )
        },
        final: (done) => {
          connection.push(null)
          done()
        }
      })
      return connection
    },
    subscribe: (channel, notify) => {
      const hearing = subscribers.get(channel) ?? new Set()
      subscribers.set(channel, hearing.add(notify))
      upToDate = false
      return () => {
        hearing.delete(notify)
        if (hearing.size > 0) return
        subscribers.delete(channel)
        upToDate = false
      }
    }
  }
}

const quote = (channel: string): string => `"${channel.replaceAll('"', '""')}"`
