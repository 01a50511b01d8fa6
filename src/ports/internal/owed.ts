/** Invalidations that the server has not been told: bounded, since all of a tenant's can be one. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Position from "../../domain/Position.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { Invalidation } from "../QueryCacheDriver.ts"

interface Debt {
  readonly tags: Set<string>
  readonly progress: Map<string, Position.Position>
}

const maxTags = 1000

export class Owed {
  private readonly debts = new Map<TenantId, Debt>()
  private readonly owing = Latch.makeUnsafe(false)
  /** What is being told at this moment. */
  private telling: { readonly tenant: TenantId; readonly invalidations: ReadonlyArray<Invalidation> } | undefined

  has(tenant: TenantId): boolean {
    return this.debts.has(tenant) || this.telling?.tenant === tenant
  }

  add(tenant: TenantId, { progress, tags }: Invalidation): void {
    let debt = this.debts.get(tenant)
    if (debt === undefined) this.debts.set(tenant, (debt = { tags: new Set(), progress: new Map() }))
    for (const tag of tags) debt.tags.add(tag)
    if (debt.tags.size > maxTags) {
      debt.tags.clear()
      debt.tags.add("*")
    }
    if (progress !== undefined) {
      const before = debt.progress.get(progress.source) ?? Position.start
      debt.progress.set(progress.source, Position.max(before, progress.position))
    }
    // Whoever waits goes on at once.
    this.owing.openUnsafe()
  }

  /** Tells what is owed as soon as it can, for ever; `tell` says whether it could. */
  settling(tell: (tenant: TenantId, invalidation: Invalidation) => Effect.Effect<boolean>): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        yield* this.owing.await
        const debt = this.next()
        if (debt === undefined) {
          this.owing.closeUnsafe()
          continue
        }
        let all = true
        for (const invalidation of debt.invalidations) all = all && (yield* tell(debt.tenant, invalidation))
        this.told(all)
        if (!all) yield* Effect.sleep("100 millis")
      }
    })
  }

  /** The next tenant's, to be told: they are owed until `told` says that they were. */
  private next(): Owed["telling"] {
    for (const [tenant, { progress, tags }] of this.debts) {
      this.debts.delete(tenant)
      const invalidations: Array<Invalidation> = [{ tags: Array.from(tags) }]
      // How far a projection is, is told when what it has changed was.
      for (const [source, position] of progress) invalidations.push({ tags: [], progress: { source, position } })
      this.telling = { tenant, invalidations }
      return this.telling
    }
    return undefined
  }

  private told(all: boolean): void {
    const { telling } = this
    this.telling = undefined
    if (!all && telling !== undefined) for (const one of telling.invalidations) this.add(telling.tenant, one)
  }
}
