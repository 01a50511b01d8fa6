/**
 * From one connection through a server to another: how long it takes, and how many a second.
 */
import { type Contender, perSecond } from "../harness.ts"
import { latencies } from "../latency.ts"

/** Publishes once. */
export type Link = () => Promise<unknown>

/** Connects twice: one end publishes, and the other calls `heard` for each event. */
export type Open = (url: string, heard: () => void) => Promise<Link>

/** From publishing to handling, in milliseconds, one at a time. */
export const hop =
  (server: "redis" | "database", open: Open): Contender =>
  async (given) => {
    let heard = () => {}
    const publish = await open(given[server], () => heard())
    const probe = () =>
      new Promise<number>((resolve, reject) => {
        const start = performance.now()
        heard = () => resolve(performance.now() - start)
        publish().catch(reject)
      })
    await probe()
    return latencies({ writers: 0, write: () => () => Promise.resolve(), probe })
  }

/** Events a second that were published and handled, so many on their way at once. */
export const hops =
  (server: "redis" | "database", open: Open, atOnce = 100): Contender =>
  async (given) => {
    let count = 0
    let wanted = 0
    let done = () => {}
    const publish = await open(given[server], () => {
      if (++count === wanted) done()
    })
    return perSecond(async (times) => {
      const all = new Promise<void>((resolve) => (done = resolve))
      count = 0
      wanted = times
      for (let n = 0; n < times; n += atOnce) {
        await Promise.all(Array.from({ length: Math.min(atOnce, times - n) }, () => publish()))
      }
      await all
    })
  }
