/** Rules of retention and other metadata, from what a program writes to what is kept, and which events a rule hides. */
import * as Duration from "effect/Duration"
import type { Actor } from "../../domain/Actor.ts"
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type {
  EventRef,
  KeptMetadata,
  KeptRetention,
  Retention,
  RetentionInput,
  StreamInfo
} from "../StreamAdminDriver.ts"
import { jsonIssues, nameIssue } from "./text.ts"

const maxReasonBytes = 4096
const maxAgeMillis = 1000 * 365 * 24 * 60 * 60 * 1000

/** The metadata as it is kept, and what is wrong with it. */
export const prepare = (
  retention: RetentionInput,
  data: unknown
): { readonly metadata: KeptMetadata; readonly issues: ReadonlyArray<FieldIssue> } => {
  const issues: Array<FieldIssue> = []
  const whole = (path: string, value: number | undefined) => {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      issues.push({ path, message: "must be a whole number of 1 or more" })
    }
    return value
  }
  const age = retention.maxAge === undefined ? undefined : Duration.fromInput(retention.maxAge)
  const maxAge = age === undefined ? undefined : age._tag === "None" ? Number.NaN : Duration.toMillis(age.value)
  if (maxAge !== undefined && !(maxAge >= 0 && maxAge <= maxAgeMillis)) {
    issues.push({ path: "retention.maxAge", message: "must be a duration of 0 to 1,000 years" })
  }
  const text = data === undefined ? undefined : asText(data)
  if (data !== undefined && text === undefined) issues.push({ path: "data", message: "must be JSON" })
  if (text !== undefined) issues.push(...jsonIssues("data", JSON.parse(text), text))
  return {
    issues,
    metadata: {
      data: text,
      retention: {
        maxAge: maxAge === undefined ? undefined : Math.floor(maxAge),
        maxCount: whole("retention.maxCount", retention.maxCount),
        truncateBefore: whole("retention.truncateBefore", retention.truncateBefore)
      }
    }
  }
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

/** The rules as a program reads them: only those that are set. */
export const toRetention = ({ maxAge, maxCount, truncateBefore }: KeptRetention): Retention => ({
  ...(maxAge === undefined ? {} : { maxAge: Duration.millis(maxAge) }),
  ...(maxCount === undefined ? {} : { maxCount }),
  ...(truncateBefore === undefined ? {} : { truncateBefore })
})

/** Whether any rule is set. */
export const retains = ({ maxAge, maxCount, truncateBefore }: KeptRetention): boolean =>
  maxAge !== undefined || maxCount !== undefined || truncateBefore !== undefined

/** Whether the rules hide an event of a stream whose newest event is of version `last`. */
export const hides = (
  { maxAge, maxCount, truncateBefore }: KeptRetention,
  last: number,
  now: number,
  { recordedAt, version }: { readonly version: number; readonly recordedAt: number }
): boolean =>
  version < last &&
  ((truncateBefore !== undefined && version < truncateBefore) ||
    (maxCount !== undefined && version <= last - maxCount) ||
    (maxAge !== undefined && recordedAt < now - maxAge))

/** What is wrong with a reason. */
export const reasonIssues = (reason: string): ReadonlyArray<FieldIssue> => {
  const issue = nameIssue("reason", reason, maxReasonBytes)
  return issue === undefined ? [] : [issue]
}

/** What is wrong with an actor. */
export const actorIssues = (actor: Actor | undefined): ReadonlyArray<FieldIssue> =>
  actor === undefined ? [] : jsonIssues("actor", actor, JSON.stringify(actor))

/** A stream that nothing was ever appended to. */
export const missing = (stream: StreamName.StreamName): StreamInfo => ({
  stream,
  version: 0,
  count: 0,
  firstRecordedAt: undefined,
  lastRecordedAt: undefined,
  tombstoned: false,
  archived: false
})

/** Comes before every event. */
export const beforeAll: EventRef = { stream: StreamName.fromString(""), version: 0 }

/** A name that storage can be asked for: what comes after `a\0…` comes after `a`, since no name holds `\0`. */
export function keepable(name: StreamName.StreamName): StreamName.StreamName
export function keepable(name: string): string
export function keepable(name: string): string {
  return name.toWellFormed().split("\0", 1)[0] ?? ""
}

/** The first name after all that begin with a prefix, in the order of UTF-8 bytes; absent when there is none. */
export const successor = (prefix: string): string | undefined => {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let point = points.pop(); point !== undefined; point = points.pop()) {
    // What lies between the two halves of the plane stands for no character.
    const next = point === 0xd7ff ? 0xe000 : point + 1
    if (next <= 0x10ffff) return String.fromCodePoint(...points, next)
  }
  return undefined
}
