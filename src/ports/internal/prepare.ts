/**
 * From events as a program has them to events as a store writes them: checked, encoded, with id and metadata.
 */
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Event from "../../domain/Event.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import type { Metadata } from "../../domain/Metadata.ts"
import * as Position from "../../domain/Position.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import { MaxEventBytes } from "../EventSize.ts"
import type { Append, Page, PreparedAppend, PreparedEvent, ReadAll, StreamState } from "../EventStoreDriver.ts"
import {
  EventTooLarge,
  type ExpectedVersion,
  InvalidInput,
  matches,
  StreamTombstoned,
  VersionConflict
} from "../EventStoreError.ts"
import { appendIssues } from "./condition.ts"
import * as IdGenerator from "../IdGenerator.ts"
import * as MessageContext from "../MessageContext.ts"
import type { AppendReceipt } from "../Receipt.ts"
import { bytesOver, jsonIssues, nameIssue, tenantIssue, textIssue } from "./text.ts"

const maxTagBytes = 512
const maxTypeBytes = 512

/** The position of an append that wrote nothing. */
export const nothing = Position.start

export const only = (receipts: ReadonlyArray<AppendReceipt>): AppendReceipt => {
  const [receipt] = receipts
  if (receipt === undefined) throw new Error("A driver must answer every append with a receipt")
  return receipt
}

/** A stream that nothing was ever appended to. */
export const missing: StreamState = { version: 0, tombstoned: false }

/** Whether such a stream can exist: what could never be written reads as empty. */
export const readable = (tenant: TenantId, stream: StreamName.StreamName): boolean =>
  targetIssues(tenant, stream, "any").length === 0

/** Whether such a tenant can have events. */
export const tenantReadable = (tenant: TenantId): boolean => tenantIssue(tenant) === undefined

/** A page of a log that has nothing that fits. */
export const emptyPage = (after: Position.Position, mark: Position.Position): Page => ({
  events: [],
  cursor: Position.max(after, mark),
  mark
})

/** A page that can be asked of any storage: at least one event, and no text that no event can hold. */
export const page = (options: ReadAll): ReadAll => ({
  after: options.after,
  limit: Math.max(1, Math.floor(options.limit)),
  types: options.types?.filter(keepable),
  categories: options.categories?.filter(keepable),
  tags: options.tags?.filter(keepable),
  archived: options.archived,
  skipped: options.skipped
})

/** What is wrong with where an append or a tombstone is meant to go. */
export const targetIssues = (
  tenant: TenantId,
  stream: StreamName.StreamName,
  expected: ExpectedVersion
): ReadonlyArray<FieldIssue.FieldIssue> => {
  const tenantProblem = tenantIssue(tenant)
  const streamProblem = nameIssue("stream", stream, StreamName.maxBytes)
  const wrong = typeof expected === "number" && !(Number.isSafeInteger(expected) && expected >= 0)
  if (tenantProblem === undefined && streamProblem === undefined && !wrong) return none
  const expectedProblem = wrong ? { path: "expected", message: "must be a whole number of 0 or more" } : undefined
  return [tenantProblem, streamProblem, expectedProblem].filter((issue) => issue !== undefined)
}

/** Why a stream in this state cannot take an append or a tombstone, if it cannot. */
export const refusal = (
  stream: string,
  expected: ExpectedVersion,
  state: StreamState
): StreamTombstoned | VersionConflict | undefined => {
  if (state.tombstoned) return new StreamTombstoned({ stream })
  return matches(expected, state.version) ? undefined : new VersionConflict({ stream, expected, actual: state.version })
}

/** Why these appends cannot be one, if a stream stands in them twice. */
export const repeated = (all: ReadonlyArray<Append>): InvalidInput | undefined => {
  const seen = new Set<string>()
  for (const { stream } of all) {
    if (seen.has(stream)) return new InvalidInput({ stream, issues: [repetition] })
    seen.add(stream)
  }
  return undefined
}

const repetition: FieldIssue.FieldIssue = { path: "stream", message: "must stand only once in one append" }

