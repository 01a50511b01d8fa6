/**
 * What laws about event buses share: events, and subscribers that note what they are handed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Event from "../../../domain/Event.ts"
import * as EventBus from "../../../ports/EventBus.ts"
import type { EventBusError } from "../../../ports/EventBusError.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Law from "../../Law.ts"
import { unique } from "../world.ts"

const fields = { run: Schema.String, n: Schema.Int }

export class Announced extends Event.Class<Announced>()("law.announced", fields) {}
export class Revoked extends Event.Class<Revoked>()("law.revoked", fields) {}
export class Detailed extends Event.Class<Detailed>()("law.announced.detailed", fields) {}
export class Noted extends Event.Class<Noted>()("law.noted", { ...fields, note: Schema.String }) {}

/** What a bus must read for the laws. */
export const events = [Announced, Revoked, Detailed, Noted] as const

/** A bus, a tenant of one's own and another, and the name of this run, which its events carry. */
export class Hall {
  readonly bus: EventBus.EventBus["Service"]
  readonly run: string
  readonly tenant: string
  readonly other: string

  constructor(bus: EventBus.EventBus["Service"], run: string) {
    this.bus = bus
    this.run = run
    this.tenant = `law-${run}`
    this.other = `law-other-${run}`
  }

  announced(...numbers: ReadonlyArray<number>): ReadonlyArray<Announced> {
    return numbers.map((n) => new Announced({ run: this.run, n }))
  }

  noting(n: number, note: string): Noted {
    return new Noted({ run: this.run, n, note })
  }

  publish(...events: ReadonlyArray<Event.Any>): Effect.Effect<void, EventBusError, TenantContext.TenantContext> {
    return this.bus.publish(events)
  }

  /** All events of this run, of whichever tenant. */
  get all(): EventBus.Selector<Event.Any> {
    return EventBus.where(`run ${this.run}`, (event) => "run" in event && event.run === this.run)
  }

  /** Subscribes, and gives the numbers of the events as they are handled. */
  numbers<E extends Event.Any>(
    selector: EventBus.Selector<E>
  ): Effect.Effect<Array<number>, EventBusError, TenantContext.TenantContext | Scope.Scope> {
    const seen: Array<number> = []
    const noting = ({ event }: EventBus.Published<E>) => Effect.sync(() => void seen.push(numberOf(event)))
    return Effect.as(this.bus.subscribe(selector, noting), seen)
  }
}

export const numberOf = (event: Event.Any): number =>
  "n" in event && typeof event.n === "number" ? event.n : Number.NaN

/** Waits until something is so; a bus may take its time. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep("2 millis"), until(holds))))

/** Long enough for what should not come to have come. */
export const aWhile: Effect.Effect<void> = Effect.sleep("40 millis")

/** A law about a bus, as a tenant of its own; its subscribers end with it. */
export const law = <A, E, R>(
  name: string,
  body: (hall: Hall) => Effect.Effect<A, E, R>
): Law.Law<Exclude<Exclude<R, Scope.Scope>, TenantContext.TenantContext> | EventBus.EventBus> =>
  Law.make(name, () =>
    Effect.gen(function* () {
      const hall = new Hall(yield* EventBus.EventBus, yield* unique)
      return yield* Effect.scoped(body(hall)).pipe(TenantContext.provide(hall.tenant))
    })
  )
