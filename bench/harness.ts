/**
 * What a suite is made of, and how a contender's work becomes a number.
 */

/** Measures once, for about so many seconds, and answers in the row's unit. */
export type Round = (seconds: number) => Promise<number>

/** Makes ready what a contender needs; each contender of a row has a process of its own. */
export type Contender = () => Promise<Round> | Round

/** What must hold: of our own number, of its ratio to the reference, or of both. */
export interface Target {
  readonly value?: number
  readonly ratio?: number
}

/** One comparison. The reference is the best of the peers. */
export interface Row {
  readonly name: string
  readonly unit: string
  /** Whether a smaller number is the better one, as with latencies; targets are limits then. */
  readonly less?: boolean
  readonly target?: Target
  readonly ours: Contender
  readonly peers: Readonly<Record<string, Contender>>
  /** What does less work, to know what the rest of the work costs; never the reference. */
  readonly beside?: Readonly<Record<string, Contender>>
}

/** What a file in `suites` exports as its default. */
export type Suite = ReadonlyArray<Row>

/** Does the work so many times. */
export type Work = (times: number) => Promise<unknown>

const timed = async (work: Work, times: number): Promise<number> => {
  const start = performance.now()
  await work(times)
  return (performance.now() - start) / 1000
}

/** Times a second, of work that can go on for ever: as many times a round as fill it. */
export const perSecond = (work: Work): Round => {
  let times = 1
  return async (seconds) => {
    let took = await timed(work, times)
    while (took < seconds / 2) {
      times = Math.ceil(times * Math.min(10, (seconds / Math.max(took, 1e-6)) * 1.1))
      took = await timed(work, times)
    }
    const rate = times / took
    times = Math.max(1, Math.round(rate * seconds))
    return rate
  }
}

/** Times a second, of work that must be done so many times from a fresh start to be the same work. */
export const perSecondOf =
  (times: number, work: Work): Round =>
  async () =>
    times / (await timed(work, times))
