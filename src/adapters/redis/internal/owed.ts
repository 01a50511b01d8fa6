/** Invalidations that the server has not been told: bounded, since all of a tenant's can be one. */
import * as Position from "../../../domain/Position.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { Invalidation } from "../../../ports/QueryCacheDriver.ts"

interface Debt {
  readonly tags: Set<string>
  readonly progress: Map<string, Position.Position>
}

const maxTags = 1000

export class Owed {
  private readonly debts = new Map<TenantId, Debt>()
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
    if (progress === undefined) return
    const before = debt.progress.get(progress.source) ?? Position.start
    debt.progress.set(progress.source, Position.max(before, progress.position))
  }

  /** The next tenant's, to be told: they are owed until `told` says that they were. */
  next(): Owed["telling"] {
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

  told(all: boolean): void {
    const { telling } = this
    this.telling = undefined
    if (!all && telling !== undefined) for (const one of telling.invalidations) this.add(telling.tenant, one)
  }
}
