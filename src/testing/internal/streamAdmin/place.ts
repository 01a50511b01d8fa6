/**
 * What the laws of stream administration stand on: an event store, its administration, and short ways to look at both.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Position from "../../../domain/Position.ts"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { ReadAll, ReadStream } from "../../../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import { type SetMetadata, StreamAdmin } from "../../../ports/StreamAdmin.ts"
import type { RetentionInput } from "../../../ports/StreamAdminDriver.ts"
import type { StreamAdminError } from "../../../ports/StreamAdminError.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import type * as Law from "../../Law.ts"
import { count, noted } from "../samples.ts"
import * as Worlds from "../world.ts"

type Reading<A> = Effect.Effect<A, EventStoreError, TenantContext>
type Administering<A> = Effect.Effect<A, StreamAdminError, TenantContext>

export class Place {
  readonly world: Worlds.World
  readonly admin: StreamAdmin["Service"]

  constructor(world: Worlds.World, admin: StreamAdmin["Service"]) {
    this.world = world
    this.admin = admin
  }

  /** Appends events numbered like their versions, up to the version `to`, and answers with the last position. */
  grow(stream: StreamName, to: number): Reading<Position.Position> {
    const { world } = this
    return Effect.gen(function* () {
      const { version } = yield* world.store.streamState(stream)
      const numbers = count(to - version, version + 1)
      return (yield* world.append(stream, version, noted(...numbers))).position
    })
  }

  /** The versions that a reader of the stream gets. */
  versions(stream: StreamName, options?: ReadStream): Reading<ReadonlyArray<number>> {
    return Effect.map(this.world.store.readStream(stream, options), (events) => events.map(({ version }) => version))
  }

  /** The versions of the stream that readers of the log get, as one tenant and as all; they must not differ. */
  logged(stream: StreamName, options: Partial<ReadAll> = {}): Reading<ReadonlyArray<number>> {
    const { world } = this
    return Effect.gen(function* () {
      const own = yield* world.log(yield* world.store.mark, options)
      return own.filter((event) => event.stream === stream).map(({ version }) => version)
    })
  }

  /** The same as who may read all tenants. */
  loggedForAll(stream: StreamName, after: Position.Position): Reading<ReadonlyArray<number>> {
    const { world } = this
    const category = [world.category]
    return SystemContext.provide("a law")(
      Effect.gen(function* () {
        const found: Array<number> = []
        let cursor = after
        while (true) {
          const page = yield* world.store.readAllTenants({ after: cursor, limit: 3, categories: category })
          const own = page.events.filter((event) => event.stream === stream && event.tenant === world.tenant)
          found.push(...own.map(({ version }) => version))
          if (page.cursor >= page.mark || page.cursor === cursor) return found
          cursor = page.cursor
        }
      })
    )
  }

  /** The versions of the stream that a decision over the log gets. */
  matching(stream: StreamName): Reading<ReadonlyArray<number>> {
    return Effect.map(this.world.store.readMatching([{ types: ["LawNoted"] }]), ({ events }) =>
      events.filter((event) => event.stream === stream).map(({ version }) => version)
    )
  }

  /** Waits for what was appended to be settled. */
  settled(position: Position.Position): Effect.Effect<void, EventStoreError> {
    return Worlds.settled(this.world.store, position)
  }

  retain(stream: StreamName, retention: RetentionInput): Administering<number> {
    return this.set(stream, { expected: "any", retention })
  }

  set(stream: StreamName, metadata: SetMetadata): Administering<number> {
    return this.admin.setMetadata(stream, metadata)
  }

  /** Removes all that is hidden, and answers with how much, for each batch. */
  scavenge(batchSize: number): Administering<ReadonlyArray<readonly [StreamName, number]>> {
    return Effect.map(Stream.runCollect(this.admin.scavenge({ batchSize })), (batches) =>
      Array.from(batches, ({ removed, stream }) => [stream, removed] as const)
    )
  }
}

export const start = Position.start

/** A law about a tenant's streams. */
export const law = <A, E, R>(
  name: string,
  body: (place: Place) => Effect.Effect<A, E, R>,
  options?: Worlds.Options
): Law.Law<Exclude<R, TenantContext> | EventStore | StreamAdmin> =>
  Worlds.law(name, (world) => Effect.flatMap(StreamAdmin, (admin) => body(new Place(world, admin))), options)
