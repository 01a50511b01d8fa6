/** What the laws of an outbox stand on: a queue and a tenant that nothing else uses, and messages. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as OutboxMessage from "../../../domain/OutboxMessage.ts"
import * as TenantId from "../../../domain/TenantId.ts"
import * as Outbox from "../../../ports/Outbox.ts"
import type { Claimed, Failure, Held, Ref } from "../../../ports/OutboxDriver.ts"
import type { OutboxError } from "../../../ports/OutboxError.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import * as Assert from "../../Assert.ts"
import * as Law from "../../Law.ts"
import { type Options, unique } from "../world.ts"

/** A number, in order with others of its key. */
export class Sent extends OutboxMessage.Class<Sent>()(
  "LawSent",
  { n: Schema.Int, key: Schema.optionalKey(Schema.String) },
  { key: ({ key }) => key }
) {}

export class Office {
  readonly outbox: Outbox.Outbox["Service"]
  readonly queue: string
  readonly tenant: TenantId.TenantId
  readonly otherTenant: TenantId.TenantId
  readonly lease = Duration.minutes(1)

  constructor(outbox: Outbox.Outbox["Service"], token: string) {
    this.outbox = outbox
    this.queue = `law-${token}`
    this.tenant = TenantId.make(`law-${token}`)
    this.otherTenant = TenantId.make(`law-other-${token}`)
  }

  /** Enqueues a number, with or without a key. */
  send(
    n: number,
    key?: string,
    options?: Outbox.Options
  ): Effect.Effect<string, OutboxError, Outbox.Outbox | TenantContext.TenantContext> {
    const message = new Sent({ n, ...(key !== undefined && { key }) })
    return Outbox.enqueue(message, { queue: this.queue, ...options })
  }

  ref(id: string): Ref {
    return { tenant: this.tenant, id }
  }

  claim(options?: {
    readonly limit?: number
    readonly lease?: Duration.Input
    readonly worker?: string
    readonly from?: string
  }): Effect.Effect<ReadonlyArray<Claimed>, OutboxError> {
    return this.outbox.claim(this.queue, {
      limit: options?.limit ?? 100,
      lease: Duration.fromInputUnsafe(options?.lease ?? "1 minute"),
      worker: options?.worker ?? "worker",
      from: options?.from ?? ""
    })
  }

  /** Claims, again and again, until there is something. */
  claimSoon(): Effect.Effect<ReadonlyArray<Claimed>, OutboxError> {
    return Effect.flatMap(this.claim(), (claimed) =>
      claimed.length > 0 ? Effect.succeed(claimed) : Effect.andThen(Effect.sleep("5 millis"), this.claimSoon())
    )
  }
}

/** How many milliseconds a delay of these laws takes, within the precision of all clocks. */
export const delay = 100

/**
 * What can be claimed after an effect, as soon as it can, which must not be before the delay is over. No law says that something
 * is *not* claimed within a time: who is held up on a busy machine comes later than that.
 */
export const claimedLate = <A, E, R>(office: Office, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const value = yield* effect
    const claimed = yield* office.claimSoon()
    const waited = (yield* Clock.currentTimeMillis) - before
    Assert.isTrue(waited >= delay - 1, `claimed after ${waited} ms, ${delay - waited} ms before it is due`)
    return { value, claimed }
  })

/** The number in a message. */
const numberOf = ({ data }: { readonly data: unknown }): number =>
  typeof data === "object" && data !== null && "n" in data ? Number(data.n) : Number.NaN

/** The numbers in messages, sorted. */
export const sorted = (all: ReadonlyArray<{ readonly data: unknown }>): ReadonlyArray<number> =>
  all.map(numberOf).toSorted((a, b) => a - b)

/** The numbers in messages, as they come. */
export const numbers = (all: ReadonlyArray<{ readonly data: unknown }>): ReadonlyArray<number> => all.map(numberOf)

export const failure = (retryInMillis?: number, attempts = 1, error = "no"): Failure => ({
  category: "DeliveryFailed",
  error,
  attempts,
  retryInMillis
})

export const ids = (all: ReadonlyArray<Held | Ref>): ReadonlyArray<string> => all.map(({ id }) => id)

/** A law about a queue of its own, as a tenant of its own. */
export const law = <A, E, R>(
  name: string,
  body: (office: Office) => Effect.Effect<A, E, R>,
  options?: Options
): Law.Law<Exclude<R, TenantContext.TenantContext> | Outbox.Outbox> =>
  Law.make(
    name,
    () =>
      Effect.gen(function* () {
        const office = new Office(yield* Outbox.Outbox, yield* unique)
        return yield* TenantContext.provide(office.tenant)(body(office))
      }),
    options
  )
