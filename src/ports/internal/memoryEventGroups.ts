/** Groups and what is forwarded to them, in one process. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Behind, Claim, Driver, Entry, Failure, Name, Parked } from "../EventGroupsDriver.ts"
import * as Ids from "./groups/ids.ts"

interface Kept extends Entry {
  readonly previous: string | undefined
}

class Group {
  /** The id that was given last. */
  after: string | undefined
  /** What was given and is not handled, with how often it was given. */
  readonly pending = new Map<string, number>()
  readonly parked = new Map<string, Parked>()
  owner: { readonly worker: string; readonly token: number } | undefined
  token = 0
  until = 0
}

class Part {
  mark: number | undefined
  last: string | undefined
  entries: Array<Kept> = []
  readonly groups = new Map<string, Group>()

  group(name: string): Group {
    const known = this.groups.get(name)
    if (known !== undefined) return known
    const made = new Group()
    this.groups.set(name, made)
    return made
  }

  /** The entries after an id. */
  since(id: string | undefined): ReadonlyArray<Kept> {
    return id === undefined ? this.entries : this.entries.filter((entry) => Ids.compare(entry.id, id) > 0)
  }
}

class Log {
  readonly parts: ReadonlyArray<Part>
  readonly workers = new Map<string, Map<string, number>>()
  readonly listeners = new Set<(segment: number | undefined) => void>()

  constructor(segments: number) {
    this.parts = Array.from({ length: segments }, () => new Part())
  }

  tell(segment: number): void {
    for (const wake of this.listeners) wake(segment)
  }
}

export const makeMemory = (segments: number): Driver => {
  const logs = new Map<string, Log>()
  const logOf = (name: string): Log => {
    const known = logs.get(name)
    if (known !== undefined) return known
    const made = new Log(segments)
    logs.set(name, made)
    return made
  }
  const partOf = (log: string, segment: number): Part => {
    const part = logOf(log).parts[segment]
    if (part === undefined) throw new Error(`There is no segment ${segment} of ${log}`)
    return part
  }
  const groupOf = ({ group, log }: Name, segment: number): Group => partOf(log, segment).group(group)
  /** Does something for the owner of a segment, or nothing for who no longer is. */
  const owning = <A>(claim: Claim, otherwise: A, f: (group: Group, now: number, part: Part) => A): Effect.Effect<A> =>
    timed((now) => {
      const part = partOf(claim.log, claim.segment)
      const group = part.groups.get(claim.group)
      const isOwner = group?.owner?.token === claim.token && group.owner.worker === claim.worker
      return isOwner ? f(group, now, part) : otherwise
    })
  return {
    segments,
    open: (log, segment, { floor, groups }) =>
      Effect.sync(() => {
        const part = partOf(log, segment)
        for (const group of groups) part.group(group)
        return (part.mark ??= floor)
      }),
    add: (log, segment, { entries, from, to }) =>
      Effect.sync(() => {
        const part = partOf(log, segment)
        if (part.mark !== from) return false
        for (const entry of entries) {
          if (part.last !== undefined && Ids.compare(entry.id, part.last) <= 0) continue
          part.entries.push({ ...entry, previous: part.last })
          part.last = entry.id
        }
        part.mark = to
        if (entries.length > 0) logOf(log).tell(segment)
        return true
      }),
    settle: (log, segment) => Effect.sync(() => settle(partOf(log, segment))),
    start: (name, segment, at) =>
      Effect.sync(() => {
        const part = partOf(name.log, segment)
        if (!part.groups.has(name.group)) part.group(name.group).after = at === "now" ? part.last : undefined
      }),
    join: ({ group, log }, worker, millis) =>
      timed((now) => {
        const { workers } = logOf(log)
        const all = workers.get(group) ?? new Map<string, number>()
        workers.set(group, all.set(worker, now + millis))
        for (const [name, until] of all) if (until <= now) all.delete(name)
        return all.size
      }),
    leave: ({ group, log }, worker) => Effect.sync(() => void logOf(log).workers.get(group)?.delete(worker)),
    claim: (name, segment, worker, millis) =>
      timed((now) => {
        const group = groupOf(name, segment)
        if (group.owner !== undefined && group.owner.worker !== worker && group.until > now) return undefined
        group.token = Math.max(group.token + 1, now)
        group.owner = { worker, token: group.token }
        group.until = now + millis
        const parked = Array.from(group.parked.values(), ({ id, key }) => ({ id, key }))
        const { group: called, log } = name
        return { log, group: called, segment, worker, token: group.token, after: group.after, parked: sorted(parked) }
      }),
    renew: (claim, millis) =>
      owning(claim, false, (group, now) => {
        group.until = now + millis
        return true
      }),
    release: (claim) =>
      owning(claim, false, (group) => {
        group.owner = undefined
        return true
      }),
    take: (claim, { handled, limit, millis, parked }) =>
      owning(claim, undefined, (group, now, part) => {
        if (parked !== undefined && group.parked.size !== parked) return undefined
        group.until = now + millis
        for (const id of handled) group.pending.delete(id)
        if (limit === undefined) return { entries: [], due: undefined }
        const [again] = group.pending
        if (again !== undefined) {
          const [id, times] = again
          group.pending.set(id, times + 1)
          const entries = part.entries.filter((one) => one.id === id)
          return { entries: entries.map((one) => given(one, times + 1)), due: undefined }
        }
        const due = sorted(Array.from(group.parked.values())).find((one) => one.due !== undefined && one.due <= now)
        const entries = part.since(group.after).slice(0, limit)
        for (const { id } of entries) group.pending.set(id, 1)
        group.after = entries.at(-1)?.id ?? group.after
        return { entries: entries.map((one) => given(one, 1)), due }
      }),
    park: (claim, entry, why) =>
      owning(claim, false, ({ parked, pending }, now) => {
        const { id, key, text } = entry
        if (isGone(parked, why)) return false
        if (!pending.delete(id)) return parked.has(id)
        const kept = { id, key, text, segment: claim.segment, at: now, due: undefined, skipped: undefined }
        parked.set(id, { ...kept, ...became(why, now) })
        return true
      }),
    settled: (claim, id, next) =>
      owning(claim, false, ({ parked }, now) => {
        const head = next === undefined ? undefined : parked.get(next)
        if (next !== undefined && head === undefined) return false
        parked.delete(id)
        if (head !== undefined) parked.set(head.id, { ...head, due: now })
        return true
      }),
    failed: (claim, id, why) =>
      owning(claim, false, ({ parked }, now) => {
        if (isGone(parked, why)) return false
        const one = parked.get(id)
        if (one !== undefined)
          parked.set(id, "behind" in why ? { ...one, due: undefined } : afterFailure(one, why, now))
        return true
      }),
    parked: ({ group, log }) =>
      Effect.sync(() =>
        sorted(logOf(log).parts.flatMap((part) => Array.from(part.groups.get(group)?.parked.values() ?? [])))
      ),
    replay: (name, segment, ids) =>
      timed((now) => {
        const { parked } = groupOf(name, segment)
        const found = ids.flatMap((id) => parked.get(id) ?? [])
        for (const one of found) parked.set(one.id, { ...one, attempts: 0, due: now })
        logOf(name.log).tell(segment)
        return found.length
      }),
    skip: (name, segment, id, reason) =>
      timed((now) => {
        const { parked } = groupOf(name, segment)
        const one = parked.get(id)
        if (one === undefined) return 0
        parked.set(id, { ...one, skipped: reason, due: now })
        logOf(name.log).tell(segment)
        return 1
      }),
    inspect: ({ group, log }) =>
      timed((now) =>
        logOf(log).parts.map((part, segment) => {
          const found = part.groups.get(group)
          return {
            segment,
            owner: found !== undefined && found.until > now ? found.owner : undefined,
            lag: found === undefined ? 0 : part.since(found.after).length,
            pending: found?.pending.size ?? 0,
            parked: found?.parked.size ?? 0
          }
        })
      ),
    remove: ({ group, log }) =>
      Effect.sync(() => {
        for (const part of logOf(log).parts) part.groups.delete(group)
        logOf(log).workers.delete(group)
      }),
    listen: (log, wake) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => logOf(log).listeners.add(wake)),
          () => Effect.sync(() => logOf(log).listeners.delete(wake))
        )
      )
  }
}

