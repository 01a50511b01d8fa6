import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../src/domain/Position.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as Inbox from "../../src/ports/Inbox.ts"
import * as InboxLaws from "../../src/testing/InboxLaws.ts"
import { controls } from "./controls.ts"

type Service = Inbox.Inbox["Service"]

const inboxes = controls<Service>(InboxLaws.laws, (make) => Layer.effect(Inbox.Inbox, Effect.map(Inbox.Inbox, make)))

export const wrongInboxes = [
  inboxes("everything is new", ["once for its id", "or dropped"], (inbox) => ({
    ...inbox,
    take: () => Effect.succeed(true),
    advance: () => Effect.succeed(true)
  })),
  inboxes("only the last position is known again", ["or dropped"], (inbox) => {
    const last = new Map<string, number>()
    return {
      ...inbox,
      advance: (consumer, source, segment, position) =>
        Effect.sync(() => {
          const key = `${consumer} ${source} ${segment}`
          const isNew = last.get(key) !== position && position > 0
          last.set(key, position)
          return isNew
        })
    }
  }),
  inboxes("tenants share their ids", ["of their own"], (inbox) => ({
    ...inbox,
    take: (_, consumer, id) => inbox.take(TenantId.make("all"), consumer, id)
  })),
  inboxes("consumers share their ids", ["of their own"], (inbox) => ({
    ...inbox,
    take: (tenant, _, id) => inbox.take(tenant, "all", id)
  })),
  inboxes("segments are one", ["of their own"], (inbox) => ({
    ...inbox,
    advance: (consumer, source, _, position) => inbox.advance(consumer, source, 0, position)
  })),
  inboxes("names are of one case", ["once for its id"], (inbox) => ({
    ...inbox,
    take: (tenant, consumer, id) => inbox.take(tenant, consumer, id.toLowerCase())
  })),
  inboxes("what fails is noted as well", ["fails or dies", "is rolled back is forgotten"], (inbox) => {
    const seen = new Set<string>()
    return {
      ...inbox,
      take: (tenant, consumer, id) =>
        Effect.sync(() => {
          const key = `${tenant} ${consumer} ${id}`
          const isNew = !seen.has(key)
          seen.add(key)
          return isNew
        })
    }
  }),
  inboxes("it looks first and notes later", ["at the same time"], (inbox) => {
    const seen = new Set<string>()
    return {
      ...inbox,
      take: (tenant, consumer, id) =>
        Effect.suspend(() => {
          const key = `${tenant} ${consumer} ${id}`
          return seen.has(key)
            ? Effect.succeed(true)
            : Effect.as(
                Effect.andThen(
                  Effect.yieldNow,
                  Effect.sync(() => seen.add(key))
                ),
                true
              )
        })
    }
  }),
  inboxes("everything is forgotten", ["for as long as it is to be"], (inbox) => ({
    ...inbox,
    take: (tenant, consumer, id) => Effect.tap(inbox.take(tenant, consumer, id), () => Effect.sleep("2 millis")),
    purge: () => inbox.purge(Duration.zero)
  })),
  inboxes("nobody knows how far it is", ["or dropped", "fails or dies"], (inbox) => ({
    ...inbox,
    position: () => Effect.succeed(Position.start)
  }))
]
