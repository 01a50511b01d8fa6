/** The driver of imports over the memory journal. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Position from "../../domain/Position.ts"
import * as TenantId from "../../domain/TenantId.ts"
import { type Driver, ImportConflict, ImportError, ImportOvertaken } from "../EventImportDriver.ts"
import { type Journal, JournalMap } from "./Journal.ts"
import type { MemoryLog } from "./memoryLog.ts"

const keyOf = (scope: string, name: string) => `${scope}\0${name}`

export const makeMemory = (journal: Journal, log: MemoryLog): Driver => {
  const imports = new JournalMap<string, number>()
  return {
    imported: (scope, name) => journal.read((transaction) => imports.get(transaction, keyOf(scope, name)) ?? 0),
    write: (scope, name, from, batch) =>
      journal.write((transaction) => {
        const actual = imports.get(transaction, keyOf(scope, name)) ?? 0
        if (actual !== from) {
          return Exit.fail(new ImportError({ reason: new ImportOvertaken({ name, expected: from, actual }) }))
        }
        for (const [index, { event, tenant }] of batch.entries()) {
          const { stream, version } = event
          const owner = TenantId.make(tenant)
          const state = log.state(transaction, owner, stream)
          const closed = state.tombstoned || log.streams.rule(transaction, owner, stream).archived
          if (closed || state.version >= version) {
            const row = from + index + 1
            const reason = new ImportConflict({ row, stream, version, actual: state.version, closed })
            return Exit.fail(new ImportError({ reason }))
          }
        }
        let position = log.end(transaction)
        for (const { data, event, metadata, tenant } of batch) {
          const { id, recordedAt, schemaVersion, stream, tags, type, version } = event
          const owner = TenantId.make(tenant)
          position++
          log.write(transaction, owner, stream, { version, tombstoned: false }, [
            {
              position: Position.make(position),
              tenant: owner,
              stream,
              version,
              id: id.toLowerCase(),
              type,
              schemaVersion,
              tags,
              metadata: JSON.parse(metadata),
              recordedAt,
              data
            }
          ])
        }
        imports.set(transaction, keyOf(scope, name), from + batch.length)
        if (transaction !== undefined) transaction.hooks.push(Effect.sync(() => log.wake()))
        else log.wake()
        return Exit.void
      })
  }
}
