/** The channels of one process among those of others, over the bus. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as EventBus from "../../../ports/EventBus.ts"
import type { EventBusError } from "../../../ports/EventBusError.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import { moment } from "../../../ports/internal/renewing.ts"
import type { SystemContext } from "../../../ports/SystemContext.ts"
import * as TenantContext from "../../../ports/TenantContext.ts"
import { Peers } from "./peers.ts"
import { Rooms } from "./rooms.ts"
import { type Content, Signal } from "./signals.ts"

/** As whom processes say what is of no tenant. */
const nobody = "effect-cqrs:nobody"

/** By a clock that nobody sets, and that stands still while the machine sleeps. */
const steady = Effect.map(moment, (now) => now.steady)
/** What may wait for the bus; what is more is dropped, and the next sign of life makes it good but for messages. */
const waiting = 10_000
/** A state answers all who have asked until then. */
const together = "100 millis"

export interface Nodes {
  readonly rooms: Rooms
  readonly send: (tenant: string, content: Content) => void
}

export const make = (
  every: number
): Effect.Effect<Nodes, EventBusError, EventBus.EventBus | EventBus.AcrossProcesses | SystemContext | Scope.Scope> =>
  Effect.gen(function* () {
    const bus = yield* EventBus.promising(EventBus.AcrossProcesses)
    const node = yield* IdGenerator.next
    const outgoing = yield* Queue.dropping<readonly [tenant: string, content: Content]>(waiting)
    const asked = Latch.makeUnsafe(false)
    /** How often who is there has changed here, by tenant. */
    const changes = new Map<string, number>()
    let isTold = false

    const send = (tenant: string, content: Content) => void Queue.offerUnsafe(outgoing, [tenant, content])
    const ask = (of?: string) => send(nobody, { _tag: "Asked", of })
    const rooms = new Rooms((tenant, channel, actor, isHere) => {
      const change = (changes.get(tenant) ?? 0) + 1
      changes.set(tenant, change)
      send(tenant, { _tag: "Changed", change, channel, actor, isHere })
    })
    const peers = new Peers(rooms, every)
    const alive = () => {
      let sum = 0
      for (const change of changes.values()) sum += change
      send(nobody, { _tag: "Alive", changes: sum, every })
    }

    const take = (from: string, tenant: string, content: Content, now: number): void => {
      switch (content._tag) {
        case "Message":
          rooms.publish(tenant, { channel: content.channel, from: content.from, data: content.data })
          return
        case "Changed":
          if (!peers.changed(from, tenant, content, now)) ask(from)
          return
        case "State":
          peers.state(from, tenant, content, now)
          return
        case "Alive":
          if (!peers.alive(from, content.changes, content.every, now)) ask(from)
          return
        case "Asked":
          if (content.of === undefined || content.of === node) asked.openUnsafe()
          return
        case "Gone":
          peers.gone(from)
      }
    }
    yield* bus.subscribeAll(EventBus.of(Signal), ({ event, tenant }) =>
      event.node === node ? Effect.void : Effect.map(steady, (now) => take(event.node, tenant, event.content, now))
    )

    const publish = (tenant: string, content: Content) =>
      bus.publish([new Signal({ node, content })]).pipe(TenantContext.provide(tenant))

    // One after the other, so that changes and messages of a tenant are heard in their order.
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.flatMap(Queue.take(outgoing), ([tenant, content]) =>
          publish(tenant, content).pipe(
            Effect.tap(() => Effect.sync(() => (isTold = false))),
            Effect.catchCause((cause) => {
              if (isTold) return Effect.void
              isTold = true
              return Effect.logWarning("Other processes do not hear of channels", cause)
            })
          )
        )
      )
    )

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* asked.await
          asked.closeUnsafe()
          for (const [tenant, change] of changes) send(tenant, { _tag: "State", change, rooms: rooms.own(tenant) })
          alive()
          yield* Effect.sleep(together)
        })
      )
    )

    yield* Effect.forkScoped(
      Effect.gen(function* () {
        let last = yield* steady
        while (true) {
          yield* Effect.sleep(every)
          alive()
          const now = yield* steady
          // Who was paused itself has not heard of others what they said meanwhile.
          const wasPaused = now - last > 2 * every
          last = now
          for (const late of wasPaused ? [] : peers.expire(now)) {
            yield* Effect.logWarning(`Nothing is heard of the process ${late}: its members are taken to be gone`)
          }
        }
      })
    )
    yield* Effect.addFinalizer(() =>
      // Where it does not get through, others wait for a sign of life in vain.
      publish(nobody, { _tag: "Gone" }).pipe(Effect.timeout("1 second"), Effect.exit)
    )
    ask()
    alive()
    return { rooms, send }
  })
