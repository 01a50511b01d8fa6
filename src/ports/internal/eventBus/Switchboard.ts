/** Hands what has come to the subscribers of this process, whatever it came by. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Event from "../../../domain/Event.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { EventBusError } from "../../EventBusError.ts"
import * as MessageContext from "../../MessageContext.ts"
import { SystemContext } from "../../SystemContext.ts"
import { TenantContext } from "../../TenantContext.ts"
import type { Handler, Published, Selector } from "./model.ts"

interface Subscriber {
  /** Takes what its selector accepts. */
  readonly offer: (published: Published) => void
}

/** Has the events of a tenant, or of all, come to this process for as long as the scope is open. */
export type Interest = (
  tenant: TenantId | undefined,
  selector: Selector<unknown>
) => Effect.Effect<void, EventBusError, Scope.Scope>

export class Switchboard {
  private readonly ofAll = new Set<Subscriber>()
  private readonly ofTenant = new Map<TenantId, Set<Subscriber>>()
  private readonly interest: Interest
  private unhandled = 0
  private idlers: Array<() => void> = []

  constructor(interest: Interest) {
    this.interest = interest
  }

  /** Whether somebody here wants events of a tenant. */
  wants(tenant: TenantId): boolean {
    return this.ofAll.size > 0 || this.ofTenant.has(tenant)
  }

  deliver(published: Published): void {
    for (const subscriber of this.ofAll) subscriber.offer(published)
    const own = this.ofTenant.get(published.tenant)
    if (own !== undefined) for (const subscriber of own) subscriber.offer(published)
  }

  readonly subscribe = <E extends Event.Any, Error, R>(
    selector: Selector<E>,
    handler: Handler<E, Error, R>
  ): Effect.Effect<void, EventBusError, Exclude<R, TenantContext> | TenantContext | Scope.Scope> =>
    Effect.flatMap(TenantContext, (tenant) =>
      Effect.provideService(this.handling(selector, handler, tenant.id), TenantContext, tenant)
    )

  readonly subscribeAll = <E extends Event.Any, Error, R>(
    selector: Selector<E>,
    handler: Handler<E, Error, R>
  ): Effect.Effect<void, EventBusError, Exclude<R, TenantContext> | SystemContext | Scope.Scope> =>
    Effect.andThen(
      SystemContext,
      this.handling(
        selector,
        (published) => Effect.provideService(handler(published), TenantContext, { id: published.tenant }),
        undefined
      )
    )

  readonly stream = <E extends Event.Any>(
    selector: Selector<E>
  ): Stream.Stream<Published<E>, EventBusError, TenantContext> =>
    Stream.unwrap(
      Effect.flatMap(TenantContext, (tenant) => Effect.map(this.streaming(selector, tenant.id), Stream.fromQueue))
    )

