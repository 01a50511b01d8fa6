/**
 * What laws about snapshots share.
 */
import * as Effect from "effect/Effect"
import * as StreamName from "../../../domain/StreamName.ts"
import { type Snapshot, SnapshotStore } from "../../../ports/SnapshotStore.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Law from "../../Law.ts"
import { type Options, unique } from "../world.ts"

/** Streams of one's own, as a tenant of one's own. */
export class Shelf {
  readonly store: SnapshotStore["Service"]
  readonly tenant: string
  private readonly category: string

  constructor(store: SnapshotStore["Service"], token: string) {
    this.store = store
    this.tenant = `law-${token}`
    this.category = `Law${token}`
  }

  stream(id: string | number = "1"): StreamName.StreamName {
    return StreamName.make(this.category, String(id))
  }

  snapshot(version: number, state: unknown, stream: StreamName.StreamName = this.stream()): Snapshot {
    const event = `00000000-0000-4000-8000-${String(version % 1e12).padStart(12, "0")}`
    return { stream, version, event, schema: "1:law", takenAt: 1_700_000_000_000 + (version % 1000), state }
  }
}

/** A law about a shelf of its own. */
export const law = <A, E, R>(
  name: string,
  body: (shelf: Shelf) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | SnapshotStore> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const shelf = new Shelf(yield* SnapshotStore, yield* unique)
        return yield* body(shelf).pipe(TenantContext.provide(shelf.tenant))
      }),
    options
  )
