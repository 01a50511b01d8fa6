/**
 * Processes that are killed, frozen and started again.
 */
import * as Effect from "effect/Effect"
import * as childProcess from "node:child_process"

interface Member {
  readonly child: childProcess.ChildProcess
  ready: boolean
  frozen: NodeJS.Timeout | undefined
}

export class Crew {
  readonly counts = { kills: 0, freezes: 0, sessions: 0, "starts cut off": 0, "segments lost to another": 0 }
  readonly deaths: Array<string> = []
  private readonly file: string
  private readonly url: string
  private readonly members: Array<Member> = []
  private over = false

  constructor(file: string, url: string, size: number) {
    this.file = file
    this.url = url
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
