/** From events of another log to events as they are written: checked, as text. */
import * as Result from "effect/Result"
import type { ImportedEvent } from "../../domain/EventLine.ts"
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import * as StreamName from "../../domain/StreamName.ts"
import * as TenantId from "../../domain/TenantId.ts"
import type { PreparedImport } from "../EventImportDriver.ts"
import { jsonIssues, nameIssue, tenantIssue } from "./text.ts"

const maxNameBytes = 512
const maxTagBytes = 512
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
// The end of the year 9999.
const maxMillis = 253_402_300_799_999

/** What is wrong with the name of an import. */
export const nameIssues = (scope: string, name: string): ReadonlyArray<FieldIssue> =>
  [scope === "" ? undefined : tenantIssue(TenantId.make(scope)), nameIssue("name", name, maxNameBytes)].filter(
    (issue) => issue !== undefined
  )

/** The events before the first that cannot be written, and what is wrong with that. */
export const batch = (
  tenant: string | undefined,
  source: ReadonlyArray<Result.Result<ImportedEvent, unknown>>
): { readonly events: ReadonlyArray<PreparedImport>; readonly issues: ReadonlyArray<FieldIssue> } => {
  const events: Array<PreparedImport> = []
  const versions = new Map<string, number>()
  for (const one of source) {
    if (Result.isFailure(one)) return { events, issues: [] }
    const event = one.success
    const owner = tenant ?? event.tenant
    const data = asText(event.data)
    const metadata = JSON.stringify(event.metadata)
    const issues = eventIssues(event, owner, data, metadata)
    const key = `${owner}\0${event.stream}`
    const before = versions.get(key) ?? 0
    if (event.version <= before && !issues.some(({ path }) => path === "version")) {
      issues.push({ path: "version", message: `must be over ${before}, which is the version before it` })
    }
    if (issues.length > 0 || data === undefined) return { events, issues }
    versions.set(key, event.version)
    events.push({ event, tenant: owner, data, metadata })
  }
  return { events, issues: [] }
}

const eventIssues = (
  event: ImportedEvent,
  tenant: string,
  data: string | undefined,
  metadata: string
): Array<FieldIssue> => {
  const issues: Array<FieldIssue> = []
  const add = (issue: FieldIssue | undefined) => {
    if (issue !== undefined) issues.push(issue)
  }
  const whole = (path: string, value: number, least: number, most: number) => {
    if (!(Number.isSafeInteger(value) && value >= least && value <= most)) {
      issues.push({ path, message: `must be a whole number from ${least} to ${most}` })
    }
  }
  add(tenantIssue(TenantId.make(tenant)))
  add(nameIssue("stream", event.stream, StreamName.maxBytes))
  whole("version", event.version, 1, Number.MAX_SAFE_INTEGER)
  if (!uuid.test(event.id)) add({ path: "id", message: "must be a UUID" })
  add(nameIssue("type", event.type, maxNameBytes))
  whole("schemaVersion", event.schemaVersion, 1, 2 ** 31 - 1)
  for (const [index, tag] of event.tags.entries()) add(nameIssue(`tags[${index}]`, tag, maxTagBytes))
  whole("recordedAt", event.recordedAt, 0, maxMillis)
  if (data === undefined) add({ path: "data", message: "must be JSON" })
  else issues.push(...jsonIssues("data", event.data, data))
  issues.push(...jsonIssues("metadata", event.metadata, metadata))
  return issues
}

const asText = (data: unknown): string | undefined => {
  try {
    const text: unknown = JSON.stringify(data)
    return typeof text === "string" ? text : undefined
  } catch {
    // Rings and bigints.
    return undefined
  }
}
