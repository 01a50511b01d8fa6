/** Whose call a fiber runs. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { Actor } from "../../domain/Actor.ts"
import { MessageContext } from "../../ports/MessageContext.ts"
import { TenantContext } from "../../ports/TenantContext.ts"

/** What tells one caller from another; absent where it is not known. */
export interface Caller {
  readonly tenant: string | undefined
  readonly actor: Actor | undefined
}

export const callerOf = (fiber: Fiber.Fiber<unknown, unknown>): Caller => ({
  tenant: Context.getOrUndefined(fiber.context, TenantContext)?.id,
  actor: fiber.getRef(MessageContext).actor
})
