/** From messages as a program has them to messages as an outbox keeps them: checked, encoded, with id and metadata. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as OutboxMessage from "../../domain/OutboxMessage.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import * as IdGenerator from "../IdGenerator.ts"
import * as MessageContext from "../MessageContext.ts"
import type { Prepared, When } from "../OutboxDriver.ts"
import { InvalidMessage } from "../OutboxError.ts"
import { jsonIssues, nameIssue, tenantIssue } from "./text.ts"

const maxNameBytes = 512

/** The longest text that an index of every adapter holds as id or key. */
const maxIdBytes = 512

interface Outgoing {
  readonly message: OutboxMessage.Sendable
  readonly id?: string | undefined
  readonly queue?: string | undefined
  readonly key?: string | undefined
  readonly due?: Duration.Input | DateTime.DateTime | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export type Outcome =
  | { readonly issues: InvalidMessage; readonly prepared?: undefined }
  | { readonly issues?: undefined; readonly prepared: ReadonlyArray<Prepared> }

export const prepare = (
  tenant: TenantId,
  all: ReadonlyArray<Outgoing>,
  fiber: Fiber.Fiber<unknown, unknown>
): Outcome => {
  const metadata = MessageContext.unsafeMetadata(fiber)
  const ids = fiber.getRef(IdGenerator.IdGenerator)
  const issues: Array<FieldIssue.FieldIssue> = []
  const prepared: Array<Prepared> = []
  const check = (issue: FieldIssue.FieldIssue | undefined) => {
    if (issue !== undefined) issues.push(issue)
  }
  check(tenantIssue(tenant))
  issues.push(...jsonIssues("metadata", metadata, JSON.stringify(metadata)))
  for (const [index, one] of all.entries()) {
    const at = all.length === 1 ? "" : `messages[${index}].`
    const writer = OutboxMessage.writer(one.message)
    if (writer === undefined) {
      check({ path: `${at}message`, message: "must be an instance of a message or event class" })
      continue
    }
    const encoded = writer.encode(one.message)
    if (Result.isFailure(encoded)) {
      for (const issue of FieldIssue.fromIssue(encoded.failure)) {
        check({ path: `${at}${issue.path}`, message: issue.message })
      }
      continue
    }
    const data = JSON.stringify(encoded.success)
    const headers = one.headers ?? {}
    const key = one.key ?? writer.key(one.message)
    const message: Prepared = {
      tenant,
      id: one.id ?? ids.unsafeNext(fiber, metadata.occurredAt),
      queue: one.queue ?? writer.queue,
      key,
      type: writer.tag,
      version: writer.version,
      data,
      headers,
      metadata,
      when: when(one.due)
    }
    issues.push(...jsonIssues(at.slice(0, -1), encoded.success, data))
    issues.push(...jsonIssues(`${at}headers`, headers, JSON.stringify(headers)))
    check(nameIssue(`${at}id`, message.id, maxIdBytes))
    check(nameIssue(`${at}queue`, message.queue, maxNameBytes))
    check(nameIssue(`${at}_tag`, message.type, maxNameBytes))
    if (key !== undefined) check(nameIssue(`${at}key`, key, maxIdBytes))
    prepared.push(message)
  }
  return issues.length > 0 ? { issues: new InvalidMessage({ issues }) } : { prepared }
}

const when = (due: Duration.Input | DateTime.DateTime | undefined): When => {
  if (due === undefined) return { _tag: "Now" }
  if (DateTime.isDateTime(due)) return { _tag: "At", millis: DateTime.toEpochMillis(due) }
  // A duration that is infinite would never be due: as far off as a time can be kept.
  return { _tag: "After", millis: Math.min(Duration.toMillis(Duration.fromInputUnsafe(due)), farOff) }
}

/** A thousand years, in milliseconds. */
const farOff = 1000 * 365 * 86_400_000
