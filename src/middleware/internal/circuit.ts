/** One circuit: when it lets calls through. Times are in milliseconds since 1970. */

/** What opens a circuit. */
export type Trip = Consecutive | Failures | Rate

export interface Consecutive {
  readonly _tag: "Consecutive"
  readonly failures: number
}

export interface Failures {
  readonly _tag: "Failures"
  readonly failures: number
  readonly within: number
}

export interface Rate {
  readonly _tag: "Rate"
  readonly threshold: number
  readonly calls: number
  readonly minimum: number
}

/** Counts what a closed circuit has seen, and says when that is too much. */
interface Count {
  readonly success: () => void
  readonly failure: (now: number) => boolean
  readonly clear: () => void
}

const consecutive = (limit: number): Count => {
  let failures = 0
  const clear = () => void (failures = 0)
  return { success: clear, failure: () => ++failures >= limit, clear }
}

const nothing = () => undefined

const recent = (limit: number, within: number): Count => {
  // The times of the last failures, oldest first.
  let times: Array<number> = []
  return {
    success: nothing,
    failure: (now) => {
      times.push(now)
      if (times.length > limit) times.shift()
      const [oldest = now] = times
      return times.length === limit && now - oldest <= within
    },
    clear: () => void (times = [])
  }
}

const rate = (threshold: number, calls: number, minimum: number): Count => {
  const ring = new Uint8Array(calls)
  let [at, seen, failed] = [0, 0, 0]
  const note = (bad: 0 | 1) => {
    failed += bad - (ring[at] ?? 0)
    ring[at] = bad
    at = (at + 1) % calls
    seen = Math.min(seen + 1, calls)
  }
  return {
    success: () => note(0),
    failure: () => {
      note(1)
      return seen >= minimum && failed / seen >= threshold
    },
    clear: () => {
      ring.fill(0)
      ;[at, seen, failed] = [0, 0, 0]
    }
  }
}

const countOf = (trip: Trip): Count => {
  switch (trip._tag) {
    case "Consecutive":
      return consecutive(trip.failures)
    case "Failures":
      return recent(trip.failures, trip.within)
    case "Rate":
      return rate(trip.threshold, trip.calls, trip.minimum)
  }
}

export type State = "Closed" | "Open" | "HalfOpen"

/** What a call learns that is not let through. */
export const refused = -1

/** `now` tells the time from what a call brings along, and is asked only when it matters. */
export class Circuit<in Call> {
  state: State = "Closed"
  /** When the state began; 0 when it is the first. */
  since = 0
  /** Calls that were not let through. */
  rejected = 0
  // An outcome counts only in the term that its call was let through in.
  private term = 0
  private probing = 0
  private probed = 0
  private probedAt = 0
  private readonly count: Count
  private readonly openMillis: number
  private readonly probes: number
  private readonly now: (call: Call) => number
  private readonly moved: (to: State, call: Call) => void

  constructor(
    trip: Trip,
    openMillis: number,
    probes: number,
    now: (call: Call) => number,
    moved: (to: State, call: Call) => void
  ) {
    this.now = now
    this.count = countOf(trip)
    this.openMillis = openMillis
    this.probes = probes
    this.moved = moved
  }

  /** The term of a call that is let through, or `refused`. */
  admit(call: Call): number {
    return this.state === "Closed" ? this.term : this.probe(call)
  }

  succeeded(term: number, call: Call): void {
    if (term !== this.term) return
    if (this.state === "Closed") return this.count.success()
    this.probing--
    if (++this.probed >= this.probes) this.move("Closed", call)
  }

  failed(term: number, call: Call): void {
    if (term !== this.term) return
    if (this.state === "HalfOpen" || this.count.failure(this.now(call))) this.move("Open", call)
  }

  /** A call ended that says nothing of what it calls. */
  ignored(term: number): void {
    if (term === this.term && this.state === "HalfOpen") this.probing--
  }

  reset(call: Call): void {
    this.move("Closed", call)
  }

  /** In how many milliseconds a call may be let through. */
  retryAfter(call: Call): number {
    const since = this.state === "Open" ? this.since : this.probedAt
    return this.isOver(since, this.now(call)) ? 0 : since + this.openMillis - this.now(call)
  }

  private probe(call: Call): number {
    const now = this.now(call)
    if (this.state === "Open") {
      if (!this.isOver(this.since, now)) return this.refuse()
      this.move("HalfOpen", call)
    }
    if (this.probing + this.probed >= this.probes) {
      // A probe that never answers does not hold the circuit for ever.
      if (!this.isOver(this.probedAt, now)) return this.refuse()
      this.term++
      this.probing = 0
    }
    this.probing++
    this.probedAt = now
    return this.term
  }

  // A clock that was set back tells nothing of the time that has passed: better one call too early than none for long.
  private isOver(since: number, now: number): boolean {
    return now < since || now >= since + this.openMillis
  }

  private refuse(): number {
    this.rejected++
    return refused
  }

  private move(to: State, call: Call): void {
    const from = this.state
    this.state = to
    this.since = this.now(call)
    this.term++
    this.probing = 0
    this.probed = 0
    this.count.clear()
    if (from !== to) this.moved(to, call)
  }
}
