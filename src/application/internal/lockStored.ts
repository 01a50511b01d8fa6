/** Whether the code reads what is in the log: stored events, decoded and forgotten. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as Position from "../../domain/Position.ts"
import type * as RecordedEvent from "../../domain/RecordedEvent.ts"
import * as EventStore from "../../ports/EventStore.ts"
import { type EventStoreError, EventUndecodable } from "../../ports/EventStoreError.ts"
import type { SystemContext } from "../../ports/SystemContext.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import * as Decoded from "./decoding.ts"
import * as Model from "./lockModel.ts"

export interface Undecodable {
  readonly type: string
  readonly version: number
  readonly count: number
  readonly positions: ReadonlyArray<number>
  readonly issues: ReadonlyArray<FieldIssue.FieldIssue>
}

export interface Report {
  readonly read: number
  readonly mark: number
  readonly isComplete: boolean
  readonly undecodable: ReadonlyArray<Undecodable>
}

const pageSize = 500
const positionsKept = 10

/** Reads pages spread evenly over the log, or all of it. */
export const check = <R>(
  decode: Decoded.Decode<unknown, R>,
  sources: ReadonlyArray<Model.Source>,
  sample: number
): Effect.Effect<Report, EventStoreError, EventStore.EventStore | SystemContext | Exclude<R, TenantContext>> =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const mark = yield* store.mark
    const pages = Math.ceil(sample / pageSize)
    const found = new Map<string, Undecodable>()
    let read = 0
    let cursor = Position.start
    let isComplete = true
    for (let page = 0; cursor < mark && page < pages; page++) {
      const spread = pages === Infinity ? 0 : Math.floor((mark / pages) * page)
      if (spread > cursor) isComplete = false
      const { cursor: next, events } = yield* store.readAllTenants({
        after: Position.make(Math.max(cursor, spread)),
        limit: pageSize
      })
      for (const stored of events) {
        const issues = yield* issuesOf(decode, sources, stored)
        if (issues.length > 0) add(found, stored, issues)
      }
      read += events.length
      cursor = next
    }
    return { read, mark, isComplete: isComplete && cursor >= mark, undecodable: [...found.values()] }
  })

const add = (found: Map<string, Undecodable>, stored: RecordedEvent.Stored, issues: Undecodable["issues"]) => {
  const { position, schemaVersion: version, type } = stored
  const key = `${version} ${type}`
  const before = found.get(key) ?? { type, version, count: 0, positions: [], issues }
  const positions = [...before.positions, position].slice(0, positionsKept)
  found.set(key, { ...before, count: before.count + 1, positions })
}

const issuesOf = <R>(
  decode: Decoded.Decode<unknown, R>,
  sources: ReadonlyArray<Model.Source>,
  stored: RecordedEvent.Stored
): Effect.Effect<ReadonlyArray<FieldIssue.FieldIssue>, EventStoreError, Exclude<R, TenantContext>> => {
  // What stands beside it is not known here, so a part of a join is read on its own.
  const part = sources
    .filter(Model.isJoin)
    .flatMap(({ parts }) => parts)
    .find(({ tag }) => tag === stored.type)
  if (part !== undefined) {
    const read = part.upcast(stored.data, stored.schemaVersion)
    return Effect.succeed(Result.isSuccess(read) ? [] : FieldIssue.fromIssue(read.failure))
  }
  return Effect.matchEffect(Decoded.decodeAll(decode, stored), {
    onSuccess: () => Effect.succeed([]),
    onFailure: (error) =>
      error.reason instanceof EventUndecodable ? Effect.succeed(error.reason.issues) : Effect.fail(error)
  })
}
