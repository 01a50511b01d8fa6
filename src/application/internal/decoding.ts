/** From stored events to events of today, for all who read: none, one or several of each, at once or with services. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import type { FieldIssue } from "../../domain/FieldIssue.ts"
import type { Fold } from "../../domain/Fold.ts"
import * as Join from "../../domain/Join.ts"
import type { RecordedEvent, Stored } from "../../domain/RecordedEvent.ts"
import type { ReadStream } from "../../ports/EventStoreDriver.ts"
import { EventStoreError, EventUndecodable } from "../../ports/EventStoreError.ts"
import * as StorageFailure from "../../ports/StorageFailure.ts"
import { TenantContext } from "../../ports/TenantContext.ts"

type Decoded<E, R> = Decoding.Decoding<RecordedEvent<E>, ReadonlyArray<FieldIssue>, R>

export type Decode<E, R> = (stored: Stored) => Decoded<E, R>

const undecodable = (stored: Stored, issues: ReadonlyArray<FieldIssue>): EventStoreError => {
  const { position, stream, type, version } = stored
  return new EventStoreError({ reason: new EventUndecodable({ stream, version, position, type, issues }) })
}

/** All that a stored event is today. */
export const decodeAll = <E, R>(
  decode: Decode<E, R>,
  stored: Stored
): Effect.Effect<ReadonlyArray<RecordedEvent<E>>, EventStoreError, Exclude<R, TenantContext>> =>
  settle(stored, decode(stored))

/** Does something with each event that a stored one is today, in order. */
export const forEach = <E, R, A, E2, R2>(
  decode: Decode<E, R>,
  stored: Stored,
  f: (recorded: RecordedEvent<E>) => Effect.Effect<A, E2, R2>
): Effect.Effect<unknown, E2 | EventStoreError, Exclude<R, TenantContext> | R2> => {
  const decoded = decode(stored)
  return decoded._tag === "Success"
    ? f(decoded.success)
    : Effect.flatMap(settle(stored, decoded), (all) => Effect.forEach(all, f, { discard: true }))
}

// An upcaster's services work for the tenant whose event it is. One that does not answer is waited for like a storage.
const settle = <E, R>(
  stored: Stored,
  decoded: Decoded<E, R>
): Effect.Effect<ReadonlyArray<RecordedEvent<E>>, EventStoreError, Exclude<R, TenantContext>> => {
  switch (decoded._tag) {
    case "Success":
      return Effect.succeed([decoded.success])
    case "Failure":
      return Effect.fail(undecodable(stored, decoded.failure))
    case "Several":
      return Effect.succeed(decoded.values)
    case "Pending":
      return decoded.effect.pipe(
        Effect.mapError((cause) => {
          const operation = `upcast ${stored.type} of version ${stored.schemaVersion}`
          return new EventStoreError({ reason: StorageFailure.make({ operation, retryable: true, cause }) })
        }),
        Effect.provideService(TenantContext, { id: stored.tenant }),
        Effect.flatMap((value) => settle(stored, decoded.resume(value)))
      )
  }
}

/** A state at once, or one that needs services: what is plain stays free of effects. */
export type Folded<State, R> =
  | Result.Result<State, EventStoreError>
  | Effect.Effect<State, EventStoreError, Exclude<R, TenantContext>>

/** Goes on with a folded state. */
export const andThen = <State, R, A, E2, R2>(
  folded: Folded<State, R>,
  f: (state: State) => Effect.Effect<A, E2, R2>
): Effect.Effect<A, EventStoreError | E2, Exclude<R, TenantContext> | R2> => {
  if (!Result.isResult(folded)) return Effect.flatMap(folded, f)
  return Result.isSuccess(folded) ? f(folded.success) : Effect.fail(folded.failure)
}

const isSkipped = (stored: Stored): boolean => stored.skip !== undefined

/** A stream with its newest event, also when readers pass over that one: its version is what an append expects. */
export const whole: ReadStream = { skipped: true }

/** Folds a whole stream, which is where consecutive events can be joined. */
export const foldStream = <State, E extends Event.Any, K extends Decoding.Kind>(
  self: Fold<State, E, K>,
  all: ReadonlyArray<Stored>,
  skip?: (of: Stored, isJoined: boolean) => boolean
): Folded<State, Decoding.Services<K>> => {
  // What readers pass over is there for its version alone.
  const stored = all.some(isSkipped) ? all.filter((one) => !isSkipped(one)) : all
  const from = (start: number, before: State): Folded<State, Decoding.Services<K>> => {
    let state = before
    let index = start
    while (true) {
      const joined = self.joins.length === 0 ? undefined : Join.at(self.joins, stored, index)
      index += joined?.count ?? 1
      const one = stored[index - 1]
      if (one === undefined) return Result.succeed(state)
      if (skip?.(one, joined !== undefined) === true) continue
      const decoded: Decoded<E, Decoding.Services<K>> = joined === undefined ? self.decode(one) : joined.event
      switch (decoded._tag) {
        case "Success":
          state = self.evolve(state, decoded.success.event)
          break
        case "Failure":
          return Result.fail(undecodable(one, decoded.failure))
        case "Several":
          for (const { event } of decoded.values) state = self.evolve(state, event)
          break
        case "Pending": {
          const [reached, next] = [state, index]
          return Effect.flatMap(settle(one, decoded), (all) => {
            const evolved = all.reduce((sum, { event }) => self.evolve(sum, event), reached)
            return andThen(from(next, evolved), Effect.succeed)
          })
        }
      }
    }
  }
  return from(0, self.initial)
}
