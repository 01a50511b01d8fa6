/** Which events a filter lets through, in memory and in what is asked of the store. */
import * as Effect from "effect/Effect"
import * as Position from "../../../domain/Position.ts"
import type { Stored } from "../../../domain/RecordedEvent.ts"
import { category } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { Page } from "../../../ports/EventStoreDriver.ts"
import type { Criteria, Filter } from "../../LiveFilter.ts"

export type Fits = (stored: Stored) => boolean

/** A part of the log that the store is asked for, and what of it counts. */
export interface Part extends Criteria {
  readonly tenant: TenantId
}

const criteria = ({ categories, tags, types }: Criteria): Fits => {
  const wanted = types === undefined ? undefined : new Set(types)
  return (stored) =>
    (wanted === undefined || wanted.has(stored.type)) &&
    (categories === undefined || categories.includes(category(stored.stream))) &&
    (tags === undefined || stored.tags.some((tag) => tags.includes(tag)))
}

const ofTenant =
  (tenant: TenantId, fits: Fits): Fits =>
  (stored) =>
    stored.tenant === tenant && fits(stored)

/** What a tenant may see of the log under a filter: by event, and by what to read of the store. */
export const compile = (
  tenant: TenantId,
  common: TenantId | undefined,
  filter: Filter
): { readonly fits: Fits; readonly parts: ReadonlyArray<Part> } => {
  const outer = criteria(filter)
  if (filter.any === undefined) {
    const { categories, tags, types } = filter
    return { fits: ofTenant(tenant, outer), parts: [{ tenant, categories, tags, types }] }
  }
  const parts: Array<Part> = []
  const all: Array<Fits> = []
  for (const { everybody = false, ...own } of filter.any) {
    const whose = everybody ? common : tenant
    if (whose === undefined) continue
    all.push(ofTenant(whose, criteria(own)))
    parts.push({
      tenant: whose,
      types: own.types ?? filter.types,
      categories: own.categories ?? filter.categories,
      tags: own.tags ?? filter.tags
    })
  }
  return { fits: (stored) => all.some((one) => one(stored)) && outer(stored), parts: merged(parts) }
}

// Parts that differ in their tags alone are one read.
const merged = (parts: ReadonlyArray<Part>): ReadonlyArray<Part> => {
  const byRest = new Map<string, Part>()
  for (const part of parts) {
    const { categories, tags, tenant, types } = part
    const key = JSON.stringify([tenant, types ?? null, categories ?? null, tags === undefined])
    const before = byRest.get(key)
    const together = before?.tags === undefined || tags === undefined ? tags : [...new Set([...before.tags, ...tags])]
    byRest.set(key, { ...part, tags: together })
  }
  return [...byRest.values()]
}

/** The pages of several parts as one, as far as all of them reach. */
export const join = <E, R>(
  parts: ReadonlyArray<Part>,
  read: (part: Part) => Effect.Effect<Page, E, R>,
  fits: Fits
): Effect.Effect<Pick<Page, "cursor" | "events">, E, R> =>
  Effect.map(Effect.forEach(parts, read), (pages) => {
    const cursor = Position.make(Math.min(...pages.map((page) => page.cursor)))
    const byPosition = new Map<Position.Position, Stored>()
    for (const { events } of pages) {
      for (const stored of events)
        if (stored.position <= cursor && fits(stored)) byPosition.set(stored.position, stored)
    }
    const events = [...byPosition.values()]
    return { cursor, events: pages.length === 1 ? events : events.sort((a, b) => a.position - b.position) }
  })

/** What is told of an event. Whatever that is, it stays in its place and with its tenant. */
export const shown = (stored: Stored, visible: Filter["visible"]): ReadonlyArray<Stored> => {
  const seen = visible === undefined ? stored : visible(stored)
  if (seen === undefined) return []
  // The same answer stays one object, so that it is encoded once.
  if (seen.position === stored.position && seen.tenant === stored.tenant) return [seen]
  return [{ ...seen, position: stored.position, tenant: stored.tenant }]
}