const timed = <A>(f: (now: number) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Effect.succeed(f(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())))

const sorted = <A extends { readonly id: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.toSorted((a, b) => Ids.compare(a.id, b.id))

const given = (entry: Kept, attempt: number) => ({ ...entry, attempt })

const isGone = (parked: ReadonlyMap<string, Parked>, why: Failure | Behind) =>
  "behind" in why && !parked.has(why.behind)

const became = (why: Failure | Behind, now: number) =>
  "behind" in why
    ? { category: "Behind" as const, error: "", attempts: 0, due: undefined }
    : {
        category: why.category,
        error: why.error,
        attempts: why.attempts,
        due: why.retryInMillis === undefined ? undefined : now + why.retryInMillis
      }

const afterFailure = (one: Parked, why: Failure, now: number): Parked => {
  const next = { ...one, ...became(why, now) }
  // Somebody has decided meanwhile that it is tried anew, or left out.
  if (one.attempts < why.attempts - 1) return { ...next, attempts: one.attempts, due: now }
  return one.skipped === undefined ? next : { ...next, due: now }
}

/** Forgets what all groups have handled, and answers up to where nobody needs anything. */
const settle = (part: Part): number => {
  const mark = part.mark ?? 0
  const groups = Array.from(part.groups.values())
  if (groups.length === 0) return mark
  let needed = mark
  const isNeeded = (id: string) => groups.some((group) => group.pending.has(id) || isAfter(id, group.after))
  const from = part.entries.findIndex(({ id }) => isNeeded(id))
  const first = part.entries[from]
  part.entries = from === -1 ? [] : part.entries.slice(from)
  if (first !== undefined) needed = Ids.position(first.id) - 1
  for (const group of groups) {
    for (const id of group.parked.keys()) needed = Math.min(needed, Ids.position(id) - 1)
  }
  return needed
}

const isAfter = (id: string, after: string | undefined) => after === undefined || Ids.compare(id, after) > 0
