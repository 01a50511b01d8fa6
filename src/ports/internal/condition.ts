/**
 * What is the same for the ids and conditions of appends on every storage.
 */
import type { EventQuery } from "../../domain/EventQuery.ts"
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import type * as Position from "../../domain/Position.ts"
import type { Append, Condition } from "../EventStoreDriver.ts"
import { AppendConditionFailed } from "../EventStoreError.ts"
import { nameIssue } from "./text.ts"

const maxIdBytes = 256
const maxNameBytes = 512

/** What is wrong with the name of an append. */
export const idIssue = (id: string): FieldIssue | undefined => nameIssue("id", id, maxIdBytes)

/** What is wrong with a query: every name that no event can have, and what would ask for nothing. */
export const queryIssues = (query: EventQuery, path = "query"): ReadonlyArray<FieldIssue> => {
  if (query.length === 0) return [{ path, message: "must have at least one criterion" }]
  return query.flatMap(({ tags, types }, index) => {
    const at = `${path}[${index}]`
    if (types?.length === 0) return [{ path: `${at}.types`, message: "must name at least one type, or be absent" }]
    const names = (field: string, values: ReadonlyArray<string> = []) =>
      values.flatMap((value, n) => nameIssue(`${at}.${field}[${n}]`, value, maxNameBytes) ?? [])
    return [...names("types", types), ...names("tags", tags)]
  })
}

/** What is wrong with an append beside its stream and events. */
export const appendIssues = ({ condition, id }: Append): ReadonlyArray<FieldIssue> => {
  const issues: Array<FieldIssue> = []
  const ofId = id === undefined ? undefined : idIssue(id)
  if (ofId !== undefined) issues.push(ofId)
  if (condition === undefined) return issues
  issues.push(...queryIssues(condition.query, "condition.query"))
  const positions = [condition.after, ...(condition.except ?? [])]
  if (!positions.every((position) => Number.isSafeInteger(position) && position >= 0)) {
    issues.push({ path: "condition", message: "must hold positions, whole numbers of 0 or more" })
  }
  return issues
}

/** The first of these events that a condition does not know. */
export const firstUnknown = (
  { after, except = [] }: Condition,
  events: ReadonlyArray<{ readonly position: Position.Position }>
): Position.Position | undefined =>
  events.find(({ position }) => position > after && !except.includes(position))?.position

/** Why an append cannot be: an event at this position was not known. */
export const failed = (stream: string, { after }: Condition, position: number): AppendConditionFailed =>
  new AppendConditionFailed({ stream, after, position })
