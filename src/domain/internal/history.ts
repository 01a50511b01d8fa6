/** How a class reads what was stored of its events, whatever the tag and version. */
import * as Result from "effect/Result"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as Decoding from "../Decoding.ts"
import type * as Upcaster from "../Upcaster.ts"
import * as Codec from "./codec.ts"

/** What of a class its history needs: how fields of today become JSON, and JSON an instance. */
export interface Today {
  readonly tag: string
  readonly version: number
  readonly encode: Codec.Coder
  readonly decode: Codec.Coder
}

/** The upcasters of a class, each from a tag of its own. */
export const upcasters = (
  tag: string,
  given: Upcaster.Any | ReadonlyArray<Upcaster.Any> | undefined
): ReadonlyArray<Upcaster.Any> => {
  const list = given === undefined ? [] : "upcast" in given ? [given] : given
  const seen = new Set<string | undefined>()
  for (const one of list) {
    if (one.tag === tag) {
      throw new Error(`The older versions of "${tag}" begin with Upcaster.from: "${tag}" is the event's tag today`)
    }
    if (seen.has(one.tag)) {
      throw new Error(
        `The event "${tag}" has two upcasters from ${one.tag === undefined ? "its own tag" : `"${one.tag}"`}`
      )
    }
    seen.add(one.tag)
  }
  return list
}

/** Reads JSON that was stored under a tag, the class's own or a former one, in any version. */
export const reader =
  (today: Today, history: ReadonlyArray<Upcaster.Any>) =>
  (data: unknown, version: number, tag: string = today.tag): Decoding.Decoding<unknown, SchemaIssue.Issue, unknown> => {
    if (version === today.version && tag === today.tag) return today.decode(data)
    const upcaster = history.find((one) => (one.tag ?? today.tag) === tag)
    if (upcaster?.place !== undefined && version > upcaster.versions) return nothing
    if (upcaster === undefined || version < 1 || version > upcaster.versions) {
      return Codec.refuse(tag === today.tag ? today.version : (upcaster?.versions ?? 0), version)
    }
    return Decoding.flatMap(upcaster.upcast(data, version), (fields) =>
      Result.flatMap(today.encode(fields), today.decode)
    )
  }

const nothing = Decoding.several<never>([])
