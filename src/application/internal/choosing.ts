/** Which server is next, by turns or by open calls, and which are left alone. Times are in milliseconds. */

export type Strategy = "round-robin" | "least-pending"

export interface Server {
  readonly url: string
  pending: number
  failures: number
  failedAt: number
  /** Left alone until then. */
  until: number
}

const firstRest = 1000
const longestRest = 30_000

export class Choosing {
  private readonly strategy: Strategy
  private servers: ReadonlyArray<Server> = []
  private turn = 0

  constructor(strategy: Strategy) {
    this.strategy = strategy
  }

  get isEmpty(): boolean {
    return this.servers.length === 0
  }

  /** These are all there are. What is known of one that was there before stays known. */
  know(urls: ReadonlyArray<string>): void {
    const before = new Map(this.servers.map((server) => [server.url, server]))
    this.servers = Array.from(
      new Set(urls),
      (url) => before.get(url) ?? { url, pending: 0, failures: 0, failedAt: 0, until: 0 }
    )
  }

  /** One that was not tried; of those that are left alone only when there is no other, the one whose time comes first. */
  choose(now: number, tried: ReadonlySet<Server>): Server | undefined {
    let chosen: Server | undefined
    const { length } = this.servers
    for (let step = 0; step < length; step++) {
      const server = this.servers[(this.turn + step) % length]
      if (server !== undefined && !tried.has(server) && (chosen === undefined || this.isBetter(server, chosen, now))) {
        chosen = server
      }
    }
    if (chosen === undefined) return undefined
    this.turn = (this.servers.indexOf(chosen) + 1) % length
    // Whoever comes next does not try it as well, until this call has told how it is.
    if (chosen.failures > 0) chosen.until = now + restOf(chosen)
    return chosen
  }

  private isBetter(one: Server, other: Server, now: number): boolean {
    const [rests, otherRests] = [Math.max(0, one.until - now), Math.max(0, other.until - now)]
    if (rests !== otherRests) return rests < otherRests
    return this.strategy === "least-pending" && one.pending < other.pending
  }

  /** Whether it was out of reach before. */
  well(server: Server): boolean {
    const was = server.failures > 0
    server.failures = 0
    server.until = 0
    return was
  }

  /** Whether it was well before. Calls that were open together are lost together, and count once. */
  lost(server: Server, since: number, now: number): boolean {
    if (server.failures > 0 && since <= server.failedAt) return false
    server.failures++
    server.failedAt = now
    server.until = now + restOf(server)
    return server.failures === 1
  }
}

const restOf = ({ failures }: Server): number => Math.min(longestRest, firstRest * 2 ** (failures - 1))
