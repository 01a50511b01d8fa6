/**
 * What a suite is made of, and how a contender's work becomes a number.
 */

/** A number in the row's unit, and those of its aspects by their names. */
export interface Measured {
  readonly value: number
  readonly also: Readonly<Record<string, number>>
}

/** Measures once, for about so many seconds. */
export type Round = (seconds: number) => Promise<number | Measured>

/** What a contender finds when it starts. */
export interface Given {
  /** The URL of an empty database that nobody else has; of nothing, in a suite that needs none. */
  readonly database: string
  /** The URL of a Redis that all contenders of a run share; of nothing, in a suite that needs none. */
  readonly redis: string
}

/** Makes ready what a contender needs; each contender of a row has a process of its own. */
export type Contender = (given: Given) => Promise<Round> | Round

/** What must hold, all of it: of our own number, of its ratio to the reference, of what it is above the reference. */
export interface Target {
  readonly value?: number
  readonly ratio?: number
  readonly over?: number
}

/** What else was measured in the same rounds. */
export interface Aspect {
  readonly unit: string
  readonly less?: boolean
  readonly target?: Target
}

/** One comparison. The reference is the best of the peers. */
export interface Row {
  readonly name: string
  readonly unit: string
  /** Whether a smaller number is the better one, as with latencies; targets are limits then. */
  readonly less?: boolean
  readonly target?: Target
  readonly also?: Readonly<Record<string, Aspect>>
  readonly ours: Contender
  readonly peers: Readonly<Record<string, Contender>>
  /** What does less work, to know what the rest of the work costs; never the reference. */
  readonly beside?: Readonly<Record<string, Contender>>
}

/** What a file in `suites` exports as its default: comparisons, or a study that says itself what it finds. */
export type Suite = ReadonlyArray<Row>
export type Study = (options: StudyOptions) => Promise<void>

export interface StudyOptions {
  /** Whether results go to standard output, as JSON. */
  readonly json: boolean
  /** Whether to see only that it works: small, short, and nothing is written to the documents. */
  readonly quick: boolean
  readonly max: number | undefined
  readonly rounds: number
  readonly seconds: number
  /** An empty database, where the study needs one, and its server in words. */
  readonly database: string
  readonly server: string
}

/** A file in `suites`. One that needs databases says so; they are on a throwaway server, or on that of `DATABASE_URL`. */
export interface SuiteModule {
  readonly default: Suite | Study
  readonly needsDatabase?: boolean
  /** Whether it needs a Redis, which is a throwaway server. */
  readonly needsRedis?: boolean
  /** How long a round lasts when nobody says; 0.3 when absent. */
  readonly seconds?: number
}

/** Does the work so many times. */
export type Work = (times: number) => Promise<unknown>

interface Timed {
  readonly times: number
  readonly seconds: number
  /** What this process took of the processors, in microseconds. */
  readonly cpu: number
}

const timed = async (work: Work, times: number): Promise<Timed> => {
  const before = process.cpuUsage()
  const start = performance.now()
  await work(times)
  const seconds = (performance.now() - start) / 1000
  const { system, user } = process.cpuUsage(before)
  return { times, seconds, cpu: system + user }
}

/** Work that can go on for ever: as many times a round as fill it. */
const filling = (work: Work): ((seconds: number) => Promise<Timed>) => {
  let times = 1
  return async (seconds) => {
    let took = await timed(work, times)
    while (took.seconds < seconds / 2) {
      times = Math.ceil(times * Math.min(10, (seconds / Math.max(took.seconds, 1e-6)) * 1.1))
      took = await timed(work, times)
    }
    times = Math.max(1, Math.round((times / took.seconds) * seconds))
    return took
  }
}

/** Times a second, of work that can go on for ever. */
export const perSecond = (work: Work, each = 1): Round => {
  const run = filling(work)
  return async (seconds) => {
    const took = await run(seconds)
    return (each * took.times) / took.seconds
  }
}

/** The aspect of `perSecondWithCpu`. */
export const cpu = "CPU each"

/** Times a second, and what each time takes of the processors, in microseconds. */
export const perSecondWithCpu = (work: Work): Round => {
  const run = filling(work)
  return async (seconds) => {
    const took = await run(seconds)
    return { value: took.times / took.seconds, also: { [cpu]: took.cpu / took.times } }
  }
}

/** Times a second, of work that must be done so many times from a fresh start to be the same work. */
export const perSecondOf =
  (times: number, work: Work): Round =>
  async () =>
    times / (await timed(work, times)).seconds

/** The middle one, or between the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2
}

/** The value that such a part of them does not exceed. */
export const quantile = (values: ReadonlyArray<number>, part: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * part) - 1)] ?? Number.NaN

/** Work by so many at once, each of which goes on as soon as it is done. */
export const inFlight = (workers: number, make: (worker: number) => () => Promise<unknown>): Work => {
  const all = Array.from({ length: workers }, (_, worker) => make(worker))
  return async (times) => {
    let left = times
    const goOn = async (once: () => Promise<unknown>) => {
      while (left-- > 0) await once()
    }
    await Promise.all(all.map(goOn))
  }
}
