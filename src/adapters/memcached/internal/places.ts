/**
 * The cache's steps on a server that knows one key at a time.
 *
 * A tag has a mark: a text that nobody had before. An answer has the marks of its tags at the time when its making began, and is
 * right for as long as they are still those. Invalidating a tag deletes its mark; a tag without one, also because the server has
 * evicted it, gets another with the next making. A mark is never used again, so marks that are equal when they are read were there
 * all the time since the making began: it does not matter in which order the keys of an answer are read.
 *
 * What is written over something is written by its token, so of two who write the later one of what both have read is refused.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Result from "effect/Result"
import { sha256 } from "../../../domain/internal/sha256.ts"
import type { Position } from "../../../domain/Position.ts"
import { part } from "../../../domain/QueryKey.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { Invalidation, Slot } from "../../../ports/QueryCacheDriver.ts"
import type { Client, Failure, Reply } from "./client.ts"

/** What is kept of an answer: a line of all that is not its text, and its text. */
export interface Answer {
  readonly stamp: string
  /** The token of the lease under which it was made: of two answers the greater is newer. */
  readonly begun: number
  readonly at: number
  readonly ttl: number
  readonly grace: number
  readonly cost: number
  readonly position: number
  readonly text: string
}

export type Entered =
  | { readonly _tag: "Found"; readonly answer: Answer }
  | { readonly _tag: "Vacant"; readonly stamp: string; readonly begun: number }
  | { readonly _tag: "Taken" }

interface Entering {
  readonly token: string
  readonly after: Position
  readonly until: number
  readonly now: number
  readonly mode: "look" | "claim"
}

type Step<A> = Effect.Effect<A, Failure>

/** How long a tag is known that nobody uses, in seconds: longer than any answer is kept, and less than what is taken for a date. */
const tagsStay = 21 * 24 * 60 * 60
/** How often a step begins anew because others were faster; each time one of them has got on. */
const attempts = 8

const Head = Schema.fromJsonString(
  Schema.Tuple([
    Schema.String,
    Schema.Number,
    Schema.Number,
    Schema.Number,
    Schema.Number,
    Schema.Number,
    Schema.Number
  ])
)
const decodeHead = Schema.decodeUnknownResult(Head)
const Lease = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String, Schema.Number]))
const decodeLease = Schema.decodeUnknownResult(Lease)

export class Places {
  private readonly client: Client
  private readonly prefix: string

  constructor(client: Client, prefix: string) {
    this.client = client
    this.prefix = prefix
  }

  enter(slot: Slot, entering: Entering, attempt = 1): Step<Entered> {
    return Effect.gen({ self: this }, function* () {
      const { after, mode, now, token, until } = entering
      // Before the marks: what a projection has made wrong until then is gone from them. The lease before the answer: it is given
      // back when the answer is there.
      const [progress, lease, answer, ...marks] = yield* this.all([
        this.get(this.key(slot.tenant, "progress", slot.source ?? "")),
        this.get(this.key(slot.tenant, "lease", slot.key)),
        this.get(this.key(slot.tenant, "answer", slot.key)),
        ...this.marks(slot).map((key) => this.client.send(`mg ${key} v T${tagsStay}`))
      ])
      const known = stampOf(marks)
      const found = answerOf(answer)
      if (mode === "look" && found !== undefined && known !== undefined && found.stamp === known) {
        const isFar = found.position >= after || Number(progress?.value ?? 0) >= after
        if (isFar && found.at + found.ttl + found.grace > now) return { _tag: "Found", answer: found } as const
      }
      const held = lease?.value === undefined ? undefined : decodeLease(lease.value)
      if (known !== undefined && held !== undefined && Result.isSuccess(held)) {
        const [, stamp, expires] = held.success
        if (stamp === known && expires > now) return { _tag: "Taken" } as const
      }
      const stamp = known ?? (yield* this.marked(slot, `${token}.${attempt}`, marks))
      const text = JSON.stringify([token, stamp, until])
      const seconds = Math.ceil((until - now) / 1000) + 1
      const mine = yield* this.put(this.key(slot.tenant, "lease", slot.key), text, seconds, lease)
      if (mine.status === "HD") return { _tag: "Vacant", stamp, begun: Number(mine.cas) } as const
      // Somebody else was faster.
      return attempt === attempts ? ({ _tag: "Taken" } as const) : yield* this.enter(slot, entering, attempt + 1)
    })
  }

  /** Keeps an answer unless a mark has changed, or one is kept that was begun later; the lease is given back in any case. */
  fill(slot: Slot, token: string, answer: Answer): Step<boolean> {
    // One that cannot be given back runs out by itself.
    return Effect.ensuring(this.write(slot, answer), Effect.ignore(this.abandon(slot, token)))
  }

