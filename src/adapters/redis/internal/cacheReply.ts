/** What the server says when it is asked for an answer; read by hand, since that is most of what happens on a hit. */
import * as Position from "../../../domain/Position.ts"

export type Reply =
  | { readonly _tag: "Taken" }
  | { readonly _tag: "Vacant"; readonly stamp: string; readonly begun: string }
  | Found

/** A kept answer; times in milliseconds. */
interface Found {
  readonly _tag: "Found"
  readonly text: string
  readonly age: number
  readonly ttl: number
  readonly grace: number
  readonly cost: number
  readonly position: Position.Position
}

const taken: Reply = { _tag: "Taken" }

/** Undefined where it is nothing that the script says. */
export const read = (reply: unknown): Reply | undefined => {
  if (!Array.isArray(reply) || !reply.every((part) => typeof part === "string")) return undefined
  const [tag, first, second, answer] = reply
  if (tag === "taken") return taken
  if (first === undefined || second === undefined) return undefined
  if (tag === "vacant") return { _tag: "Vacant", stamp: first, begun: second }
  return tag === "found" && answer !== undefined
    ? found(Number(first) * 1000 + Number(second) / 1000, answer)
    : undefined
}

const found = (now: number, answer: string): Found | undefined => {
  const end = answer.indexOf("\n")
  const [, , at, ttl, grace, cost, position] = answer.slice(0, end).split("|")
  const kept = {
    age: Math.floor(now) - Number(at),
    ttl: Number(ttl),
    grace: Number(grace),
    cost: Number(cost),
    position: Number(position)
  }
  for (const number of Object.values(kept)) if (!Number.isFinite(number)) return undefined
  return { _tag: "Found", text: answer.slice(end + 1), ...kept, position: Position.make(kept.position) }
}
