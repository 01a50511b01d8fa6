/**
 * Appends of one process, folded: those that come while as many statements as may are under way go together in the next.
 *
 * Each append stands for itself. It conflicts by itself, and who gives up waiting takes nobody along. What fails a group as a
 * whole, like a lock that somebody holds, sends its members on their way one by one. An append that is answered late keeps
 * only those to its own stream waiting.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { matches } from "../../../domain/EventQuery.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { PreparedAppend } from "../../../ports/EventStoreDriver.ts"
import { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { AppendReceipt } from "../../../ports/Receipt.ts"
import * as StorageFailure from "../../../ports/StorageFailure.ts"
import { inBackground, now } from "./session.ts"

type Written = Effect.Effect<AppendReceipt, EventStoreError>

/** How appends are written. */
export interface Statements {
  /** One append, in the caller's fiber or in one of ours. */
  readonly alone: (tenant: TenantId, append: PreparedAppend) => Written
  /** Several: what became of each, or undefined when they cannot go together now. */
  readonly together: (
    tenant: TenantId,
    appends: ReadonlyArray<PreparedAppend>
  ) => Effect.Effect<ReadonlyArray<Written> | undefined, EventStoreError>
}

export interface Writer {
  readonly write: (tenant: TenantId, append: PreparedAppend) => Written
}

/** The most appends, and about the most events, of one group. */
const maxAppends = 64
const maxEvents = 512

/** The most different tags of one group: with more, it would lock out all others of its tenant. */
const maxTags = 64

/** How far the queue is looked through for a group. */
const maxLooks = 1024

/** How long a statement may take, in milliseconds, before others need not wait for it. */
const patience = 50

/** How long the end of the writer waits for what is under way. */
const grace = "2 seconds"

interface Job {
  readonly tenant: TenantId
  readonly append: PreparedAppend
  readonly stream: string
  readonly answer: (written: Written) => void
  /** Whether nobody waits for the answer. */
  abandoned: boolean
}

/** A place among the statements under way. */
interface Place {
  taken: boolean
  since: number
}

export const make = (statements: Statements, places: number): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    /** Those whose turn it is on their streams. */
    const queue = new Set<Job>()
    /** Streams that somebody in the queue, or a statement under way, appends to. */
    const busy = new Set<string>()
    /** Those who wait for somebody before them on the same stream. */
    const behind = new Map<string, Set<Job>>()
    const direct = new Set<Place>()
    const fibers = new Set<Fiber.Fiber<unknown, unknown>>()
    let underWay = 0
    let watched = false
    let closed = false

    const run = Effect.runForkWith(yield* Effect.context<never>())
    const fork = (effect: Effect.Effect<void>) => {
      const fiber = run(inBackground(effect))
      fibers.add(fiber)
      fiber.addObserver(() => fibers.delete(fiber))
    }

    const leave = (place: Place) => {
      if (!place.taken) return
      place.taken = false
      direct.delete(place)
      underWay--
    }

    const pump = () => {
      while (underWay < places) {
        const group = nextGroup(queue)
        if (group.length === 0) return
        underWay++
        fork(writeGroup(group))
      }
      watch()
    }

    /** Who takes long, since somebody else has locked its stream, gives up its place. */
    const watch = () => {
      if (watched || queue.size === 0 || direct.size === 0) return
      watched = true
      fork(
        Effect.andThen(
          Effect.sleep(patience),
          Effect.sync(() => {
            watched = false
            const late = now() - patience
            for (const place of direct) if (place.since <= late) leave(place)
            pump()
          })
        )
      )
    }

    /** The stream is the next one's, who goes to the end of the queue. */
    const free = (stream: string) => {
      const jobs = behind.get(stream)
      const [next] = jobs ?? []
      if (jobs === undefined || next === undefined) return void busy.delete(stream)
      jobs.delete(next)
      if (jobs.size === 0) behind.delete(stream)
      queue.add(next)
    }

    const done = (job: Job, written: Written) => {
      free(job.stream)
      if (!job.abandoned) job.answer(written)
    }

    const writeAlone = (job: Job): Effect.Effect<void> =>
      job.abandoned
        ? Effect.sync(() => done(job, Effect.interrupt))
        : answered(statements.alone(job.tenant, job.append), (exit) =>
            done(job, Exit.isFailure(exit) ? failed(exit.cause) : exit)
          )

    const writeGroup = (group: ReadonlyArray<Job>): Effect.Effect<void> => {
      const [first] = group
      const freed = Effect.sync(() => {
        underWay--
        pump()
      })
      if (first === undefined) return freed
      if (group.length === 1) {
        // It may wait for a lock as long as it takes, and gives up its place like one that did not have to queue.
        const place: Place = { taken: true, since: now() }
        direct.add(place)
        watch()
        return Effect.ensuring(
          writeAlone(first),
          Effect.sync(() => {
            leave(place)
            pump()
          })
        )
      }
      const together = statements.together(
        first.tenant,
        group.map(({ append }) => append)
      )
      return Effect.ensuring(
        answered(together, (exit) => {
          for (const [index, job] of group.entries()) {
            if (Exit.isFailure(exit)) done(job, failed(exit.cause))
            else if (exit.value === undefined) fork(Effect.ensuring(writeAlone(job), Effect.sync(pump)))
            else done(job, exit.value[index] ?? Effect.fail(ended("no outcome")))
          }
        }),
        freed
      )
    }

    const queued = (tenant: TenantId, append: PreparedAppend, stream: string): Written =>
      Effect.callback((resume) => {
        if (closed) return resume(Effect.fail(ended("the store was closed")))
        const job: Job = { tenant, append, stream, answer: resume, abandoned: false }
        if (busy.has(stream)) {
          const jobs = behind.get(stream) ?? new Set()
          behind.set(stream, jobs.add(job))
        } else {
          busy.add(stream)
          queue.add(job)
        }
        watch()
        return Effect.sync(() => {
          job.abandoned = true
          if (queue.delete(job)) {
            free(stream)
            pump()
          } else if (behind.get(stream)?.delete(job) === true && behind.get(stream)?.size === 0) behind.delete(stream)
        })
      })

    const write = (tenant: TenantId, append: PreparedAppend): Written =>
      Effect.suspend(() => {
        const stream = `${tenant}\0${append.stream}`
        const place: Place = { taken: false, since: 0 }
        let owned = false
        return Effect.onExit(
          Effect.suspend(() => {
            if (closed || underWay >= places || busy.has(stream)) return queued(tenant, append, stream)
            place.taken = owned = true
            place.since = now()
            underWay++
            direct.add(place)
            busy.add(stream)
            return statements.alone(tenant, append)
          }),
          () =>
            Effect.sync(() => {
              if (!owned) return
              leave(place)
              free(stream)
              if (queue.size > 0) pump()
            })
        )
      })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        for (const job of [...queue, ...[...behind.values()].flatMap((jobs) => [...jobs])]) {
          job.answer(Effect.fail(ended("the store was closed")))
        }
        queue.clear()
        behind.clear()
        const waiting = Effect.timeoutOption(Fiber.awaitAll(fibers), grace)
        return Effect.andThen(inBackground(waiting), Fiber.interruptAll(fibers))
      })
    )
    return { write }
  })

