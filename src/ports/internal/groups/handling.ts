/** From an entry to a call of a group's handler, and from how that ends to what becomes of the entry. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as IntegrationEvent from "../../../domain/IntegrationEvent.ts"
import * as TenantId from "../../../domain/TenantId.ts"
import * as EventBusDriver from "../../EventBusDriver.ts"
import type { Category, Claim, Entry } from "../../EventGroupsDriver.ts"
import * as MessageContext from "../../MessageContext.ts"
import { TenantContext } from "../../TenantContext.ts"
import * as Ids from "./ids.ts"
import type { AnyDelivery, Definition } from "./model.ts"

/** How the handling of an entry ends. */
export type Outcome =
  | { readonly _tag: "Handled" }
  | { readonly _tag: "Failed"; readonly category: Category; readonly error: string }

const handled: Outcome = { _tag: "Handled" }

/** Handles an entry as the event's tenant, caused by the event; what fails is tried again a few times. */
export const handle = <R>(
  definition: Definition<R>,
  claim: Claim,
  entry: Entry & { readonly attempt: number }
): Effect.Effect<Outcome, never, Exclude<R, TenantContext>> => {
  const read = readAs(definition, claim, entry)
  if (read === undefined) return Effect.succeed(handled)
  if (typeof read === "string") return Effect.succeed({ _tag: "Failed", category: "Unread", error: read })
  return trying(definition, (attempt) => as(read, definition.handle({ ...read, attempt })), entry.attempt, {
    event: read.event._tag,
    id: read.id,
    group: claim.group
  })
}

/** Handles entries together, those of each tenant as one; answers with those that were not handled, in order. */
export const handleTogether = <R, E extends Entry & { readonly attempt: number }>(
  definition: Definition<R>,
  handleBatch: (deliveries: ReadonlyArray<AnyDelivery>) => Effect.Effect<unknown, unknown, R>,
  claim: Claim,
  entries: ReadonlyArray<E>
): Effect.Effect<ReadonlyArray<E>, never, Exclude<R, TenantContext>> =>
  Effect.gen(function* () {
    const byTenant = new Map<string, Array<{ readonly entry: E; readonly read: AnyDelivery }>>()
    const left = new Set<E>()
    const keys = new Set<string>()
    for (const entry of entries) {
      const read = readAs(definition, claim, entry)
      if (read === undefined) continue
      // Nothing of its key comes before what cannot be read.
      if (typeof read === "string") keys.add(entry.key)
      if (keys.has(entry.key)) left.add(entry)
      if (typeof read === "string" || keys.has(entry.key)) continue
      const own = byTenant.get(read.tenant) ?? []
      byTenant.set(read.tenant, own)
      own.push({ entry, read })
    }
    for (const own of byTenant.values()) {
      const [first] = own
      if (first === undefined) continue
      const call = (attempt: number) =>
        as(first.read, handleBatch(own.map(({ read }) => ({ ...read, attempt }))), own.length === 1)
      const about = { events: own.length, first: first.read.id, group: claim.group }
      const outcome = yield* trying(definition, call, first.entry.attempt, about)
      if (outcome._tag === "Failed") for (const { entry } of own) left.add(entry)
    }
    return entries.filter((entry) => left.has(entry))
  })

/** As the event's tenant, caused by the event where it is the only one. */
const as = <R>(
  { id, metadata, tenant }: AnyDelivery,
  handled: Effect.Effect<unknown, unknown, R>,
  isOnly = true
): Effect.Effect<unknown, unknown, Exclude<R, TenantContext>> =>
  handled.pipe(
    Effect.provideService(TenantContext, { id: tenant }),
    Effect.provideService(
      MessageContext.MessageContext,
      isOnly ? MessageContext.ofEvent(id, metadata) : MessageContext.empty
    )
  )

/** Calls a handler until it succeeds, so often as it is to be tried. */
const trying = <R>(
  { retry, timeout }: Pick<Definition<R>, "retry" | "timeout">,
  call: (attempt: number) => Effect.Effect<unknown, unknown, R>,
  attempt: number,
  about: Record<string, unknown>
): Effect.Effect<Outcome, never, R> => {
  const once = (attempt: number) => {
    const called = Effect.suspend(() => call(attempt))
    return timeout === undefined
      ? called
      : Effect.timeoutOrElse(called, {
          duration: timeout,
          orElse: () => Effect.die(new Error(`It took longer than ${Duration.format(timeout)}`))
        })
  }
  const tried = (tries: number): Effect.Effect<Outcome, never, R> =>
    Effect.matchCauseEffect(once(attempt + tries - 1), {
      onSuccess: () => Effect.succeed(handled),
      onFailure: (cause) =>
        Effect.logWarning("A group's handler failed", cause).pipe(
          Effect.annotateLogs({ ...about, attempt: tries }),
          Effect.andThen(
            tries >= retry.times
              ? Effect.succeed(failed(cause))
              : Effect.delay(tried(tries + 1), Duration.toMillis(retry.base) * 2 ** (tries - 1))
          )
        )
    })
  return tried(1)
}

const failed = (cause: Cause.Cause<unknown>): Outcome => ({
  _tag: "Failed",
  category: "HandlerFailed",
  error: Cause.pretty(cause).slice(0, 2000)
})

/** An event for the handler, nothing where the group does not want it, or why it cannot be read. */
const readAs = <R>(
  { registry, types, unknown, where }: Definition<R>,
  { group, segment, token }: Claim,
  entry: Entry & { readonly attempt: number }
): AnyDelivery | string | undefined => {
  const decoded = registry.decode(EventBusDriver.parse(entry.text))
  if (Result.isFailure(decoded)) {
    const problem = decoded.failure
    const isOther = problem instanceof IntegrationEvent.UnknownContract && !types.has(problem.envelope.type)
    return isOther && unknown === "pass" ? undefined : problem.message
  }
  const { envelope, event } = decoded.success
  const tenant = TenantId.make(envelope.tenant)
  const delivery: AnyDelivery = {
    id: envelope.id,
    tenant,
    event,
    metadata: EventBusDriver.metadata(decoded.success),
    group,
    key: entry.key,
    position: Ids.position(entry.id),
    segment,
    token,
    attempt: entry.attempt,
    idempotencyKey: `${tenant}/${group}/${envelope.id}`
  }
  return where?.(delivery) === false ? undefined : delivery
}
