/** A bus over a driver: events become envelopes, and what comes becomes events again. */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as RcMap from "effect/RcMap"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Event from "../../../domain/Event.ts"
import * as FieldIssue from "../../../domain/FieldIssue.ts"
import * as IntegrationEvent from "../../../domain/IntegrationEvent.ts"
import * as TenantId from "../../../domain/TenantId.ts"
import * as EventBusDriver from "../../EventBusDriver.ts"
import { EventBusError, InvalidEvent } from "../../EventBusError.ts"
import * as IdGenerator from "../../IdGenerator.ts"
import * as MessageContext from "../../MessageContext.ts"
import { TenantContext } from "../../TenantContext.ts"
import { Switchboard } from "./Switchboard.ts"

export interface Options<R> {
  readonly events: ReadonlyArray<Event.AnyClass>
  readonly source?: string | undefined
  readonly unread?: ((problem: IntegrationEvent.Unread) => Effect.Effect<unknown, never, R>) | undefined
}

export interface Driven {
  readonly board: Switchboard
  readonly publish: (events: ReadonlyArray<Event.Any>) => Effect.Effect<void, EventBusError, TenantContext>
  readonly promises: EventBusDriver.Promises
  readonly isUp: () => boolean
}

export const make = <E, R, R2>(
  options: Options<R2>,
  open: (receiver: EventBusDriver.Receiver) => Effect.Effect<EventBusDriver.Driver, E, R>
): Effect.Effect<Driven, E, R | R2 | Scope.Scope> =>
  Effect.gen(function* () {
    const registry = IntegrationEvent.registry(options.events)
    const read = new Set(options.events.map(({ tag }) => tag))
    const context = yield* Effect.context<never>()
    const problems = yield* Queue.unbounded<IntegrationEvent.Unread>()
    let isUp = true
    let measures: Measures | undefined
    const turned = (up: boolean) => () => {
      isUp = up
      measures?.up.updateUnsafe(up ? 1 : 0, context)
    }

    const driver = yield* open({
      take: (received) => {
        const tenant = tenantOf(received)
        if (tenant !== undefined && !board.wants(tenant)) return
        const decoded = registry.decode(received)
        if (Result.isFailure(decoded)) return void Queue.offerUnsafe(problems, decoded.failure)
        measures?.received.updateUnsafe(1, context)
        const { envelope, event } = decoded.success
        const metadata = EventBusDriver.metadata(decoded.success)
        board.deliver({ id: envelope.id, tenant: TenantId.make(envelope.tenant), event, metadata })
      },
      up: turned(true),
      down: turned(false)
    })
    const { name } = driver
    measures = measuresOf(name)
    turned(isUp)()

    const interests = yield* RcMap.make({
      lookup: (tenant: TenantId.TenantId | typeof everybody) => driver.listen(tenant === everybody ? undefined : tenant)
    })
    const board = new Switchboard((tenant, selector) =>
      Effect.gen(function* () {
        const unread = selector.types?.filter((type) => !read.has(type)) ?? []
        if (unread.length > 0) {
          const types = unread.map((type) => JSON.stringify(type)).join(", ")
          return yield* Effect.die(new Error(`The event bus ${name} does not read ${types}: add it to its \`events\``))
        }
        // One that fails must not be found by the next who asks.
        const own = yield* Scope.fork(yield* Effect.scope)
        yield* RcMap.get(interests, tenant ?? everybody).pipe(
          Scope.provide(own),
          Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
        )
      })
    )

    const reported = new Set<string>()
    yield* Queue.take(problems).pipe(
      Effect.flatMap((problem) =>
        Effect.andThen(report(name, problem, reported), options.unread?.(problem) ?? Effect.void)
      ),
      Effect.forever,
      Effect.forkScoped
    )

    return {
      board,
      promises: driver.promises,
      isUp: () => isUp,
      publish: (events) =>
        Effect.withFiber((fiber) => {
          const tenant = Context.getUnsafe(fiber.context, TenantContext).id
          const metadata = MessageContext.unsafeMetadata(fiber)
          const ids = fiber.getRef(IdGenerator.IdGenerator)
          const envelopes: Array<IntegrationEvent.Envelope> = []
          for (const event of events) {
            const { encode, tag, version } = event[Event.TypeId]
            const data = encode(event)
            if (Result.isFailure(data)) {
              const issues = FieldIssue.fromIssue(data.failure)
              return Effect.fail(new EventBusError({ reason: new InvalidEvent({ bus: name, type: tag, issues }) }))
            }
            const id = ids.unsafeNext(fiber, metadata.occurredAt)
            const message = { type: tag, version, data: data.success }
            envelopes.push(
              EventBusDriver.envelope(options.source ?? "effect-cqrs", {
                id,
                tenant,
                key: undefined,
                metadata,
                message
              })
            )
          }
          if (!Arr.isReadonlyArrayNonEmpty(envelopes)) return Effect.void
          measures?.published.updateUnsafe(envelopes.length, context)
          return driver.publish(envelopes)
        })
    }
  })

const everybody = Symbol("everybody")

/** Whose it says it is, before it is read: most of what comes may be nobody's here. */
const tenantOf = (received: unknown): TenantId.TenantId | undefined => {
  if (typeof received !== "object" || received === null || !("tenant" in received)) return undefined
  const { tenant } = received
  return typeof tenant === "string" && tenant !== "" ? TenantId.make(tenant) : undefined
}

/** What nobody here can read is said once for each type and version; the rest is the same every time. */
const report = (bus: string, problem: IntegrationEvent.Unread, reported: Set<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const counted = Metric.update(Metric.withAttributes(unread, { bus, problem: problem._tag }), 1)
    if (problem._tag === "UnknownContract") {
      const { dataversion, type } = problem.envelope
      const key = `${type} ${dataversion}`
      if (reported.has(key) || reported.size === mostReported) return counted
      reported.add(key)
    }
    return Effect.andThen(
      counted,
      Effect.annotateLogs(Effect.logWarning("An event came that cannot be read", problem), { bus })
    )
  })

const mostReported = 1000

const unread = Metric.counter("effect_cqrs_bus_unread_total", {
  description: "Events that came and could not be read",
  incremental: true
})
const published = Metric.counter("effect_cqrs_bus_published_total", {
  description: "Events that were published",
  incremental: true
})
const received = Metric.counter("effect_cqrs_bus_received_total", {
  description: "Events that came for somebody in this process",
  incremental: true
})
const up = Metric.gauge("effect_cqrs_bus_up", { description: "1 while a bus hears, 0 while it may miss events" })

const measuresOf = (bus: string) => ({
  published: Metric.withAttributes(published, { bus }),
  received: Metric.withAttributes(received, { bus }),
  up: Metric.withAttributes(up, { bus })
})

type Measures = ReturnType<typeof measuresOf>
