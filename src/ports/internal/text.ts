/**
 * The text that every adapter can keep: no `\u0000`, no lone surrogates, no name over its limit.
 */
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import type { TenantId } from "../../domain/TenantId.ts"

const encoder = new TextEncoder()

/** What is wrong with a text, if anything is. */
export const textIssue = (path: string, text: string): FieldIssue | undefined => {
  if (text.includes("\0")) return { path, message: "must not hold \\u0000" }
  if (!text.isWellFormed()) return { path, message: "must not hold a lone surrogate" }
  return undefined
}

/** How many bytes of UTF-8 a text takes when they are more than so many. */
export const bytesOver = (text: string, maxBytes: number): number | undefined => {
  // No character takes more than three bytes for one unit of UTF-16.
  if (text.length * 3 <= maxBytes) return undefined
  const bytes = encoder.encode(text).length
  return bytes > maxBytes ? bytes : undefined
}

/** What is wrong with a name: text that is not empty and takes at most so many bytes. */
export const nameIssue = (path: string, text: string, maxBytes: number): FieldIssue | undefined => {
  if (text === "") return { path, message: "must not be empty" }
  if (bytesOver(text, maxBytes) !== undefined) {
    return { path, message: `must take at most ${maxBytes} bytes` }
  }
  return textIssue(path, text)
}

const maxTenantBytes = 128
const control = /\p{Cc}/u

/** What is wrong with the name of a tenant. */
export const tenantIssue = (tenant: TenantId): FieldIssue | undefined =>
  nameIssue("tenant", tenant, maxTenantBytes) ??
  (control.test(tenant) ? { path: "tenant", message: "must not hold control characters" } : undefined)

// `JSON.stringify` escapes both kinds of text that cannot be kept, and only they look like this.
const suspicious = /\\u(?:0000|d[89a-f])/

/** What is wrong with the texts and keys inside a JSON value, whose text is at hand as well. */
export const jsonIssues = (path: string, value: unknown, text: string): ReadonlyArray<FieldIssue> =>
  suspicious.test(text) ? walk(path, value) : []

const walk = (path: string, value: unknown): ReadonlyArray<FieldIssue> => {
  if (typeof value === "string") {
    const issue = textIssue(path, value)
    return issue === undefined ? [] : [issue]
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => walk(`${path}[${index}]`, item))
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => {
    const at = path === "" ? key : `${path}.${key}`
    const issue = textIssue(at, key)
    return issue === undefined ? walk(at, item) : [issue]
  })
}
