/**
 * Materialized views that are refreshed now and then, and for whose contents a query can wait.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Position from "../../domain/Position.ts"
import { type CheckpointError, CheckpointStore } from "../../ports/CheckpointStore.ts"
import { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import { ProjectionStore, ProjectionStoreError } from "../../ports/ProjectionStore.ts"
import { checkpointOf, closed } from "../../ports/ProjectionTarget.ts"
import { UnitOfWork, type UnitOfWorkError } from "../../ports/UnitOfWork.ts"
import * as failure from "./internal/failure.ts"
import { sqlName } from "./internal/sqlName.ts"

/**
 * A materialized view, and what it is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface View {
  /** The view's name, with its schema if it is not found without. */
  readonly name: string
  /** The projection into whose tables the view looks; the log itself when absent. */
  readonly over?: { readonly name: string } | undefined
}

/**
 * What a refresh can fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export type RefreshError = ProjectionStoreError | CheckpointError | EventStoreError | UnitOfWorkError

/**
 * What a refresh needs.
 *
 * @category models
 * @since 0.1.0
 */
export type Services = SqlClient.SqlClient | EventStore | CheckpointStore | ProjectionStore | UnitOfWork

/**
 * Refreshes a view at once, unless it holds all there is, and answers with the position up to which it does.
 *
 * **Details**
 *
 * The refresh and the position commit together, under the view's name: `Projection.waitFor({ name: "sales_by_day" }, receipt)`
 * waits for a view as for a projection. Readers go on meanwhile.
 *
 * **Gotchas**
 *
 * PostgreSQL refreshes beside readers only a view with a unique index over plain columns and all rows.
 *
 * @category refreshing
 * @since 0.1.0
 */
export const refresh = (view: View): Effect.Effect<Position.Position, RefreshError, Services> =>
  refreshAfter(view, Duration.zero)

/**
 * Refreshes a view in the background, at most once in `every` (an hour when absent) over all processes, and only when there is
 * something new. What fails is logged and tried again.
 *
 * **Details**
 *
 * `effect_cqrs_view_age_milliseconds` says how long ago this process saw the view hold all there was.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  view: View,
  options?: { readonly every?: Duration.Input | undefined }
): Layer.Layer<never, never, Services> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const every = Duration.fromInputUnsafe(options?.every ?? "1 hour")
      const measured = Metric.withAttributes(age, { view: view.name })
      let freshAt = yield* Clock.currentTimeMillis
      const step = Effect.gen(function* () {
        const reached = yield* refreshAfter(view, every)
        const now = yield* Clock.currentTimeMillis
        if (reached >= (yield* sourceOf(view))) freshAt = now
        yield* Metric.update(measured, now - freshAt)
      })
      yield* step.pipe(
        Effect.catchCause((cause) => Effect.logWarning(`Could not refresh the view ${view.name}`, cause)),
        Effect.andThen(Effect.sleep(Duration.min(every, Duration.minutes(1)))),
        Effect.forever,
        Effect.forkScoped
      )
    })
  )

const age = Metric.gauge("effect_cqrs_view_age_milliseconds", {
  description: "How long ago a materialized view was seen to hold all there was"
})

/** Up to where there is anything that the view could hold. */
const sourceOf = ({ over }: View): Effect.Effect<Position.Position, RefreshError, Services> =>
  Effect.gen(function* () {
    if (over === undefined) return yield* (yield* EventStore).mark
    const projections = yield* ProjectionStore
    const checkpoints = yield* CheckpointStore
    while (true) {
      const generation = (yield* projections.find(over.name))?.generation ?? 1
      const position = yield* checkpoints.load(checkpointOf(over.name, generation))
      if (position !== closed) return position
    }
  })

interface Standing {
  readonly mine: boolean
  readonly position: number
  readonly age: number | null
  readonly populated: boolean | null
}

const refreshAfter = (view: View, every: Duration.Duration): Effect.Effect<Position.Position, RefreshError, Services> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const unit = yield* UnitOfWork
    const checkpoints = yield* CheckpointStore
    const toFailure = failure.fromSqlError(`refresh ${view.name}`)
    const failed = (error: SqlError) => new ProjectionStoreError({ reason: toFailure(error) })
    const name = sqlName(view.name)
    return yield* unit.transaction(
      Effect.gen(function* () {
        // One at a time: who comes second finds it done, or leaves it to the first.
        const [standing] = yield* sql<Standing>`select
          pg_try_advisory_xact_lock(hashtextextended(${`effect-cqrs/view/${view.name}`}, 0)) as mine,
          coalesce(c.position, 0)::float8 as position,
          (extract(epoch from clock_timestamp() - c.at) * 1000)::float8 as age,
          (select relispopulated from pg_class where oid = to_regclass(${name})) as populated
          from (select 1) one left join es.checkpoint c on c.name = ${view.name}`.withoutTransform.pipe(
          Effect.mapError(failed)
        )
        const before = Position.make(standing?.position ?? 0)
        const recent = standing?.age !== null && (standing?.age ?? 0) < Duration.toMillis(every)
        // What is committed before the statement begins, the statement sees.
        const source = yield* sourceOf(view)
        if (standing?.mine !== true || source <= before || recent) return before
        const how = standing.populated === true ? "concurrently " : ""
        yield* Effect.mapError(sql.unsafe(`refresh materialized view ${how}${name}`).unprepared, failed)
        yield* checkpoints.save(view.name, before, source)
        return source
      })
    )
  })
