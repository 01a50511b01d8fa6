/**
 * A server of one's own, to be killed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as servers from "../services/servers.ts"

export const start = (options?: servers.PostgresOptions): Effect.Effect<servers.Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => servers.postgres(options)),
    (server) => Effect.promise(() => server.stop())
  )

/** Ends the server with `SIGKILL`, and starts it again on its data. */
export const crash = (server: servers.Server): Effect.Effect<void> =>
  Effect.promise(async () => {
    await server.kill()
    await server.restart()
  })