/** Appends of one tenant, each to another stream, in the order in which they came. */
const nextGroup = (queue: Set<Job>): ReadonlyArray<Job> => {
  const group: Array<Job> = []
  const tags = new Set<string>()
  let [looks, events] = [0, 0]
  for (const job of queue) {
    if (++looks > maxLooks || group.length === maxAppends || events >= maxEvents) break
    const own = tagsOf(job.append)
    // Whoever comes first goes, whatever it needs.
    if (group.length > 0 && own.length > 0 && new Set([...tags, ...own]).size > maxTags) continue
    if (!canJoin(group, job)) continue
    group.push(job)
    for (const tag of own) tags.add(tag)
    events += job.append.events.length
  }
  for (const job of group) queue.delete(job)
  return group
}

/** The tags that an append locks. */
const tagsOf = ({ condition, events }: PreparedAppend): ReadonlyArray<string> => {
  const tags: Array<string> = []
  for (const event of events) tags.push(...event.tags)
  for (const { tags: [tag] = [] } of condition?.query ?? []) if (tag !== undefined) tags.push(tag)
  return tags
}

/** Whether none decides over what another is about to write, since they are one moment in the log. */
const canJoin = (group: ReadonlyArray<Job>, { append, tenant }: Job): boolean => {
  const [first] = group
  if (first === undefined) return true
  return first.tenant === tenant && group.every((job) => !concerns(job.append, append) && !concerns(append, job.append))
}

const concerns = ({ condition }: PreparedAppend, { events }: PreparedAppend): boolean =>
  condition !== undefined && events.some((event) => matches(condition.query, event))

/** Tells how an effect ended, also when it was interrupted. */
const answered = <A, E>(self: Effect.Effect<A, E>, tell: (exit: Exit.Exit<A, E>) => void): Effect.Effect<void> =>
  Effect.asVoid(Effect.exit(Effect.onExit(self, (exit) => Effect.sync(() => tell(exit)))))

// Nobody but the end of the writer interrupts what is under way.
const failed = (cause: Cause.Cause<EventStoreError>): Written =>
  Cause.hasInterrupts(cause) ? Effect.fail(ended("the store was closed")) : Effect.failCause(cause)

const ended = (cause: unknown): EventStoreError =>
  new EventStoreError({ reason: StorageFailure.make({ operation: "EventStore.append", retryable: true, cause }) })
