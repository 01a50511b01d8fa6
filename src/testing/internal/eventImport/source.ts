/**
 * What the laws of imports stand on: a world, and events of another log.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ImportedEvent } from "../../../domain/EventLine.ts"
import type { Position } from "../../../domain/Position.ts"
import * as StreamName from "../../../domain/StreamName.ts"
import * as EventImport from "../../../ports/EventImport.ts"
import type { ImportError } from "../../../ports/EventImportDriver.ts"
import type { EventStore } from "../../../ports/EventStore.ts"
import type { EventStoreError } from "../../../ports/EventStoreError.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import { count } from "../samples.ts"
import { settled, type World } from "../world.ts"

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0")

/** Event `n` of a source: streams in turns, each with its own versions, and everything else unlike what a store would make. */
export const event = (world: World, n: number, streams = 3): ImportedEvent => ({
  tenant: "elsewhere",
  stream: StreamName.make(world.category, String(n % streams)),
  version: Math.floor(n / streams) + 1,
  id: `00000000-0000-4000-8000-${hex(n, 12)}`,
  type: n % 2 === 0 ? "LawNoted" : "LawOld",
  schemaVersion: (n % 3) + 1,
  tags: n % 4 === 0 ? ["a", `tag "${n}", {\\}`] : [],
  metadata: {
    correlationId: `c${n}`,
    occurredAt: n,
    actor: { id: `u${n}`, kind: "user" },
    attributes: { n: String(n) }
  },
  recordedAt: 1_000_000_000_000 + ((n * 7919) % 1000) * 60_000 + 1,
  data: { n, text: 'é😀\n"' }
})

export const events = (world: World, length: number, streams?: number): ReadonlyArray<ImportedEvent> =>
  count(length, 0).map((n) => event(world, n, streams))

/** Imports all of it, and answers with how far it told to have come. */
export const importing = (
  world: World,
  source: ReadonlyArray<ImportedEvent>,
  batchSize?: number,
  name = `law-${world.token}`
): Effect.Effect<ReadonlyArray<number>, ImportError, EventImport.EventImport | TenantContext> =>
  Effect.map(Stream.runCollect(EventImport.run(name, Stream.fromIterable(source), { batchSize })), (all) =>
    all.map(({ imported }) => imported)
  )

/** What the log holds of the tenant, as a source would give it. */
export const logged = (
  world: World
): Effect.Effect<ReadonlyArray<ImportedEvent>, EventStoreError, EventStore | TenantContext> =>
  Effect.gen(function* () {
    yield* settled(world.store, yield* highest(world))
    const stored = yield* world.log(yield* world.store.mark)
    return stored.map(({ position: _, skip: __, ...rest }) => ({ ...rest, tenant: "elsewhere" }))
  })

/** The last position of the world's streams; an empty append of nothing settles nothing, so it is looked up. */
const highest = (world: World): Effect.Effect<Position, EventStoreError, TenantContext> =>
  Effect.gen(function* () {
    let last: Option.Option<Position> = Option.none()
    for (const id of ["0", "1", "2", "3", "4"]) {
      const [newest] = yield* world.store.readStream(world.stream(id), { direction: "backward", limit: 1 })
      if (newest !== undefined && Option.getOrElse(last, () => 0) < newest.position) last = Option.some(newest.position)
    }
    return Option.isSome(last) ? last.value : yield* world.store.mark
  })
