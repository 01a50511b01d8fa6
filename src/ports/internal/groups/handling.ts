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
  const { retry, timeout } = definition
  const once = (attempt: number): Effect.Effect<unknown, unknown, Exclude<R, TenantContext>> => {
    const call = Effect.suspend(() => definition.handle({ ...read, attempt })).pipe(
      Effect.provideService(TenantContext, { id: read.tenant }),
      Effect.provideService(MessageContext.MessageContext, MessageContext.ofEvent(read.id, read.metadata))
    )
    return timeout === undefined
      ? call
      : Effect.timeoutOrElse(call, {
          duration: timeout,
          orElse: () => Effect.die(new Error(`It took longer than ${Duration.format(timeout)}`))
        })
  }
  const tried = (tries: number): Effect.Effect<Outcome, never, Exclude<R, TenantContext>> =>
    Effect.matchCauseEffect(once(entry.attempt + tries - 1), {
      onSuccess: () => Effect.succeed(handled),
      onFailure: (cause) =>
        Effect.logWarning("A group's handler failed", cause).pipe(
          Effect.annotateLogs({ event: read.event._tag, id: read.id, group: claim.group, attempt: tries }),
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
