/** What is being made for a cache of two levels, whatever keeps the second: tickets, and invalidations that it has to be told. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Invalidation, Looked, Slot, Ticket } from "../QueryCacheDriver.ts"
import type { MemoryCache } from "./memoryCache.ts"
import type { Owed } from "./owed.ts"

/** Who tells it of invalidations here, and what the second level gave. */
interface Making<Remote> {
  readonly watch: Ticket
  readonly remote: Remote
}

const taken: Looked = { _tag: "Taken" }

export class Makings<Remote extends object> {
  private readonly all = new Map<string, Making<Remote | undefined>>()
  private readonly memory: MemoryCache
  private readonly node: string
  private tokens = 0

  constructor(memory: MemoryCache, node: string) {
    this.memory = memory
    this.node = node
  }

  /** One that no process gives twice. */
  token(): string {
    return `${this.node}:${++this.tokens}`
  }

  /** The leave to make an answer. Where the second level lets nobody in (no `remote`), this process lets in one at a time. */
  begin(slot: Slot, token: string, remote: Remote | undefined, lease: number, now: number): Looked {
    const watch = remote === undefined ? this.memory.claim(slot, lease, now) : this.memory.watch(slot)
    if (watch === undefined) return taken
    this.all.set(token, { watch, remote })
    return { _tag: "Vacant", ticket: { token, isCurrent: watch.isCurrent } }
  }

  /** Ends a ticket; undefined when the second level knows nothing of it, so that there is nothing to do there. */
  end({ token }: Ticket): Making<Remote> | undefined {
    const making = this.all.get(token)
    this.all.delete(token)
    if (making?.remote !== undefined) return { watch: making.watch, remote: making.remote }
    if (making !== undefined) this.memory.abandon(making.watch)
    return undefined
  }
}

/** Makes answers wrong here and in the second level; `tell` says whether that was told, and is not asked before `restsUntil`. */
export const invalidate = (
  memory: MemoryCache,
  owed: Owed,
  restsUntil: () => number,
  tell: (tenant: TenantId, invalidation: Invalidation) => Effect.Effect<boolean>
): ((tenant: TenantId, invalidation: Invalidation) => Effect.Effect<void>) =>
  Effect.fnUntraced(function* (tenant, invalidation) {
    memory.invalidate(tenant, { tags: invalidation.tags })
    const isResting = (yield* Clock.currentTimeMillis) < restsUntil()
    if (isResting || !(yield* tell(tenant, invalidation))) owed.add(tenant, invalidation)
    // What was read before it was told is wrong as well.
    memory.invalidate(tenant, invalidation)
  }, Effect.uninterruptible)
