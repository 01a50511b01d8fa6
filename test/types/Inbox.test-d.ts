// What notes a message in the transaction of its handler, and what cannot.
// @effect-diagnostics missingEffectContext:off missingLayerContext:off
import { Effect, type Layer } from "effect"
import { Inbox, Memory, TenantContext } from "../../src/index.ts"
import { run } from "./run.ts"

declare const claiming: Layer.Layer<Inbox.ClaimingInbox>

const one = (message: { readonly id: string }) => message
const claimed = Inbox.onceClaimed("mailer", one)(() => Effect.void)({ id: "1" })
run(claimed.pipe(Effect.provide([claiming, TenantContext.layerSingle])))

const once = Inbox.once("billing", one)(() => Effect.void)({ id: "1" })
run(once.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle])))
// @ts-expect-error: Type 'Inbox' is not assignable to type 'never'
run(once.pipe(Effect.provide([claiming, TenantContext.layerSingle])))
