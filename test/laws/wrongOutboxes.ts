import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Outbox from "../../src/ports/Outbox.ts"
import * as OutboxLaws from "../../src/testing/OutboxLaws.ts"
import { controls } from "./controls.ts"

type Service = Outbox.Outbox["Service"]

const outboxes = controls<Service>(OutboxLaws.laws, (make) =>
  Layer.effect(Outbox.Outbox, Effect.map(Outbox.Outbox, make))
)

export const wrongOutboxes = [
  outboxes("a message leaves whatever becomes of the transaction", ["commit with the transaction"], (outbox) => {
    const left: Array<Parameters<Service["enqueue"]>[0][number]> = []
    return {
      ...outbox,
      enqueue: (messages) => Effect.sync(() => void left.push(...messages)),
      claim: (queue, options) =>
        Effect.suspend(() => Effect.andThen(outbox.enqueue(left.splice(0)), outbox.claim(queue, options)))
    }
  }),
  outboxes("a message whose id waits is kept once more", ["left as it is"], (outbox) => {
    let count = 0
    return {
      ...outbox,
      enqueue: (messages) => outbox.enqueue(messages.map((one) => ({ ...one, id: `${one.id}${++count}` })))
    }
  }),
  outboxes("ids are of one tenant", ["left as it is"], (outbox) => ({
    ...outbox,
    enqueue: (messages) =>
      Effect.forEach(
        messages,
        (one) =>
          Effect.flatMap(outbox.list(one.queue), (all) =>
            all.some(({ id }) => id === one.id) ? Effect.void : outbox.enqueue([one])
          ),
        { discard: true }
      )
  })),
  outboxes("a time is not waited for", ["not claimed before its time"], (outbox) => ({
    ...outbox,
    enqueue: (messages) => outbox.enqueue(messages.map((one) => ({ ...one, when: { _tag: "Now" } })))
  })),
  outboxes("keys have no order", ["in order, from the first", "parked stays"], (outbox) => ({
    ...outbox,
    enqueue: (messages) => outbox.enqueue(messages.map((one) => ({ ...one, key: undefined })))
  })),
  outboxes("there is one key for all", ["do not wait for each other"], (outbox) => ({
    ...outbox,
    enqueue: (messages) => outbox.enqueue(messages.map((one) => ({ ...one, key: "all" })))
  })),
  outboxes("two workers have one message", ["one worker at a time", "in order, from the first"], (outbox) => ({
    ...outbox,
    claim: (queue, options) =>
      Effect.tap(outbox.claim(queue, options), (claimed) => Effect.when(outbox.release(claimed), Effect.succeed(true)))
  })),
  outboxes("all is claimed at once", ["no more is claimed"], (outbox) => ({
    ...outbox,
    claim: (queue, options) => outbox.claim(queue, { ...options, limit: 100 })
  })),
  outboxes("keys always begin anew", ["have their turn"], (outbox) => ({
    ...outbox,
    claim: (queue, options) => outbox.claim(queue, { ...options, from: "" })
  })),
  outboxes("a lease never ends", ["run out lets another"], (outbox) => ({
    ...outbox,
    claim: (queue, options) => outbox.claim(queue, { ...options, lease: Duration.hours(1) })
  })),
  outboxes("nothing is renewed", ["renewed does not run out"], (outbox) => ({
    ...outbox,
    renew: (held) => Effect.succeed(held)
  })),
  outboxes("who had a message may still say what became of it", ["the first is refused"], (outbox) => {
    const tokens = new Map<string, number>()
    return {
      ...outbox,
      claim: (queue, options) =>
        Effect.tap(outbox.claim(queue, options), (all) =>
          Effect.sync(() => all.forEach(({ id, token }) => tokens.set(id, token)))
        ),
      complete: (held, options) =>
        Effect.as(
          outbox.complete(
            held.map((one) => ({ ...one, token: tokens.get(one.id) ?? one.token })),
            options
          ),
          held
        )
    }
  }),
  outboxes("what is given back counts as tried", ["attempts are as before"], (outbox) => ({
    ...outbox,
    release: (held, delay) =>
      Effect.forEach(
        held,
        (one) => outbox.failed(one, { category: "DeliveryFailed", error: "", attempts: 1, retryInMillis: delay ?? 0 }),
        { discard: true }
      )
  })),
  outboxes("what is parked is tried again", ["parked stays"], (outbox) => ({
    ...outbox,
    failed: (held, failure) => outbox.failed(held, { ...failure, retryInMillis: failure.retryInMillis ?? 0 })
  })),
  outboxes("a failure is tried again at once", ["claimed again when it is due"], (outbox) => ({
    ...outbox,
    failed: (held, failure) => outbox.failed(held, { ...failure, retryInMillis: 0 })
  })),
  outboxes("a replay is of all", ["the fitting ones"], (outbox) => ({
    ...outbox,
    replay: (queue) => outbox.replay(queue)
  })),
  outboxes("an edit changes nothing", ["other contents"], (outbox) => ({ ...outbox, edit: () => Effect.void })),
  outboxes("what is skipped leaves no trace", ["for a reason that is kept"], (outbox) => ({
    ...outbox,
    skip: (ref, reason) => Effect.andThen(outbox.skip(ref, reason), outbox.purge(Duration.zero))
  })),
  outboxes("nothing that is delivered is kept", ["can be looked at"], (outbox) => ({
    ...outbox,
    complete: (held) => outbox.complete(held)
  })),
  outboxes("everything is purged", ["can be looked at"], (outbox) => ({
    ...outbox,
    purge: () => outbox.purge(Duration.zero)
  })),
  outboxes("nobody is woken", ["misses none", "made due"], (outbox) => ({
    ...outbox,
    changes: Effect.succeed(Effect.never)
  })),
  outboxes("what was delivered is noted at any price", ["undone with the transaction"], (outbox) => {
    const done = new Set<string>()
    return {
      ...outbox,
      complete: (held, options) =>
        Effect.tap(outbox.complete(held, options), () => Effect.sync(() => held.forEach(({ id }) => done.add(id)))),
      list: (queue, options) => Effect.map(outbox.list(queue, options), (all) => all.filter(({ id }) => !done.has(id)))
    }
  })
]
