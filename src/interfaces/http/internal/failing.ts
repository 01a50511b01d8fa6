/** From the cause of a failure to a problem, and to the log what is not the client's doing. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import * as Problem from "../Problem.ts"

/** The problem that a cause comes to. What is not the client's doing is logged with its cause, under an id that the client gets. */
export const refused = (
  cause: Cause.Cause<unknown>,
  table: Problem.Table,
  { method, path }: { readonly method: string; readonly path: string },
  correlationId?: string
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  if (isOfClient(cause)) return Effect.failCause(cause)
  const row = rowOf(cause, table)
  if (row.status < 500) return Effect.succeed(Problem.respond(row))
  return Effect.gen(function* () {
    const id = row.id ?? (yield* IdGenerator.next)
    yield* Effect.logError(`${method} ${path} failed`, cause).pipe(
      Effect.annotateLogs({ id, correlationId, status: row.status })
    )
    return Problem.respond(row, id)
  })
}

/** Whether the client has gone, and nobody is there to be told anything. */
const isOfClient = (cause: Cause.Cause<unknown>): cause is Cause.Cause<never> =>
  Cause.hasInterruptsOnly(cause) &&
  cause.reasons.some(({ annotations }) => annotations.has(HttpServerError.ClientAbort.key))

const rowOf = (cause: Cause.Cause<unknown>, table: Problem.Table): Problem.Row => {
  // The request goes on: what was interrupted is something that it waited for.
  if (Cause.hasInterruptsOnly(cause)) return Problem.unavailable
  const errors = cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)
  const declared = cause.reasons.some(Cause.isDieReason) ? undefined : table(errors[0])
  return declared ?? Problem.internal
}
