/**
 * Consumers in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import * as Segment from "../../domain/Segment.ts"
import { ConsumerStore } from "../../ports/ConsumerStore.ts"
import type * as Store from "../../ports/ConsumerStoreDriver.ts"
import { ConsumerStoreError, ConsumerUnknown, Fenced, SegmentRefused } from "../../ports/ConsumerStoreError.ts"
import * as SegmentLayout from "../../ports/SegmentLayout.ts"
import * as Rows from "./internal/consumers.ts"
import * as failure from "./internal/failure.ts"
import { joined, transact } from "./internal/transaction.ts"

/**
 * Consumers in the tables `es.consumer`, `es.consumer_segment` and `es.consumer_worker`.
 *
 * **Details**
 *
 * Leases run by the clock of the database. What a worker has begun to commit counts: its segment is claimed by another only
 * after that commit, from where it ended.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ConsumerStore, never, SqlClient.SqlClient> = Layer.effect(
  ConsumerStore,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const toError = (operation: string) => {
      const toFailure = failure.fromSqlError(`ConsumerStore.${operation}`)
      return (error: Parameters<typeof toFailure>[0]) => new ConsumerStoreError({ reason: toFailure(error) })
    }

    const rowsOf = <A>(operation: string, statement: Statement<A>) =>
      Effect.mapError(joined(sql, statement.withoutTransform), toError(operation))

    const run = (operation: string, text: string, params: ReadonlyArray<unknown>) =>
      Effect.asVoid(rowsOf(operation, sql.unsafe(text, params)))

    /** Changes the layout of a consumer whose segments nobody else changes or claims meanwhile. */
    const changing = <A>(
      operation: string,
      name: string,
      f: (parts: ReadonlyMap<number, SegmentLayout.Part>) => Effect.Effect<A, ConsumerStoreError>
    ): Effect.Effect<A, ConsumerStoreError> => {
      const found = sql.unsafe<Rows.SegmentRow>(Rows.locked, [name])
      const work = Effect.gen(function* () {
        const known = yield* rowsOf(operation, sql.unsafe(Rows.lockedConsumer, [name]))
        if (known.length === 0) return yield* unknown(name)
        const parts = Array.from(yield* rowsOf(operation, found), Rows.toPart)
        return yield* f(new Map(parts.map((part) => [part.segment.id, part])))
      })
      return transact(sql, work, toError(operation))
    }

    const put = (operation: string, name: string, { ahead, checkpoint, segment }: SegmentLayout.Part) =>
      run(operation, Rows.put, [
        name,
        segment.id,
        segment.mask,
        String(checkpoint.position),
        checkpoint.event === undefined ? null : String(checkpoint.event.position),
        checkpoint.event?.id ?? null,
        JSON.stringify(checkpoint.trail),
        JSON.stringify(ahead),
        checkpoint.epoch ?? null
      ])

    const infos = (operation: string, name: string | null) =>
      Effect.map(rowsOf(operation, sql.unsafe<Rows.InfoRow>(Rows.infos, [name])), (rows) => rows.map(Rows.toInfo))

    const driver: Store.Driver = {
      open: (name, { after, segments }) => {
        const all = Segment.initial(segments)
        return run("open", Rows.open, [name, all.length, String(after)])
      },
      beat: (name, worker, lease) =>
        Effect.flatMap(
          rowsOf("beat", sql.unsafe<Rows.BeatRow>(Rows.beat, [name, worker, Duration.toMillis(lease)])),
          ([row]) => (row === undefined || row.state === null ? unknown(name) : Effect.succeed(Rows.toBeat(name, row)))
        ),
      claim: (name, worker, { lease, limit }) =>
        Effect.flatMap(
          rowsOf("claim", sql.unsafe<Rows.ClaimRow>(Rows.claim, [name, worker, limit, Duration.toMillis(lease)])),
          (rows) =>
            rows.length > 0
              ? Effect.succeed(rows.map((row) => Rows.toClaim(name, row)).sort(bySegment))
              : Effect.map(known("claim", name), () => [])
        ),
      commit: (owned, from, to) =>
        Effect.flatMap(
          rowsOf(
            "commit",
            sql.unsafe(Rows.commit, [
              owned.consumer,
              owned.segment.id,
              String(owned.token),
              String(from),
              String(to.position),
              to.event === undefined ? null : String(to.event.position),
              to.event?.id ?? null,
              to.trail === undefined ? null : JSON.stringify(to.trail),
              to.epoch ?? null
            ])
          ),
          (rows) => (rows.length > 0 ? Effect.void : fenced(owned, from))
        ),
      release: ({ consumer, segment, token }) => run("release", Rows.release, [consumer, segment.id, String(token)]),
      leave: (name, worker) => run("leave", Rows.leave, [name, worker]),
      split: (name, id) =>
        changing("split", name, (parts) => {
          const halves = SegmentLayout.split(parts.get(id))
          if (typeof halves === "string") return refused(name, id, halves)
          return Effect.as(
            Effect.forEach(halves, (half) => put("split", name, half), { discard: true }),
            [halves[0].segment, halves[1].segment] as const
          )
        }),
      merge: (name, id) =>
        changing("merge", name, (parts) => {
          const merged = SegmentLayout.merge(id, (other) => parts.get(other))
          if (typeof merged === "string") return refused(name, id, merged)
          return run("merge", Rows.removeSegment, [name, merged.gone]).pipe(
            Effect.andThen(put("merge", name, merged.part)),
            Effect.as(merged.part.segment)
          )
        }),
      setState: (name, state) =>
        Effect.flatMap(rowsOf("setState", sql.unsafe(Rows.setState, [name, JSON.stringify(state)])), (rows) =>
          rows.length > 0 ? Effect.void : unknown(name)
        ),
      reset: (name, checkpoints) =>
        changing("reset", name, (parts) =>
          Effect.forEach(
            checkpoints,
            ({ checkpoint, segment }) => {
              const part = parts.get(segment)
              return part === undefined
                ? refused(name, segment, "unknown")
                : put("reset", name, { segment: part.segment, checkpoint, ahead: [] })
            },
            { discard: true }
          )
        ),
      remove: (name) => run("remove", Rows.remove, [name]),
      inspect: (name) =>
        Effect.flatMap(infos("inspect", name), ([info]) => (info === undefined ? unknown(name) : Effect.succeed(info))),
      list: infos("list", null)
    }

    const known = (operation: string, name: string) =>
      Effect.flatMap(rowsOf(operation, sql`select 1 from es.consumer where name = ${name}`), (rows) =>
        rows.length > 0 ? Effect.void : unknown(name)
      )

    return driver
  })
)

const bySegment = (a: Store.Claim, b: Store.Claim) => a.segment.id - b.segment.id

const unknown = (consumer: string) => Effect.fail(new ConsumerStoreError({ reason: new ConsumerUnknown({ consumer }) }))

const fenced = ({ consumer, segment, token }: Store.Owned, from: number) =>
  Effect.fail(new ConsumerStoreError({ reason: new Fenced({ consumer, segment: segment.id, token, from }) }))

const refused = (consumer: string, segment: number, why: SegmentRefused["why"]) =>
  Effect.fail(new ConsumerStoreError({ reason: new SegmentRefused({ consumer, segment, why }) }))
