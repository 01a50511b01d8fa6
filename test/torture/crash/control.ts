/**
 * A server that acknowledges before it has flushed, and that flushes late: what it loses in a crash has to be seen, and must
 * not have been read.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../../src/domain/Position.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import * as SystemContext from "../../../src/ports/SystemContext.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as server from "../server.ts"
import * as session from "../session.ts"
import { unless } from "../Torture.ts"

const count = 50

interface Known {
  readonly position: number
  readonly id: string
}

const events = (own: session.Session, from: number) =>
  Effect.map(
    session.rows(own, "select position::float8 as position, id from es.event where position > $1::int8", [
      String(from)
    ]),
    (rows) => rows.map((row): Known => ({ position: Number(row["position"]), id: String(row["id"]) }))
  )

const settings = {
  synchronous_commit: "off",
  // As late as it can be made: nothing of this run reaches the disk by itself.
  wal_writer_delay: "10s",
  wal_writer_flush_after: "1GB",
  wal_buffers: "32MB",
  autovacuum: "off"
}

export const run = Effect.scoped(
  Effect.gen(function* () {
    const one = yield* server.start({ durable: true, settings })
    const url = yield* database.make(one.url)

    // What the mark has come to is flushed, whatever the writers were promised.
    const before = yield* Effect.scoped(
      Effect.gen(function* () {
        const context = yield* Layer.build(support.process(url))
        const store = yield* Effect.provide(EventStore.EventStore, context)
        const own = yield* session.open(url)
        for (let n = 0; n < count; n++) yield* session.append(own, "Lax-read")
        yield* support.settled(store, yield* support.lastDrawn(own))
        const page = yield* store
          .readAllTenants({ after: Position.start, limit: 1000 })
          .pipe(SystemContext.provide("test"))
        // From here on one transaction that has written holds the mark, so that nothing else makes the server flush.
        yield* own.query("begin")
        yield* session.append(own, "Lax-held")
        const writer = yield* session.open(url)
        for (let n = 0; n < count; n++) yield* session.append(writer, "Lax-acknowledged")
        const acknowledged = yield* events(writer, page.cursor)
        yield* Effect.promise(() => one.kill())
        return { read: page.events.map(({ id, position }): Known => ({ id, position })), acknowledged }
      })
    )
    yield* Effect.promise(() => one.restart())
    const own = yield* session.open(url)
    const kept = yield* events(own, 0)
    for (let n = 0; n < count; n++) yield* session.append(own, "Lax-later")
    const after = yield* events(own, 0)

    const ids = new Set(kept.map(({ id }) => id))
    const isLost = ({ id }: Known) => !ids.has(id)
    const now = new Map(after.map(({ id, position }) => [position, id]))
    const lost = before.acknowledged.filter(isLost)
    const byPosition = before.acknowledged.filter(({ position }) => !now.has(position)).length
    const byId = before.acknowledged.filter(({ id, position }) => now.get(position) !== id).length
    const readAndLost = before.read.filter(isLost).length
    return {
      counters: {
        "without synchronous commit": {
          acknowledged: before.acknowledged.length,
          lost: lost.length,
          "found by position and id": byId,
          "found by position alone": byPosition,
          read: before.read.length,
          "read and lost": readAndLost
        }
      },
      problems: unless({
        "a server that does not flush was seen to lose what it had acknowledged": lost.length > 0,
        "positions with ids tell all that was lost": byId === lost.length,
        "positions alone were seen not to tell": byPosition < lost.length,
        "what was read was flushed": before.read.length === count && readAndLost === 0
      })
    }
  })
)
