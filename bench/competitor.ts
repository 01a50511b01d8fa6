/**
 * The contenders of a row, taking turns.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as path from "node:path"
import type { Answer, Question } from "./contender.ts"
import { type Measured, median, type Row } from "./harness.ts"

export class Competitor {
  readonly name: string
  readonly rounds: Array<Measured> = []
  private readonly child: ChildProcess

  constructor(name: string) {
    this.name = name
    const execArgv = ["--expose-gc", ...process.execArgv]
    this.child = fork(path.join(import.meta.dirname, "contender.ts"), { execArgv, stdio: ["ignore", 2, 2, "ipc"] })
  }

  async ask(question: Question): Promise<Measured> {
    const ended = once(this.child, "exit").then(([code]): Answer => ({ failure: `it ended with ${code}` }))
    const replied = once(this.child, "message").then(([answer]: ReadonlyArray<Answer>) => answer)
    this.child.send(question)
    const answer = (await Promise.race([replied, ended])) ?? { failure: "it said nothing" }
    if ("failure" in answer) throw new Error(`${this.name}: ${answer.failure}`)
    return answer
  }

  /** Of all rounds; of an aspect, where one is named. */
  values(aspect?: string): ReadonlyArray<number> {
    return this.rounds.map(({ also, value }) => (aspect === undefined ? value : (also[aspect] ?? Number.NaN)))
  }

  median(aspect?: string): number {
    return median(this.values(aspect))
  }

  async end(): Promise<void> {
    const ended = once(this.child, "exit")
    // Some of the peers take a polite signal for a reason to say a lot.
    if (this.child.kill("SIGKILL")) await ended
  }
}

export interface Options {
  readonly rounds: number
  readonly seconds: number
  /** Makes a database for one contender, where the suite needs them. */
  readonly database?: (() => Promise<{ readonly url: string; readonly drop: () => Promise<void> }>) | undefined
  /** The URL of the Redis, where the suite needs one. */
  readonly redis?: string | undefined
}

export interface Competition {
  readonly ours: Competitor
  readonly peers: ReadonlyArray<Competitor>
  readonly beside: ReadonlyArray<Competitor>
}

/** All contenders are ready and warm before the first round, and only one of them works at a time. */
export const compete = async (suite: string, row: Row, options: Options): Promise<Competition> => {
  const { redis = "", rounds, seconds } = options
  const ours = new Competitor("ours")
  const peers = Object.keys(row.peers).map((name) => new Competitor(name))
  const beside = Object.keys(row.beside ?? {}).map((name) => new Competitor(name))
  const all = [ours, ...peers, ...beside]
  const databases = []
  try {
    const tasks = []
    for (const one of all) {
      const database = await options.database?.()
      if (database !== undefined) databases.push(database)
      const peer = one === ours ? undefined : one.name
      tasks.push({ one, task: { suite, row: row.name, peer, database: database?.url ?? "", redis } })
    }
    await Promise.all(tasks.map(({ one, task }) => one.ask({ task })))
    for (const one of all) for (let warm = 0; warm < 2; warm++) await one.ask({ seconds })
    for (let round = 0; round < rounds; round++) for (const one of all) one.rounds.push(await one.ask({ seconds }))
  } finally {
    for (const one of all) await one.end()
    for (const { drop } of databases) await drop()
  }
  return { beside, ours, peers }
}