  /** Completes when every handler has handled all that has come: a stream's reader may never come. */
  readonly idle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.unhandled === 0) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    this.idlers.push(wake)
    return Effect.sync(() => void (this.idlers = this.idlers.filter((other) => other !== wake)))
  })

  private handled(count: number): void {
    this.unhandled -= count
    if (this.unhandled > 0) return
    // Whoever is woken may run at once, and wait again before the others are woken.
    const woken = this.idlers
    this.idlers = []
    for (const wake of woken) wake()
  }

  private handling<E extends Event.Any, Error, R>(
    selector: Selector<E>,
    handler: Handler<E, Error, R>,
    tenant: TenantId | undefined
  ): Effect.Effect<void, EventBusError, R | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.interest(tenant, selector)
      const accepts = accepted(selector)
      const line = new Line<Published<E>>()
      const subscriber: Subscriber = {
        offer: (published) => {
          if (!accepts(published)) return
          this.unhandled++
          line.push(published)
        }
      }
      yield* this.listening(tenant, subscriber, () => this.handled(line.takeAll().length))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(line.some, this.round(line, selector, handler))))
    })
  }

  /** Handles all that waits now, one after the other, each as what its event has caused. */
  private round<E extends Event.Any, Error, R>(
    line: Line<Published<E>>,
    selector: Selector<E>,
    handler: Handler<E, Error, R>
  ): Effect.Effect<void, never, R> {
    return Effect.withFiber((fiber) => {
      // This fiber is the subscriber's own: its context is made anew for each event.
      const base = fiber.context
      const all = line.takeAll()
      const rest = all.values()
      let next = rest.next()
      let current: Published<E> | undefined
      const loop = Effect.whileLoop({
        while: () => next.done !== true,
        body: () => {
          if (next.done === true) return Effect.void
          const published = next.value
          current = published
          next = rest.next()
          const context = MessageContext.ofEvent(published.id, published.metadata)
          fiber.setContext(Context.add(base, MessageContext.MessageContext, context))
          return handler(published)
        },
        step: () => undefined
      })
      // The end of the subscription itself is not caught here: only what the handler ran into.
      const going: Effect.Effect<void, never, R> = Effect.catchCause(loop, (cause) =>
        Effect.andThen(failed(selector, current, cause), going)
      )
      return Effect.ensuring(
        going,
        Effect.sync(() => {
          fiber.setContext(base)
          this.handled(all.length)
        })
      )
    })
  }

  private streaming<E extends Event.Any>(
    selector: Selector<E>,
    tenant: TenantId
  ): Effect.Effect<Queue.Queue<Published<E>>, EventBusError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      yield* this.interest(tenant, selector)
      const accepts = accepted(selector)
      const queue = yield* Effect.acquireRelease(Queue.unbounded<Published<E>>(), Queue.shutdown)
      const subscriber: Subscriber = {
        offer: (published) => void (accepts(published) && Queue.offerUnsafe(queue, published))
      }
      yield* this.listening(tenant, subscriber, () => undefined)
      return queue
    })
  }

  private listening(
    tenant: TenantId | undefined,
    subscriber: Subscriber,
    ended: () => void
  ): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => this.add(tenant, subscriber)),
      () =>
        Effect.sync(() => {
          this.remove(tenant, subscriber)
          ended()
        })
    )
  }

  private add(tenant: TenantId | undefined, subscriber: Subscriber): void {
    if (tenant === undefined) return void this.ofAll.add(subscriber)
    const own = this.ofTenant.get(tenant)
    if (own === undefined) this.ofTenant.set(tenant, new Set([subscriber]))
    else own.add(subscriber)
  }

  private remove(tenant: TenantId | undefined, subscriber: Subscriber): void {
    if (tenant === undefined) return void this.ofAll.delete(subscriber)
    const own = this.ofTenant.get(tenant)
    if (own?.delete(subscriber) && own.size === 0) this.ofTenant.delete(tenant)
  }
}

export const accepted =
  <E extends Event.Any>(selector: Selector<E>) =>
  (published: Published): published is Published<E> =>
    selector.accepts(published.event)

/** What waits for one subscriber. */
class Line<A> {
  private waiting: Array<A> = []
  private wake: (() => void) | undefined

  push(one: A): void {
    this.waiting.push(one)
    const { wake } = this
    if (wake === undefined) return
    this.wake = undefined
    wake()
  }

  takeAll(): ReadonlyArray<A> {
    const all = this.waiting
    this.waiting = []
    return all
  }

  /** Completes when something waits. */
  readonly some: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.waiting.length > 0) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
    return Effect.sync(() => void (this.wake = undefined))
  })
}

const failed = (
  selector: Selector<unknown>,
  published: Published | undefined,
  cause: Cause.Cause<unknown>
): Effect.Effect<void> =>
  Effect.logError("A subscriber failed", cause).pipe(
    Effect.annotateLogs({ event: published?.event._tag, id: published?.id, handler: selector.name })
  )
