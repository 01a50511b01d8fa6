/** What events are in order with. */
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"

export type Key = "stream" | "category" | "tenant" | ((stored: Stored) => string)

/** The longest key that is kept as it is. */
const longest = 1000

/** The key of a stored event, with its tenant. */
export const of = (key: Key): ((stored: Stored) => string) => {
  const name = typeof key === "function" ? key : keys[key]
  return (stored) => {
    const text = name(stored)
    const whole = text === "" ? stored.tenant : `${stored.tenant}/${text}`
    // Storages keep no NUL and no half of a character; whole keys that differ beyond the longest share one order.
    return whole.slice(0, longest).replaceAll("\0", "\uFFFD").toWellFormed()
  }
}

const keys = {
  stream: (stored: Stored): string => stored.stream,
  category: (stored: Stored): string => StreamName.category(stored.stream),
  tenant: (): string => ""
}
