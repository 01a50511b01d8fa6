/**
 * How far the log is settled, worked out from what an agent sees of it.
 *
 * Whoever draws a position holds a lock since before, and until its transaction is visible or gone. A fence is the last
 * position drawn at one moment, and those who held the lock at a moment after it: once none of them does any more, nothing
 * at or below that position can still appear.
 */

/** What was seen: the last position drawn, and then who held the lock. */
export interface Sight {
  readonly last: number
  /** Transactions by name. */
  readonly holders: ReadonlySet<string>
  /** When, in milliseconds. */
  readonly now: number
}

export interface Fence {
  readonly last: number
  /** Those of its first members who still hold the lock. */
  readonly members: ReadonlyArray<string>
  readonly since: number
}

export interface Settled {
  /** Nothing at or below this can still appear; 0 when this sight settles nothing. */
  readonly position: number
  /** What is still waited for, oldest first. */
  readonly open: ReadonlyArray<Fence>
}

/** How many fences are open at most. */
export const limit = 64

// Under this name a prepared transaction goes after a restart: it may have been any member under the name it had before.
const renamed = /^-1\//

/** Judges all open fences by one sight, and opens a new one when positions were drawn since the newest. */
export const observe = (fences: ReadonlyArray<Fence>, { holders, last, now }: Sight): Settled => {
  if (holders.size === 0) return { position: last, open: [] }
  const nameless = [...holders].some((holder) => renamed.test(holder))
  let position = 0
  let open: Array<Fence> = []
  for (const fence of fences) {
    const members = fence.members.filter((member) => holders.has(member))
    if (members.length === 0 && !nameless) position = fence.last
    else open.push({ last: fence.last, members, since: fence.since })
  }
  open = open.filter((fence) => fence.last > position)
  const newest = open.at(-1)?.last ?? position
  if (last > newest) {
    // The newest gives way: the oldest are what the next step of the mark comes from.
    if (open.length === limit) open.pop()
    open.push({ last, members: [...holders], since: now })
  }
  return { position, open }
}