export const appends = (
  tenant: TenantId,
  all: ReadonlyArray<Append>,
  fiber: Fiber.Fiber<unknown, unknown>
): Result.Result<ReadonlyArray<PreparedAppend>, InvalidInput | EventTooLarge> => {
  const metadata = MessageContext.unsafeMetadata(fiber)
  const ids = fiber.getRef(IdGenerator.IdGenerator)
  const limit = fiber.getRef(MaxEventBytes)
  const common = metadataIssues(metadata)
  const prepared: Array<PreparedAppend> = []
  const twice = all.length === 1 ? undefined : repeated(all)
  if (twice !== undefined) return Result.fail(twice)
  for (const append of all) {
    const { condition, events, expected, id, stream } = append
    const issues: Array<FieldIssue.FieldIssue> = [...targetIssues(tenant, stream, expected), ...common]
    if (id !== undefined || condition !== undefined) issues.push(...appendIssues(append))
    const ready: Array<PreparedEvent> = []
    for (let index = 0; index < events.length; index++) {
      const event = events[index]
      if (event !== undefined)
        prepareEvent(event, index, ids.unsafeNext(fiber, metadata.occurredAt), metadata, ready, issues)
    }
    if (issues.length > 0) return Result.fail(new InvalidInput({ stream, issues }))
    const large = tooLarge(stream, ready, limit)
    if (large !== undefined) return Result.fail(large)
    prepared.push({ stream, expected, events: ready, id, condition })
  }
  return Result.succeed(prepared)
}

const tooLarge = (stream: string, events: ReadonlyArray<PreparedEvent>, limit: number): EventTooLarge | undefined => {
  for (let index = 0; index < events.length; index++) {
    const event = events[index]
    const size = event === undefined ? undefined : bytesOver(event.data, limit)
    if (event !== undefined && size !== undefined) {
      return new EventTooLarge({ stream, index, type: event.type, size, limit })
    }
  }
  return undefined
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const prepareEvent = (
  event: Event.Any,
  index: number,
  id: string,
  metadata: Metadata,
  ready: Array<PreparedEvent>,
  issues: Array<FieldIssue.FieldIssue>
): void => {
  const writer = event[Event.TypeId]
  if (writer === undefined) {
    issues.push({ path: `events[${index}]`, message: "must be an instance of an event class" })
    return
  }
  const found = (path: string, { message }: FieldIssue.FieldIssue) =>
    issues.push({ path: path === "" ? `events[${index}]` : `events[${index}].${path}`, message })
  if (!uuid.test(id)) found("id", { path: "", message: "must be a UUID" })
  const typeIssue = nameIssue("", writer.tag, maxTypeBytes)
  if (typeIssue !== undefined) found("_tag", typeIssue)
  const encoded = writer.encode(event)
  if (Result.isFailure(encoded)) {
    for (const issue of FieldIssue.fromIssue(encoded.failure)) found(issue.path, issue)
    return
  }
  const data = JSON.stringify(encoded.success)
  for (const issue of jsonIssues("", encoded.success, data)) found(issue.path, issue)
  const tags = writer.tags(event)
  for (let n = 0; n < tags.length; n++) {
    const issue = nameIssue("", tags[n] ?? "", maxTagBytes)
    if (issue !== undefined) found(`tags[${n}]`, issue)
  }
  ready.push({ id, type: writer.tag, schemaVersion: writer.version, data, tags, metadata })
}

const metadataIssues = (metadata: Metadata): ReadonlyArray<FieldIssue.FieldIssue> => {
  const { actor, attributes, causationId, correlationId, traceparent } = metadata
  const plain = keepable(correlationId) && keepable(causationId) && keepable(traceparent)
  if (plain && actor === undefined && attributes === undefined) return none
  const free = { causationId, correlationId, traceparent, actor, attributes }
  return jsonIssues("metadata", free, JSON.stringify(free))
}

const keepable = (text: string | undefined): boolean => text === undefined || textIssue("", text) === undefined

const none: ReadonlyArray<FieldIssue.FieldIssue> = []
