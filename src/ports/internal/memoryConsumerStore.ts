/** Consumers, their segments and their workers on the journal of the memory layers. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Position from "../../domain/Position.ts"
import * as Segment from "../../domain/Segment.ts"
import type * as Store from "../ConsumerStoreDriver.ts"
import { ConsumerStoreError, ConsumerUnknown, Fenced, SegmentRefused } from "../ConsumerStoreError.ts"
import { type Journal, JournalMap } from "./Journal.ts"
import * as Layout from "../SegmentLayout.ts"

interface Row extends Layout.Part {
  readonly token: number
  readonly owner: string | undefined
  readonly leaseUntil: number
}

interface Consumer {
  readonly state: Store.ConsumerState
  readonly since: number
  readonly segments: ReadonlyMap<number, Row>
  /** Until when each worker lives. */
  readonly workers: ReadonlyMap<string, number>
}

export const makeMemory = (journal: Journal): Store.Driver => {
  const consumers = new JournalMap<string, Consumer>()
  let lastToken = 0

  const free = (row: Layout.Part): Row => ({ ...row, token: ++lastToken, owner: undefined, leaseUntil: 0 })

  /** Changes a consumer, if there is one. */
  const change = <A>(
    name: string,
    f: (consumer: Consumer, now: number) => Exit.Exit<readonly [A, Consumer], ConsumerStoreError>
  ): Effect.Effect<A, ConsumerStoreError> =>
    journal.write((transaction, fiber) => {
      const consumer = consumers.get(transaction, name)
      if (consumer === undefined) return Exit.fail(unknown(name))
      const changed = f(consumer, nowOf(fiber))
      if (Exit.isFailure(changed)) return Exit.failCause(changed.cause)
      const [result, next] = changed.value
      consumers.set(transaction, name, next)
      return Exit.succeed(result)
    })

  /** Changes a segment, if this owner still has it. */
  const changeOwned = (
    { consumer: name, segment, token }: Store.Owned,
    f: (row: Row) => Row | undefined,
    from: Position.Position
  ): Effect.Effect<void, ConsumerStoreError> =>
    change(name, (consumer) => {
      const row = consumer.segments.get(segment.id)
      const next = row?.token === token && row.owner !== undefined ? f(row) : undefined
      return next === undefined
        ? Exit.fail(fenced(name, segment.id, token, from))
        : Exit.succeed([undefined, withRows(consumer, [next])])
    })

  const info = (name: string, consumer: Consumer, now: number): Store.ConsumerInfo => ({
    name,
    state: consumer.state,
    since: consumer.since,
    segments: Array.from(consumer.segments.values(), ({ checkpoint, leaseUntil, owner, segment, token }) => ({
      segment,
      checkpoint,
      token,
      owner: leaseUntil > now ? owner : undefined
    })).sort((a, b) => a.segment.id - b.segment.id),
    workers: living(consumer, now)
  })

  const all = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    journal.read((transaction) =>
      Array.from(consumers.entries(transaction), ([name, consumer]) => info(name, consumer, now)).sort((a, b) =>
        a.name < b.name ? -1 : 1
      )
    )
  )

  return {
    open: (name, { after, segments }) =>
      journal.write((transaction, fiber) => {
        if (consumers.get(transaction, name) !== undefined) return Exit.void
        const trail = after === 0 ? [] : [{ position: after, id: "" }]
        const checkpoint = { position: after, event: undefined, trail, epoch: undefined }
        const rows = Segment.initial(segments).map((segment) => free({ segment, checkpoint, ahead: [] }))
        consumers.set(transaction, name, {
          state: { status: "running" },
          since: nowOf(fiber),
          segments: new Map(rows.map((row) => [row.segment.id, row])),
          workers: new Map()
        })
        return Exit.void
      }),
    beat: (name, worker, lease) =>
      change(name, (consumer, now) => {
        const until = now + Duration.toMillis(lease)
        const owned = Array.from(consumer.segments.values()).filter((row) => row.owner === worker)
        const workers = new Map([...consumer.workers].filter(([, until]) => until > now)).set(worker, until)
        const next = withRows(
          { ...consumer, workers },
          owned.map((row) => ({ ...row, leaseUntil: until }))
        )
        const workersNow = living(next, now)
        return Exit.succeed([
          {
            state: consumer.state,
            epoch: "memory",
            held: owned.map(({ segment, token }) => ({ consumer: name, segment, token })),
            share: Layout.share(consumer.segments.size, workersNow.length, workersNow.indexOf(worker))
          },
          next
        ])
      }),
    claim: (name, worker, { lease, limit }) =>
      change(name, (consumer, now) => {
        const rows = Array.from(consumer.segments.values())
          .filter((row) => row.owner === undefined || row.leaseUntil <= now)
          .sort((a, b) => a.segment.id - b.segment.id)
          .slice(0, consumer.state.status === "running" ? limit : 0)
          .map((row) => ({ ...free(row), owner: worker, leaseUntil: now + Duration.toMillis(lease) }))
        const claims = rows.map(({ ahead, checkpoint, segment, token }): Store.Claim => {
          return { consumer: name, segment, token, checkpoint, ahead }
        })
        return Exit.succeed([claims, withRows(consumer, rows)])
      }),
    commit: (owned, from, { epoch, event, position, trail }) =>
      changeOwned(
        owned,
        (row) => {
          const { checkpoint } = row
          if (checkpoint.position !== from) return undefined
          return {
            ...row,
            checkpoint: {
              position,
              event: event ?? checkpoint.event,
              trail: trail ?? checkpoint.trail,
              epoch: epoch ?? checkpoint.epoch
            }
          }
        },
        from
      ),
    release: ({ consumer: name, segment, token }) =>
      journal.write((transaction) => {
        const consumer = consumers.get(transaction, name)
        const row = consumer?.segments.get(segment.id)
        if (consumer !== undefined && row?.token === token) {
          consumers.set(transaction, name, withRows(consumer, [{ ...row, owner: undefined }]))
        }
        return Exit.void
      }),
    leave: (name, worker) =>
      journal.write((transaction) => {
        const consumer = consumers.get(transaction, name)
        if (consumer === undefined) return Exit.void
        const workers = new Map(consumer.workers)
        workers.delete(worker)
        const owned = Array.from(consumer.segments.values()).filter((row) => row.owner === worker)
        const left = owned.map((row) => ({ ...row, owner: undefined }))
        consumers.set(transaction, name, withRows({ ...consumer, workers }, left))
        return Exit.void
      }),
    split: (name, id) =>
      change(name, (consumer) => {
        const parts = Layout.split(consumer.segments.get(id))
        if (typeof parts === "string") return Exit.fail(refused(name, id, parts))
        const [first, second] = parts
        const next = withRows(consumer, [free(first), free(second)])
        return Exit.succeed([[first.segment, second.segment] as const, next])
      }),
    merge: (name, id) =>
      change(name, (consumer) => {
        const merged = Layout.merge(id, (other) => consumer.segments.get(other))
        if (typeof merged === "string") return Exit.fail(refused(name, id, merged))
        const segments = new Map(consumer.segments)
        segments.delete(merged.gone)
        return Exit.succeed([merged.part.segment, withRows({ ...consumer, segments }, [free(merged.part)])])
      }),
    setState: (name, state) =>
      change(name, (consumer, now) => Exit.succeed([undefined, { ...consumer, state, since: now }])),
    reset: (name, checkpoints) =>
      change(name, (consumer) => {
        const rows: Array<Row> = []
        for (const { checkpoint, segment } of checkpoints) {
          const row = consumer.segments.get(segment)
          if (row === undefined) return Exit.fail(refused(name, segment, "unknown"))
          rows.push(free({ segment: row.segment, checkpoint, ahead: [] }))
        }
        return Exit.succeed([undefined, withRows(consumer, rows)])
      }),
    remove: (name) =>
      journal.write((transaction) => {
        consumers.set(transaction, name, undefined)
        return Exit.void
      }),
    inspect: (name) =>
      Effect.flatMap(all, (found) => {
        const one = found.find((info) => info.name === name)
        return one === undefined ? Effect.fail(unknown(name)) : Effect.succeed(one)
      }),
    list: all
  }
}

const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const living = ({ workers }: Consumer, now: number): ReadonlyArray<string> =>
  Array.from(workers)
    .flatMap(([worker, until]) => (until > now ? [worker] : []))
    .sort()

const withRows = (consumer: Consumer, rows: ReadonlyArray<Row>): Consumer => {
  if (rows.length === 0) return consumer
  const segments = new Map(consumer.segments)
  for (const row of rows) segments.set(row.segment.id, row)
  return { ...consumer, segments }
}

const unknown = (consumer: string) => new ConsumerStoreError({ reason: new ConsumerUnknown({ consumer }) })

const fenced = (consumer: string, segment: number, token: number, from: Position.Position) =>
  new ConsumerStoreError({ reason: new Fenced({ consumer, segment, token, from }) })

const refused = (consumer: string, segment: number, why: SegmentRefused["why"]) =>
  new ConsumerStoreError({ reason: new SegmentRefused({ consumer, segment, why }) })
