/** Which events carry a tag, in the order of the log. */
import * as EventQuery from "../../domain/EventQuery.ts"
import type { Position } from "../../domain/Position.ts"
import type { TenantId } from "../../domain/TenantId.ts"

interface Indexed extends EventQuery.Matchable {
  readonly position: Position
  readonly tenant: TenantId
}

export class TagIndex<E extends Indexed> {
  private readonly tenants = new Map<TenantId, Map<string, Array<E>>>()

  add(event: E): void {
    if (event.tags.length === 0) return
    const tags = this.tenants.get(event.tenant) ?? new Map<string, Array<E>>()
    this.tenants.set(event.tenant, tags)
    for (const tag of new Set(event.tags)) {
      const events = tags.get(tag)
      if (events === undefined) tags.set(tag, [event])
      else events.push(event)
    }
  }

  remove(event: E): void {
    const tags = this.tenants.get(event.tenant)
    for (const tag of event.tags) {
      const rest = tags?.get(tag)?.filter((other) => other !== event)
      if (rest !== undefined) tags?.set(tag, rest)
    }
  }

  /**
   * The events after a position that a query fits, in order. `log` holds all events, each at the place of its position less
   * one, and nothing where one was removed; it is walked when a criterion has no tag to go by.
   */
  matching(
    log: ReadonlyArray<E | undefined>,
    tenant: TenantId,
    query: EventQuery.EventQuery,
    after: number
  ): ReadonlyArray<E> {
    const lists = query.map(({ tags: [tag] = [] }) =>
      tag === undefined ? undefined : (this.tenants.get(tenant)?.get(tag) ?? [])
    )
    const found = new Set<E>()
    for (const list of lists.every((list) => list !== undefined) ? lists : [log]) {
      for (let index = list === log ? after : firstAfter(list, after); index < list.length; index++) {
        const event = list[index]
        if (event !== undefined && event.tenant === tenant && EventQuery.matches(query, event)) found.add(event)
      }
    }
    return lists.length === 1 ? [...found] : [...found].sort((a, b) => a.position - b.position)
  }
}

/** Where the events after a position begin. */
const firstAfter = (events: ReadonlyArray<Indexed | undefined>, after: number): number => {
  let [low, high] = [0, events.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((events[middle]?.position ?? 0) > after) high = middle
    else low = middle + 1
  }
  return low
}
