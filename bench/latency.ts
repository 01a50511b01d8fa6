/**
 * How long it takes until what is committed can be read.
 */
import { setTimeout as pause } from "node:timers/promises"
import { type Round, quantile } from "./harness.ts"

export interface Latency {
  /** How many write all the time meanwhile. */
  readonly writers: number
  readonly write: (worker: number) => () => Promise<unknown>
  /** Appends once, and answers with the milliseconds from there until the event was read. */
  readonly probe: () => Promise<number>
}

/** The aspect of `latencies`. */
export const p99 = "p99"

/** A round is longer than others by so much: its 99th percentile is of as many probes as fit into it. */
const longer = 3

/** How long to wait for one event, in milliseconds: where it has been lost, this stands for it. */
const patience = 5000

const arrived = (probe: Promise<number>): Promise<number> => {
  const given = new AbortController()
  const late = pause(patience, patience, { signal: given.signal }).catch(() => patience)
  return Promise.race([probe, late]).finally(() => given.abort())
}

/** The median and the 99th percentile, in milliseconds. Who has nobody writing beside it waits between its probes. */
export const latencies = ({ probe, write, writers }: Latency): Round => {
  const all = Array.from({ length: writers }, (_, worker) => write(worker))
  return async (seconds) => {
    const until = performance.now() + seconds * longer * 1000
    let over = false
    const busy = all.map(async (once) => {
      while (!over) await once()
    })
    const taken: Array<number> = []
    do {
      taken.push(await arrived(probe()))
      if (writers === 0) await pause(20)
    } while (performance.now() < until)
    over = true
    await Promise.all(busy)
    return { value: quantile(taken, 0.5), also: { [p99]: quantile(taken, 0.99) } }
  }
}
