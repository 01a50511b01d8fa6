/** Links from a page to those beside it (RFC 8288), relative to the path that was asked. */
import type * as Page from "../../../domain/Page.ts"

type Links = ReadonlyArray<readonly [rel: string, parameter: string, value: string]>

/** The value of the header; empty where the answer is no page. */
export const of = (kind: "numbered" | "keyed" | undefined, answer: unknown, url: string): string => {
  if (kind === undefined) return ""
  const links = kind === "numbered" ? (isPage(answer) ? numbered(answer) : []) : isKeyed(answer) ? keyed(answer) : []
  return links.map(([rel, parameter, value]) => `<${withParameter(url, parameter, value)}>; rel="${rel}"`).join(", ")
}

const numbered = ({ hasNext, hasPrevious, page, pages }: Page.Page<unknown>): Links => [
  ["first", "page", "1"],
  ...(hasPrevious ? [["prev", "page", String(Math.min(page - 1, pages))] as const] : []),
  ...(hasNext ? [["next", "page", String(page + 1)] as const] : []),
  ["last", "page", String(Math.max(1, pages))]
]

const keyed = ({ next }: Page.Keyed<unknown>): Links => (next === undefined ? [] : [["next", "cursor", next]])

const withParameter = (url: string, name: string, value: string): string => {
  const start = url.indexOf("?")
  const path = start === -1 ? url : url.slice(0, start)
  const search = new URLSearchParams(start === -1 ? "" : url.slice(start + 1))
  search.set(name, value)
  return `${path.replace(/[<>"\s]/g, encodeURIComponent)}?${search.toString()}`
}

const isPage = (answer: unknown): answer is Page.Page<unknown> =>
  typeof answer === "object" && answer !== null && "pages" in answer && "hasNext" in answer

const isKeyed = (answer: unknown): answer is Page.Keyed<unknown> =>
  typeof answer === "object" && answer !== null && "items" in answer
