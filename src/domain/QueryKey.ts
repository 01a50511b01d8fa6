/**
 * What an answer is known by: the query, its arguments, and what else it depends on.
 *
 * @since 0.1.0
 */
import { sha256 } from "./internal/sha256.ts"
import * as Message from "./Message.ts"

/**
 * A text that two queries share when, and only when, they ask for the same: `name:argument=value`, with arguments in the
 * order of their names and values as JSON. One of more than 200 characters is the name and the SHA-256 of the rest.
 *
 * **Details**
 *
 * `vary` names what the answer depends on beside the arguments: the role of who asks, a language. The tenant is not in the
 * key: whoever keeps answers keeps each tenant's apart. A query that is not what its class says has no key.
 *
 * **Example** (The order of arguments does not matter)
 *
 * ```ts
 * import { Query, QueryKey } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class ListTasks extends Query.Class<ListTasks>()("ListTasks", {
 *   payload: { status: Schema.String, page: Schema.Int }
 * }) {}
 *
 * const query = new ListTasks({ status: "open", page: 2 })
 * QueryKey.make(query) // => "ListTasks:page=2:status=\"open\""
 * QueryKey.make(query, { role: "admin" }) // => "ListTasks:page=2:status=\"open\":~role=\"admin\""
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (query: Message.Any, vary?: Readonly<Record<string, string | undefined>>): string | undefined => {
  const json = query[Message.TypeId].toJson(query)
  if (json === undefined) return undefined
  const name = nameOf(query._tag)
  let key = name + pairs(json, argumentOf)
  if (vary !== undefined) key += pairs(vary, varyOf)
  return key.length <= maxLength ? key : `${name}:${sha256(key)}`
}

/**
 * What a value is known by that is kept under a name: `values:name:key`, the key as JSON without colons. It is the tag that makes
 * the value wrong as well, so that `values:name:*` are all of that name.
 *
 * **Example** (A rate)
 *
 * ```ts
 * import { QueryKey } from "effect-cqrs"
 *
 * QueryKey.ofValue("rates", "EUR") // => "values:rates:%22EUR%22"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofValue = (name: string, key: unknown): string => {
  const whose = `values:${encodeURIComponent(name)}:`
  const text = encodeURIComponent(canonical(key))
  return whose + (text.length <= maxLength ? text : sha256(text))
}

const maxLength = 200

/**
 * A text as part of a longer one: by itself when it is a plain word, as JSON otherwise, so that no two texts are one.
 *
 * @category conversions
 * @since 0.1.0
 */
export const part = (text: string): string => (/^[\w.-]+$/.test(text) ? text : JSON.stringify(text))

const pairs = (record: Readonly<Record<string, unknown>>, before: (name: string) => string): string => {
  let text = ""
  for (const name of Object.keys(record).sort()) {
    const value = record[name]
    if (value !== undefined) text += before(name) + canonical(value)
  }
  return text
}

/** Names are those that classes declare: few. */
const remembered = (f: (name: string) => string): ((name: string) => string) => {
  const all = new Map<string, string>()
  return (name) => {
    let text = all.get(name)
    if (text === undefined) all.set(name, (text = f(name)))
    return text
  }
}

const nameOf = remembered(part)
const argumentOf = remembered((name) => `:${part(name)}=`)
const varyOf = (name: string): string => `:~${part(name)}=`

/** JSON with the keys of objects in order. */
const canonical = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${fields.map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(",")}}`
}
