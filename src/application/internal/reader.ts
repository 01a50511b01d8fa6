/** What all readers of the log share: decoding, running handlers as each event's tenant, going on after failures. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Metadata } from "../../domain/Metadata.ts"
import type { Position } from "../../domain/Position.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import { CheckpointError, CheckpointStore } from "../../ports/CheckpointStore.ts"
import { EventStore } from "../../ports/EventStore.ts"
import type { Page } from "../../ports/EventStoreDriver.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import * as MessageContext from "../../ports/MessageContext.ts"
import type { SystemContext } from "../../ports/SystemContext.ts"
import { TenantContext } from "../../ports/TenantContext.ts"
import { HandlerRegistry, layer as registryLayer, type RegisteredReader } from "../HandlerRegistry.ts"

/** What a handler does is caused by: an event, or a message. */
export interface Cause {
  readonly id: string
  readonly tenant: TenantId
  readonly metadata: Metadata
}

/** Runs a handler as the tenant of what it handles, with that as the cause of what the handler does. */
export const asEvent = <A, E, R>(
  { id, metadata, tenant }: Cause,
  handled: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, TenantContext>> =>
  handled.pipe(
    Effect.provideService(TenantContext, { id: tenant }),
    Effect.provideService(MessageContext.MessageContext, MessageContext.ofEvent(id, metadata))
  )

/** As {@link asEvent}, for one after the other in the same place: what those of one tenant share is made once. */
export const asEvents = (): typeof asEvent => {
  let [before, tenant, shared] = [Context.empty(), "", Context.empty()]
  function inside<R>(context: Context.Context<Exclude<R, TenantContext>>, cause: Cause): Context.Context<R>
  function inside(context: Context.Context<never>, cause: Cause): unknown {
    if (context !== before || cause.tenant !== tenant) {
      ;[before, tenant] = [context, cause.tenant]
      shared = Context.merge(context, Context.make(TenantContext, { id: cause.tenant }))
    }
    return Context.add(shared, MessageContext.MessageContext, MessageContext.ofEvent(cause.id, cause.metadata))
  }
  return (cause, handled) => Effect.updateContext(handled, (context) => inside(context, cause))
}

/** How a reader runs: its name, what it reads, and what it does with a page before the checkpoint moves. */
export interface Reader<E, R> {
  readonly kind: "subscription" | "projection"
  readonly name: string
  readonly types: ReadonlyArray<string>
  readonly categories?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly batchSize: number
  readonly retries: number
  /** Handles a page and moves the checkpoint from `from` to the page's cursor. */
  readonly handle: (page: Page, from: Position) => Effect.Effect<void, E, R>
}

export type ReaderServices = EventStore | CheckpointStore | SystemContext

/** Reads from the checkpoint on, for ever: catches up page by page, then waits for what is new. */
export const run = <E, R>(
  self: Reader<E, R>
): Effect.Effect<never, E | EventStoreError | CheckpointError, R | ReaderServices> =>
  Effect.gen(function* () {
    const { batchSize: limit, categories, tags, types } = self
    const store = yield* EventStore
    const checkpoints = yield* CheckpointStore
    let cursor = yield* survive(self, checkpoints.load(self.name))
    while (true) {
      const page = yield* survive(self, store.readAllTenants({ after: cursor, limit, types, categories, tags }))
      if (page.cursor === cursor) {
        yield* survive(self, store.changed(cursor))
        continue
      }
      const moved = yield* persist(self, survive(self, self.handle(page, cursor))).pipe(
        Effect.as(true),
        Effect.catchIf(isConflict, () => Effect.succeed(false))
      )
      cursor = moved ? page.cursor : yield* survive(self, checkpoints.load(self.name))
    }
  }).pipe(Effect.annotateLogs({ [self.kind]: self.name }))

// A storage that does not answer is waited for, however long it takes: every try is logged.
export const survive = <A, E, R>(
  self: { readonly name: string },
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.tapError((error) =>
      isStorage(error) ? Effect.logWarning(`${self.name}: the storage failed, trying again`, error) : Effect.void
    ),
    Effect.retry({ while: isStorage, schedule: pauses })
  )

// A handler that fails is tried again so many times; then the reader stops where it is.
export const persist = <A, E, R>(
  self: { readonly name: string; readonly retries: number },
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.tapError((error) =>
      isConflict(error) ? Effect.void : Effect.logWarning(`${self.name}: the handler failed`, error)
    ),
    Effect.retry({ while: (error) => !isConflict(error), schedule: pauses, times: self.retries })
  )

const pauses = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)

export const isConflict = (error: unknown): boolean =>
  error instanceof CheckpointError && error.reason._tag === "CheckpointConflict"

const isStorage = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "reason" in error &&
  typeof error.reason === "object" &&
  error.reason !== null &&
  "_tag" in error.reason &&
  error.reason._tag === "StorageFailure"

/** Runs a reader in the background of a program, and lists it for introspection. */
export const layerOf = <E, R>(
  reader: RegisteredReader,
  running: Effect.Effect<never, E, R>
): Layer.Layer<never, never, R> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const registry = yield* HandlerRegistry
      yield* registry.addReader(reader)
      yield* running.pipe(
        Effect.tapCause((cause) => Effect.logError(`The ${reader.kind} ${reader.name} has stopped`, cause)),
        Effect.forkScoped
      )
    })
  ).pipe(Layer.provide(registryLayer))
