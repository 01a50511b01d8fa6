/**
 * What laws about groups share: a log of one's own, events forwarded to it, and members that note what they handle.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Event from "../../../domain/Event.ts"
import * as IntegrationEvent from "../../../domain/IntegrationEvent.ts"
import * as Segment from "../../../domain/Segment.ts"
import * as EventGroups from "../../../ports/EventGroups.ts"
import type { Entry } from "../../../ports/EventGroupsDriver.ts"
import type { EventGroupsError } from "../../../ports/EventGroupsError.ts"
import { ForwardTarget } from "../../../ports/ForwardTarget.ts"
import * as SystemContext from "../../../ports/SystemContext.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import * as Law from "../../Law.ts"
import { unique } from "../world.ts"

export class Sent extends Event.Class<Sent>()("law.sent", { n: Schema.Int }) {}

export type Delivery = EventGroups.Delivery<Sent>

type Options = Partial<Omit<EventGroups.Options<readonly [typeof Sent]>, "log">>

/** A log that nothing else uses. */
export class Post {
  readonly groups: EventGroups.EventGroups["Service"]
  readonly target: ForwardTarget["Service"]
  readonly log: string
  readonly tenant: string
  private readonly marks = new Map<number, number>()
  private position = 0

  constructor(groups: EventGroups.EventGroups["Service"], target: ForwardTarget["Service"], run: string) {
    this.groups = groups
    this.target = target
    this.log = `law-${run}`
    this.tenant = `law-${run}`
  }

  name(group = "group"): { readonly log: string; readonly group: string } {
    return { log: this.log, group }
  }

  segment(key: string): number {
    return Segment.hash(key) & (this.target.segments - 1)
  }

  /** Keys of as many segments, one of each. */
  keys(count: number): ReadonlyArray<string> {
    const found = new Map<number, string>()
    for (let n = 0; found.size < Math.min(count, this.target.segments); n++) found.set(this.segment(`k${n}`), `k${n}`)
    return Array.from(found.values()).slice(0, count)
  }

  /** Makes sure that these groups exist everywhere. */
  open(...groups: ReadonlyArray<string>): Effect.Effect<void, EventGroupsError> {
    const all = Array.from({ length: this.target.segments }, (_, segment) => segment)
    const one = (segment: number) =>
      Effect.map(this.target.open(this.log, segment, { groups, floor: 0 }), (mark) => this.marks.set(segment, mark))
    return Effect.forEach(all, one, { concurrency: "unbounded", discard: true })
  }

  entry(
    key: string,
    n: number,
    change: {
      readonly type?: string
      readonly data?: unknown
      readonly version?: number
      readonly tenant?: string
    } = {}
  ): Entry {
    const position = ++this.position
    const { data = { n }, tenant = this.tenant, type = "law.sent", version = 1 } = change
    const envelope = IntegrationEvent.envelope("laws", {
      id: `${this.log}/${position}`,
      tenant,
      key,
      metadata: { correlationId: "c-1", causationId: "m-1", occurredAt: 1000 },
      headers: { sequence: String(position) },
      message: { type, version, data }
    })
    return { id: `${position}-0`, key, text: JSON.stringify(envelope) }
  }

  /** Forwards entries of one segment. */
  add(...entries: ReadonlyArray<Entry>): Effect.Effect<boolean, EventGroupsError> {
    return Effect.gen({ self: this }, function* () {
      const segment = this.segment(entries[0]?.key ?? "")
      const from = this.marks.get(segment) ?? (yield* this.target.open(this.log, segment, { groups: [], floor: 0 }))
      const isAdded = yield* this.target.add(this.log, segment, { from, to: this.position, entries })
      if (isAdded) this.marks.set(segment, this.position)
      return isAdded
    })
  }

  /** Forwards events with these numbers, all of one key. */
  send(key: string, ...numbers: ReadonlyArray<number>): Effect.Effect<boolean, EventGroupsError> {
    return Effect.suspend(() => this.add(...numbers.map((n) => this.entry(key, n))))
  }

  /** Has a member that does this. */
  member<E>(
    handle: (delivery: Delivery) => Effect.Effect<unknown, E, TenantContext>,
    options: Options = {}
  ): Effect.Effect<void, EventGroupsError, Scope.Scope> {
    const subscription = { ...quick, group: "group", log: this.log, events: [Sent] as const, ...options, handle }
    return SystemContext.provide("laws")(this.groups.subscribe(subscription))
  }

  /** Has a member that does this with many at a time. */
  gathering<E>(
    handleBatch: (deliveries: ReadonlyArray<Delivery>) => Effect.Effect<unknown, E, TenantContext>,
    options: Options = {}
  ): Effect.Effect<void, EventGroupsError, Scope.Scope> {
    const subscription = { ...quick, group: "group", log: this.log, events: [Sent] as const, ...options, handleBatch }
    return SystemContext.provide("laws")(this.groups.subscribe(subscription))
  }

  /** A member that can be ended before the law is. */
  ending<E>(
    handle: (delivery: Delivery) => Effect.Effect<unknown, E, TenantContext>,
    options: Options = {}
  ): Effect.Effect<Effect.Effect<void>, EventGroupsError> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      yield* Scope.provide(this.member(handle, options), scope)
      return Scope.close(scope, Exit.void)
    })
  }

  /** A member that notes what it is given. */
  noting(options: Options = {}): Effect.Effect<Array<Delivery>, EventGroupsError, Scope.Scope> {
    const seen: Array<Delivery> = []
    return Effect.as(
      this.member((delivery) => Effect.sync(() => seen.push(delivery)), options),
      seen
    )
  }
}

/** Nobody waits long in a law. */
const quick: Options = { lease: "900 millis", poll: "20 millis", retry: { times: 1, base: "1 millis", later: [] } }

/** The numbers of what was delivered, those of one key when it is given. */
export const numbers = (seen: ReadonlyArray<Delivery>, key?: string): ReadonlyArray<number> =>
  seen.filter((one) => key === undefined || one.key === key).map(({ event }) => event.n)

/** A law about groups, with a log of its own; its members end with it. */
export const law = <A, E, R>(
  name: string,
  body: (post: Post) => Effect.Effect<A, E, R>
): Law.Law<Exclude<R, Scope.Scope> | EventGroups.EventGroups | ForwardTarget> =>
  Law.make(name, () =>
    Effect.gen(function* () {
      const post = new Post(yield* EventGroups.EventGroups, yield* ForwardTarget, yield* unique)
      return yield* Effect.scoped(body(post))
    })
  )
