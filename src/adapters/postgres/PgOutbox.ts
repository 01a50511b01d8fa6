/**
 * An outbox in PostgreSQL.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { make, Outbox } from "../../ports/Outbox.ts"
import type { Counts, Filter, Held, Ref } from "../../ports/OutboxDriver.ts"
import { MessageInFlight, NotInOutbox, OutboxError } from "../../ports/OutboxError.ts"
import * as failure from "./internal/failure.ts"
import { whole } from "./internal/number.ts"
import * as Rows from "./internal/outbox.ts"
import { storable } from "./internal/parked.ts"
import { joined } from "./internal/transaction.ts"

/**
 * Messages in the table `es.outbox`; what is kept of those that are done in `es.outbox_done`, in parts of one day each.
 *
 * **Details**
 *
 * Leases and due times run by the clock of the database. The order of a key is that in which its messages were enqueued,
 * by transactions that did not run at the same time: of two that did, either may come first.
 *
 * Enqueuing takes no lock that another enqueuing waits for, unless both name the same id.
 *
 * `purge` drops whole days: what is done is kept for up to a day longer than it says.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Outbox, never, SqlClient.SqlClient> = Layer.effect(
  Outbox,
  Effect.map(SqlClient.SqlClient, (sql) => {
    const toError = (operation: string) => {
      const toFailure = failure.fromSqlError(`Outbox.${operation}`)
      return (error: Parameters<typeof toFailure>[0]) => new OutboxError({ reason: toFailure(error) })
    }

    const rowsOf = <A extends object>(operation: string, text: string, params: ReadonlyArray<unknown>) =>
      Effect.mapError(joined(sql, sql.unsafe<A>(text, params).withoutTransform), toError(operation))

    /** Of the held messages, those that a statement has answered with. */
    const noted = (operation: string, text: string, held: ReadonlyArray<Held>, more: ReadonlyArray<unknown> = []) =>
      held.length === 0
        ? Effect.succeed([])
        : Effect.map(rowsOf<Held>(operation, text, [...columns(held), ...more]), (rows) => {
            if (rows.length === held.length) return held
            const names = new Set(rows.map(nameOf))
            return held.filter((one) => names.has(nameOf(one)))
          })

    /** Changes one message that waits and is not in flight. */
    const change = (operation: string, { id, tenant }: Ref, text: string, params: ReadonlyArray<unknown>) =>
      Effect.gen(function* () {
        const changed = yield* rowsOf(operation, text, [tenant, id, ...params])
        if (changed.length > 0) return
        const found = yield* rowsOf(operation, Rows.isThere, [tenant, id])
        const reason = found.length > 0 ? new MessageInFlight({ tenant, id }) : new NotInOutbox({ tenant, id })
        return yield* Effect.fail(new OutboxError({ reason }))
      })

    return make({
      enqueue: (messages) => Effect.asVoid(rowsOf("enqueue", Rows.enqueue, Rows.toColumns(messages))),
      claim: (queue, { from, lease, limit, worker }) =>
        Effect.map(
          rowsOf<Rows.ClaimedRow>("claim", Rows.claim, [
            queue,
            worker,
            Math.max(1, Math.floor(limit)),
            millis(lease),
            from
          ]),
          (rows) => rows.map(Rows.toClaimed).sort((a, b) => a.sequence - b.sequence)
        ),
      renew: (held, lease) => noted("renew", Rows.renew, held, [millis(lease)]),
      complete: (held, options) =>
        noted("complete", options?.keep === true ? Rows.completeAndKeep : Rows.complete, held),
      failed: ({ id, tenant, token }, { attempts, category, error, retryInMillis }) =>
        Effect.map(
          rowsOf("failed", Rows.failed, [
            tenant,
            id,
            String(token),
            category,
            storable(error),
            attempts,
            retryInMillis === undefined ? null : String(retryInMillis)
          ]),
          (rows) => rows.length > 0
        ),
      release: (held, delayMillis = 0) =>
        held.length === 0
          ? Effect.void
          : Effect.asVoid(rowsOf("release", Rows.release, [...columns(held), String(delayMillis)])),
      get: ({ id, tenant }) =>
        Effect.flatMap(rowsOf<Rows.InfoRow>("get", Rows.get, [tenant, id]), ([row]) =>
          row === undefined
            ? Effect.fail(new OutboxError({ reason: new NotInOutbox({ tenant, id }) }))
            : Effect.succeed(Rows.toInfo(row))
        ),
      list: (queue, { after, limit, status, ...filter } = {}) =>
        Effect.map(
          rowsOf<Rows.InfoRow>("list", Rows.list, [
            queue,
            whole(after, 0),
            whole(limit, 100),
            status ?? null,
            ...criteria(filter)
          ]),
          (rows) => rows.map(Rows.toInfo)
        ),
      counts: (queue) => Effect.map(rowsOf<Counts>("counts", Rows.counts, [queue]), ([row]) => ({ ...none, ...row })),
      replay: (queue, filter = {}) =>
        Effect.map(rowsOf("replay", Rows.replay, [queue, ...criteria(filter)]), (rows) => rows.length),
      edit: (ref, data) => change("edit", ref, Rows.edit, [JSON.stringify(data)]),
      skip: (ref, reason) => change("skip", ref, Rows.skip, [storable(reason)]),
      purge: (olderThan) =>
        Effect.andThen(
          rowsOf("purge", Rows.makeDays, []),
          Effect.asVoid(rowsOf("purge", Rows.dropDays, [millis(olderThan)]))
        ),
      afterCommit: (hook) => joined(sql, sql.afterCommit(hook))
    })
  })
)

const none: Counts = { pending: 0, inFlight: 0, retrying: 0, parked: 0, lagMillis: 0 }

const millis = (duration: Duration.Duration): string => String(Duration.toMillis(duration))

const nameOf = ({ id, tenant, token }: Held) => `${token} ${tenant}\0${id}`

const columns = (held: ReadonlyArray<Held>): ReadonlyArray<unknown> => [
  held.map(({ tenant }) => tenant),
  held.map(({ id }) => id),
  held.map(({ token }) => String(token))
]

const criteria = ({ category, error, key, tenant, type }: Filter): ReadonlyArray<string | null> => [
  tenant ?? null,
  key ?? null,
  type ?? null,
  category ?? null,
  error ?? null
]
