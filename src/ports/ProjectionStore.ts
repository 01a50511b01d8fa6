/**
 * Which version of each projection is read, which one is being built, and which ones wait to be dropped.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { make as toPosition, type Position } from "../domain/Position.ts"
import * as Journal from "./internal/Journal.ts"
import { StorageFailure } from "./StorageFailure.ts"

/**
 * A version that is being built. Times are in milliseconds since 1970, by the storage's clock.
 *
 * @category models
 * @since 0.1.0
 */
export const Building = Schema.Struct({
  generation: Schema.Int,
  /** Of the definition whose handlers build it. */
  version: Schema.Int,
  /** Who builds it; empty when it was given up. */
  owner: Schema.String,
  leaseUntil: Schema.Finite,
  startedAt: Schema.Finite,
  /** How many events had been handled when the lease was last renewed. */
  handled: Schema.Int
})

/**
 * @category models
 * @since 0.1.0
 */
export type Building = typeof Building.Type

/**
 * How a projection stands.
 *
 * @category models
 * @since 0.1.0
 */
export const Registration = Schema.Struct({
  /** Of the definition whose handlers made what is read. */
  version: Schema.Int,
  /** What is read; counts the versions there have ever been, the first being 1. */
  generation: Schema.Int,
  /** The highest generation that was ever begun. */
  newest: Schema.Int,
  building: Schema.optionalKey(Building),
  /** Replaced or given up, and still there; each under its names of this generation. */
  retired: Schema.Array(Schema.Struct({ generation: Schema.Int, dropAfter: Schema.optionalKey(Schema.Finite) })),
  /** Whether it runs inside of appends, which a swap could not keep apart. */
  inline: Schema.optionalKey(Schema.Literal(true)),
  /** Where its reaction to events began. */
  reactsAfter: Schema.optionalKey(Schema.Int),
  /** Why the projection stopped; absent while it runs. */
  failure: Schema.optionalKey(Schema.Struct({ message: Schema.String, at: Schema.Finite }))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Registration = typeof Registration.Type

/**
 * Somebody else builds a new version of this projection, and has the lease until then, in milliseconds since 1970.
 *
 * @category errors
 * @since 0.1.0
 */
export class RebuildRunning extends Schema.TaggedError<RebuildRunning>("effect-cqrs/RebuildRunning")("RebuildRunning", {
  projection: Schema.String,
  owner: Schema.String,
  leaseUntil: Schema.Finite
}) {
  override get message(): string {
    return `The projection ${this.projection} is being rebuilt by ${this.owner}`
  }
}

/**
 * The version is not this owner's to build any more: it was cancelled, or somebody else took over after the lease had run out.
 *
 * @category errors
 * @since 0.1.0
 */
export class RebuildLost extends Schema.TaggedError<RebuildLost>("effect-cqrs/RebuildLost")("RebuildLost", {
  projection: Schema.String,
  generation: Schema.Int
}) {
  override get message(): string {
    return `The rebuild of ${this.projection} (generation ${this.generation}) was cancelled or taken over`
  }
}

/**
 * The one error of `ProjectionStore`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProjectionStoreError extends Schema.TaggedError<ProjectionStoreError>("effect-cqrs/ProjectionStoreError")(
  "ProjectionStoreError",
  { reason: Schema.Union([RebuildRunning, RebuildLost, StorageFailure]) }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * Who builds what.
 *
 * @category models
 * @since 0.1.0
 */
export interface Builder {
  readonly owner: string
  readonly generation: number
}

/**
 * The versions of projections, by name.
 *
 * **Details**
 *
 * - `register` answers how a projection stands, and makes it known at generation 1 when it was not; `inline` notes that it
 *   runs inside of appends.
 * - `begin` takes the lease of the version that is being built, or begins the next one. What was begun for another `version`
 *   of the definition is retired. While another owner's lease runs it fails with `RebuildRunning`.
 * - `renew` prolongs the lease, `release` gives it up for the next to go on, `finish` makes the built version the one that is
 *   read; each fails with `RebuildLost` when the version is not this owner's any more. `cancel` retires what is being built,
 *   whoever builds it.
 * - `dropped` forgets a retired version. `fail` notes why a projection stopped, or that it runs.
 * - `reactAfter` notes where the reaction begins, if it was not noted before, and answers where it did.
 * - `lockTables` makes who writes into tables wait for the end of the unit of work, and not who reads.
 * - `exchangeTables` gives each of two tables the other's name, `dropTables` removes those that are there, in this order.
 *
 * All take part in a unit of work of the same storage.
 *
 * @category services
 * @since 0.1.0
 */
export class ProjectionStore extends Context.Service<
  ProjectionStore,
  {
    readonly find: (name: string) => Effect.Effect<Registration | undefined, ProjectionStoreError>
    readonly list: Effect.Effect<ReadonlyArray<readonly [name: string, Registration]>, ProjectionStoreError>
    readonly register: (
      name: string,
      version: number,
      options?: { readonly inline?: boolean | undefined }
    ) => Effect.Effect<Registration, ProjectionStoreError>
    readonly begin: (
      name: string,
      options: { readonly version: number; readonly owner: string; readonly lease: Duration.Input }
    ) => Effect.Effect<Building, ProjectionStoreError>
    readonly renew: (
      name: string,
      builder: Builder,
      options: { readonly handled: number; readonly lease: Duration.Input }
    ) => Effect.Effect<void, ProjectionStoreError>
    readonly release: (name: string, builder: Builder) => Effect.Effect<void, ProjectionStoreError>
    /** What is replaced may be dropped after so long; when absent, only when asked to. */
    readonly finish: (
      name: string,
      builder: Builder,
      options: { readonly dropAfter: Duration.Input | undefined }
    ) => Effect.Effect<Registration, ProjectionStoreError>
    /** The generation that was given up; none when nothing is being built. */
    readonly cancel: (name: string) => Effect.Effect<number | undefined, ProjectionStoreError>
    readonly dropped: (name: string, generation: number) => Effect.Effect<void, ProjectionStoreError>
    readonly fail: (name: string, message: string | undefined) => Effect.Effect<void, ProjectionStoreError>
    readonly reactAfter: (name: string, position: Position) => Effect.Effect<Position, ProjectionStoreError>
    readonly lockTables: (names: ReadonlyArray<string>) => Effect.Effect<void, ProjectionStoreError>
    readonly exchangeTables: (
      pairs: ReadonlyArray<readonly [one: string, other: string]>
    ) => Effect.Effect<void, ProjectionStoreError>
    readonly dropTables: (names: ReadonlyArray<string>) => Effect.Effect<void, ProjectionStoreError>
  }
>()("effect-cqrs/ports/ProjectionStore") {}

/**
 * What becomes of a registration, and what to answer; without a new one it stays as it is.
 *
 * @category adapters
 * @since 0.1.0
 */
export type Change<A> = readonly [answer: Result.Result<A, ProjectionStoreError>, next?: Registration]

/**
 * What an adapter implements; `make` adds what is the same for all.
 *
 * @category adapters
 * @since 0.1.0
 */
export interface Driver
  extends Pick<ProjectionStore["Service"], "find" | "list" | "lockTables" | "exchangeTables" | "dropTables"> {
  /** Reads one registration, and writes what `f` makes of it, as one change; `now` is the storage's clock. */
  readonly modify: <A>(
    name: string,
    f: (before: Registration | undefined, now: number) => Change<A>
  ) => Effect.Effect<A, ProjectionStoreError>
}

/**
 * The store over an adapter's driver.
 *
 * @category adapters
 * @since 0.1.0
 */
export const make = (driver: Driver): ProjectionStore["Service"] => {
  const unchanged: Change<void> = [Result.void]

  /** Changes what is being built, if it is this owner's. */
  const asBuilder = <A>(
    name: string,
    { generation, owner }: Builder,
    f: (before: Registration, building: Building, now: number) => readonly [A, Registration]
  ) =>
    driver.modify<A>(name, (before, now) => {
      const building = before?.building
      if (before === undefined || building?.generation !== generation || building.owner !== owner) {
        return [Result.fail(new ProjectionStoreError({ reason: new RebuildLost({ projection: name, generation }) }))]
      }
      const [answer, next] = f(before, building, now)
      return [Result.succeed(answer), next]
    })

  return {
    find: driver.find,
    list: driver.list,
    lockTables: driver.lockTables,
    exchangeTables: driver.exchangeTables,
    dropTables: driver.dropTables,
    register: (name, version, options) => {
      const inline = options?.inline === true
      const noted = (registration: Registration | undefined) =>
        registration !== undefined && (!inline || registration.inline === true) ? registration : undefined
      return Effect.flatMap(driver.find(name), (found) => {
        const known = noted(found)
        return known !== undefined
          ? Effect.succeed(known)
          : driver.modify<Registration>(name, (before) => {
              const already = noted(before)
              if (already !== undefined) return [Result.succeed(already)]
              const next: Registration = { ...(before ?? first(version)), ...(inline ? { inline: true } : {}) }
              return [Result.succeed(next), next]
            })
      })
    },
    begin: (name, { lease, owner, version }) =>
      driver.modify(name, (before, now) => {
        const state = before ?? first(version)
        const unfinished = state.building
        if (unfinished !== undefined && unfinished.owner !== "" && unfinished.owner !== owner) {
          const { leaseUntil, owner: other } = unfinished
          if (leaseUntil > now) {
            const running = new RebuildRunning({ projection: name, owner: other, leaseUntil })
            return [Result.fail(new ProjectionStoreError({ reason: running }))]
          }
        }
        const leaseUntil = now + Duration.toMillis(lease)
        if (unfinished?.version === version) {
          const building = { ...unfinished, owner, leaseUntil }
          return [Result.succeed(building), { ...state, building }]
        }
        const generation = state.newest + 1
        const building = { generation, version, owner, leaseUntil, startedAt: now, handled: 0 }
        const retired =
          unfinished === undefined
            ? state.retired
            : [...state.retired, { generation: unfinished.generation, dropAfter: now }]
        return [Result.succeed(building), { ...state, newest: generation, building, retired }]
      }),
    renew: (name, builder, { handled, lease }) =>
      asBuilder(name, builder, (before, building, now) => [
        undefined,
        { ...before, building: { ...building, handled, leaseUntil: now + Duration.toMillis(lease) } }
      ]),
    release: (name, builder) =>
      asBuilder(name, builder, (before, building) => [undefined, { ...before, building: { ...building, owner: "" } }]),
    finish: (name, builder, { dropAfter }) =>
      asBuilder(name, builder, ({ building: _, failure: __, ...before }, { generation, version }, now) => {
        const due = dropAfter === undefined ? {} : { dropAfter: now + Duration.toMillis(dropAfter) }
        const next = { ...before, version, generation, retired: [...before.retired, { generation, ...due }] }
        return [next, next]
      }),
    cancel: (name) =>
      driver.modify<number | undefined>(name, (before, now) => {
        if (before?.building === undefined) return [Result.succeed(undefined)]
        const {
          building: { generation },
          ...rest
        } = before
        const retired = [...before.retired, { generation, dropAfter: now }]
        return [Result.succeed(generation), { ...rest, retired }]
      }),
    reactAfter: (name, position) =>
      driver.modify<Position>(name, (before) => {
        const noted = before?.reactsAfter
        if (noted !== undefined) return [Result.succeed(toPosition(noted))]
        return [Result.succeed(position), { ...(before ?? first(1)), reactsAfter: position }]
      }),
    dropped: (name, generation) =>
      driver.modify(name, (before) => {
        if (before === undefined) return unchanged
        const retired = before.retired.filter((one) => one.generation !== generation)
        return [Result.void, { ...before, retired }]
      }),
    fail: (name, message) =>
      driver.modify(name, (before, now) => {
        if (before === undefined || (message === undefined && before.failure === undefined)) return unchanged
        const { failure: _, ...rest } = before
        return [Result.void, message === undefined ? rest : { ...rest, failure: { message, at: now } }]
      })
  }
}

const first = (version: number): Registration => ({ version, generation: 1, newest: 1, retired: [] })

/**
 * The versions of projections in memory, where there are no tables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<ProjectionStore> = Layer.effect(
  ProjectionStore,
  Effect.map(Journal.MemoryJournal, (journal) => {
    const registrations = new Journal.JournalMap<string, Registration>()
    return make({
      find: (name) => journal.read((transaction) => registrations.get(transaction, name)),
      list: journal.read((transaction) =>
        Array.from(registrations.entries(transaction)).sort(([one], [other]) => (one < other ? -1 : 1))
      ),
      modify: (name, f) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          journal.write((transaction) => {
            const [answer, next] = f(registrations.get(transaction, name), now)
            if (next !== undefined) registrations.set(transaction, name, next)
            return Result.isSuccess(answer) ? Exit.succeed(answer.success) : Exit.fail(answer.failure)
          })
        ),
      lockTables: () => Effect.void,
      exchangeTables: () => Effect.void,
      dropTables: () => Effect.void
    })
  })
).pipe(Layer.provide(Journal.layer))
