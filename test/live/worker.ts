/**
 * A process that is in a channel until it is killed: `node worker.ts <url> <bus> <heartbeat> <user>`. It tells when it has
 * joined, and each message that it gets.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Channel from "../../src/application/Channel.ts"
import { LiveHub } from "../../src/application/LiveHub.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import { hub } from "./bus.ts"

const [, , url = "", bus = "", heartbeat = "", user = ""] = process.argv

const program = Effect.gen(function* () {
  const { join } = yield* LiveHub
  yield* join(Channel.topic("chat"), {
    actor: Actor.user(user),
    message: ({ data }) => process.send?.(data) ?? false,
    presence: () => undefined
  })
  process.send?.("joined")
  return yield* Effect.never
})

process.on("disconnect", () => process.exit())
const live = Layer.mergeAll(hub(url, bus, Number(heartbeat)), TenantContext.layerSingle, Logger.layer([]))
Effect.runPromise(Effect.scoped(Effect.provide(program, live))).catch((error: unknown) => {
  process.send?.(String(error))
  process.exit(1)
})
