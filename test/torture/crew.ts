/**
 * Processes that are killed, frozen, cut off and started again.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as childProcess from "node:child_process"
import * as session from "./session.ts"

interface Member {
  readonly child: childProcess.ChildProcess
  ready: boolean
  frozen: NodeJS.Timeout | undefined
}

export class Crew {
  readonly counts = { kills: 0, freezes: 0, sessions: 0, "starts cut off": 0, "segments lost to another": 0 }
  readonly deaths: Array<string> = []
  readonly size: number
  private readonly file: string
  private readonly url: string
  private readonly members: Array<Member> = []
  private over = false

  constructor(file: string, url: string, size: number) {
    this.file = file
    this.url = url
    this.size = size
    for (let n = 0; n < size; n++) this.start(n)
  }

  /** Waits until one works. */
  get ready(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.members.some((member) => member.ready) ? Effect.void : Effect.delay(this.ready, "20 millis")
    )
  }

  kill(n: number): void {
    const member = this.members[n]
    if (member?.ready !== true) return
    this.counts.kills++
    this.end(member)
    this.start(n)
  }

  /** Stops a process, and lets it go on later as if nothing had happened. */
  freeze(n: number, millis: number): void {
    const member = this.members[n]
    if (member?.ready !== true || member.frozen !== undefined) return
    this.counts.freezes++
    member.child.kill("SIGSTOP")
    member.frozen = setTimeout(() => {
      member.frozen = undefined
      member.child.kill("SIGCONT")
    }, millis)
  }

  /** Lets all go on. */
  thaw(): void {
    for (const member of this.members) {
      clearTimeout(member.frozen)
      member.frozen = undefined
      member.child.kill("SIGCONT")
    }
  }

  dismiss(): void {
    this.over = true
    for (const member of this.members) this.end(member)
  }

  private end(member: Member): void {
    clearTimeout(member.frozen)
    member.ready = false
    member.child.removeAllListeners()
    member.child.kill("SIGKILL")
  }

  private start(n: number): void {
    if (this.over) return
    const child = childProcess.fork(this.file, [this.url], {
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    const member: Member = { child, ready: false, frozen: undefined }
    child.on("message", (message) => {
      if (typeof message !== "object") return
      if ("ready" in message) member.ready = true
      if ("died" in message) this.died(n, member, String(message.died))
      if ("said" in message && /another worker has|lost the segment/.test(String(message.said))) {
        this.counts["segments lost to another"]++
      }
    })
    this.members[n] = member
  }

  // A program whose session is cut off while it starts ends with a typed error, and whoever looks after it starts it again.
  private died(n: number, member: Member, why: string): void {
    if (member.ready || !why.includes("PostgresError")) {
      this.deaths.push(`a worker died: ${why}`)
      return
    }
    this.counts["starts cut off"]++
    this.end(member)
    this.start(n)
  }
}

/** What makes the workers' sessions known to the server, and how long, in milliseconds, one may say nothing before another takes over. */
interface Target {
  readonly application: string
  readonly lease: number
}

/** Kills or freezes one of them, or ends a few of their sessions, a little later. */
export const disturb = (crew: Crew, own: session.Session, { application, lease }: Target) =>
  Effect.gen(function* () {
    yield* Effect.sleep(yield* Random.nextIntBetween(100, 400))
    const choice = yield* Random.nextIntBetween(0, 10)
    const one = yield* Random.nextIntBetween(0, crew.size)
    if (choice < 4) crew.kill(one)
    else if (choice < 8) crew.freeze(one, lease * 2.5)
    else crew.counts.sessions += yield* cut(own, application)
  })

const cut = (own: session.Session, application: string) =>
  Effect.map(
    session.rows(
      own,
      `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = $1 order by random() limit 3`,
      [application]
    ),
    (rows) => rows.length
  )