  private write(slot: Slot, answer: Answer, attempt = 1): Step<boolean> {
    return Effect.gen({ self: this }, function* () {
      const key = this.key(slot.tenant, "answer", slot.key)
      const [before, ...marks] = yield* this.all([this.get(key), ...this.marks(slot).map((key) => this.get(key))])
      if (stampOf(marks) !== answer.stamp) return false
      const kept = answerOf(before)
      if (kept !== undefined && kept.stamp === answer.stamp && kept.begun > answer.begun) return false
      const { at, begun, cost, grace, position, stamp, text, ttl } = answer
      if (ttl + grace < 1) return false
      const head = JSON.stringify([stamp, begun, at, ttl, grace, cost, position])
      const written = yield* this.put(key, `${head}\n${text}`, Math.ceil((ttl + grace) / 1000) + 1, before)
      if (written.status === "HD") return true
      return attempt === attempts ? false : yield* this.write(slot, answer, attempt + 1)
    })
  }

  abandon(slot: Slot, token: string): Step<void> {
    return Effect.gen({ self: this }, function* () {
      const key = this.key(slot.tenant, "lease", slot.key)
      const lease = yield* this.get(key)
      const held = lease.value === undefined ? undefined : decodeLease(lease.value)
      const isMine = held !== undefined && Result.isSuccess(held) && held.success[0] === token
      if (isMine) yield* this.client.send(`md ${key} C${lease.cas}`)
    })
  }

  invalidate(tenant: TenantId, { progress, tags }: Invalidation): Step<true> {
    return Effect.gen({ self: this }, function* () {
      yield* this.all(tags.map((tag) => this.client.send(`md ${this.key(tenant, "tag", tag)}`)))
      if (progress !== undefined) yield* this.advance(this.key(tenant, "progress", progress.source), progress.position)
      return true as const
    })
  }

  private advance(key: string, position: Position): Step<void> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        const before = yield* this.get(key)
        if (Number(before.value ?? 0) >= position) return
        const written = yield* this.put(key, String(position), tagsStay, before)
        if (written.status === "HD") return
      }
    })
  }

  /** Gives marks that begin with what nobody had before to the tags that have none, unless somebody else was faster. */
  private marked(slot: Slot, unused: string, marks: ReadonlyArray<Reply>): Step<string> {
    return Effect.gen({ self: this }, function* () {
      const keys = this.marks(slot)
      const texts = yield* this.all(
        keys.map((key, index) => {
          const there = marks[index]?.value
          if (there !== undefined) return Effect.succeed(there)
          const mark = `${unused}.${index}`
          return Effect.flatMap(this.put(key, mark, tagsStay, undefined), ({ status }) =>
            // Deleted again already: another text than any mark, so that nothing is found under it.
            status === "HD" ? Effect.succeed(mark) : Effect.map(this.get(key), ({ value }) => value ?? `${mark}!`)
          )
        })
      )
      return texts.join(",")
    })
  }

  private get(key: string): Step<Reply> {
    return this.client.send(`mg ${key} v c`)
  }

  /** Writes where there is what was read, or nothing where nothing was. */
  private put(key: string, text: string, seconds: number, read: Reply | undefined): Step<Reply> {
    const where = read?.value === undefined ? "ME" : `C${read.cas}`
    return this.client.send(`ms ${key} ${Buffer.byteLength(text)} c T${seconds} ${where}`, text)
  }

  private all<A>(steps: ReadonlyArray<Step<A>>): Step<ReadonlyArray<A>> {
    return Effect.all(steps, { concurrency: "unbounded" })
  }

  private marks(slot: Slot): ReadonlyArray<string> {
    return slot.tags.map((tag) => this.key(slot.tenant, "tag", tag))
  }

  /** A key has at most 250 bytes, and neither spaces nor control characters. */
  private key(tenant: TenantId, kind: string, name: string): string {
    const key = `${this.prefix}:{${part(tenant)}}:${kind}:${name}`
    return /^[!-~]{1,200}$/.test(key) ? key : `${sha256(this.prefix).slice(0, 16)}:${kind}:${sha256(key)}`
  }
}

const stampOf = (marks: ReadonlyArray<Reply>): string | undefined => {
  const texts = marks.flatMap(({ value }) => (value === undefined ? [] : [value]))
  return texts.length === marks.length ? texts.join(",") : undefined
}

const answerOf = (reply: Reply | undefined): Answer | undefined => {
  if (reply?.value === undefined) return undefined
  const line = reply.value.indexOf("\n")
  const head = decodeHead(reply.value.slice(0, line))
  if (Result.isFailure(head)) return undefined
  const [stamp, begun, at, ttl, grace, cost, position] = head.success
  return { stamp, begun, at, ttl, grace, cost, position, text: reply.value.slice(line + 1) }
}
