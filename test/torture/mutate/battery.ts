/**
 * What must be red for each line that is taken away, each in much less than a second where all is well.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as bare from "./bare.ts"
import * as log from "./log.ts"
import type { Stage } from "./stage.ts"
import * as streams from "./streams.ts"

/** Succeeds when all is as promised. */
type Check = (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>

export const checks = {
  "what commits late is read": log.late,
  "what was prepared is read once it commits": log.prepared,
  "appends are read in the order in which they were made": log.inOrder,
  "who waits for a stream neither holds others back nor gets lost": log.waiting,
  "pages are of one log, in its order": log.pages,
  "a tenant's readers see no other's events": log.tenants,
  "expected versions are compared": streams.versions,
  "several appends are written or refused as one": streams.several,
  "two that append to the same streams do not deadlock": streams.crossing,
  "an ended stream stays as it is": streams.ended,
  "an append with a name is written once": streams.named,
  "two that depend on one tag do not both append": streams.tagged,
  "who depends on a type waits for whoever appends": streams.typed,
  "a condition is not judged by an old snapshot": streams.isolated,
  "a look sees as holder whoever has drawn what it calls the last position": bare.look,
  "the mark is moved by today's term alone": bare.term,
  "the mark never goes back": bare.forwards,
  "the mark is moved in today's epoch alone": bare.epoch,
  "the mark stays below what is drawn": bare.drawn,
  "the mark is flushed, and what lies below it": bare.flushed,
  "a lease is not taken from who has it": bare.lease,
  "a fence waits for who has another name since a restart": bare.renamed
} as const satisfies Record<string, Check>

/** Whether a check finds all as promised; what fails, breaks or takes too long does not. */
export const isGreen = (name: keyof typeof checks, stage: Stage): Effect.Effect<boolean> =>
  checks[name](stage).pipe(
    Effect.scoped,
    Effect.timeout("15 seconds"),
    Effect.as(true),
    Effect.catchCause(() => Effect.succeed(false))
  )
