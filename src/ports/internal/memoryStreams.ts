/** What the memory layers know of streams beside their events. */
import type { Skip } from "../../domain/RecordedEvent.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import type { KeptMetadata } from "../StreamAdminDriver.ts"
import { JournalMap, type Transaction } from "./Journal.ts"
import * as Rules from "./retention.ts"

export interface Rule extends KeptMetadata {
  readonly version: number
  readonly archived: boolean
}

/** An event as far as it matters for who may see it. */
interface Sighted {
  readonly tenant: TenantId
  readonly stream: string
  readonly version: number
  readonly recordedAt: number
}

export type Skips = ReadonlyMap<number, Skip>

export const keyOf = (tenant: TenantId, stream: string): string => `${tenant}\0${stream}`

const unset: Rule = { version: 0, data: undefined, retention: {}, archived: false }
const unskipped: Skips = new Map()

export class MemoryStreams {
  readonly rules = new JournalMap<string, Rule>()
  readonly skips = new JournalMap<string, Skips>()

  rule(transaction: Transaction | undefined, tenant: TenantId, stream: string): Rule {
    return this.rules.get(transaction, keyOf(tenant, stream)) ?? unset
  }

  skipped(transaction: Transaction | undefined, tenant: TenantId, stream: string): Skips {
    return this.skips.get(transaction, keyOf(tenant, stream)) ?? unskipped
  }

  /** Whether nothing is hidden anywhere. */
  isEmpty(transaction: Transaction | undefined): boolean {
    return this.rules.isEmpty(transaction) && this.skips.isEmpty(transaction)
  }

  /** Who may see an event: readers of a stream see archived ones, and so does who asks for them. */
  visible(
    transaction: Transaction | undefined,
    now: number,
    last: (tenant: TenantId, stream: string) => number,
    options: { readonly archived: boolean; readonly skipped: boolean }
  ): (event: Sighted) => boolean {
    if (this.isEmpty(transaction)) return () => true
    return (event) => {
      const { tenant, stream, version } = event
      const { archived, retention } = this.rule(transaction, tenant, stream)
      return (
        (options.archived || !archived) &&
        (options.skipped || !this.skipped(transaction, tenant, stream).has(version)) &&
        !(Rules.retains(retention) && Rules.hides(retention, last(tenant, stream), now, event))
      )
    }
  }
}
