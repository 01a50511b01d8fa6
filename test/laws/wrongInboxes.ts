import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../src/domain/Position.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as Inbox from "../../src/ports/Inbox.ts"
import type { ClaimingDriver, Place } from "../../src/ports/InboxDriver.ts"
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
  inboxes("what fails is noted as well", ["fails, dies or", "is rolled back is forgotten"], (inbox) => {
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
  inboxes("nobody knows how far it is", ["or dropped", "fails, dies or"], (inbox) => ({
    ...inbox,
    position: () => Effect.succeed(Position.start)
  }))
]

const claims = controls<ClaimingDriver>(InboxLaws.claiming, (make) =>
  Layer.effect(Inbox.ClaimingInbox, Effect.map(Inbox.ClaimingInbox, make))
)

export const wrongClaimingInboxes = [
  claims("everything is new", ["once for its id", "or dropped", "one has it"], (inbox) => ({
    ...inbox,
    claim: () => Effect.succeed({ _tag: "Claimed" })
  })),
  claims("nothing is confirmed", ["once for its id", "neither renews, nor confirms"], (inbox) => ({
    ...inbox,
    confirm: (place, token) => Effect.as(inbox.release(place, token), true)
  })),
  claims("it looks first and claims later", ["one has it", "at the same time one handles it"], (inbox) => ({
    ...inbox,
    claim: (place, _, millis) =>
      Effect.flatMap(Effect.andThen(Effect.yieldNow, inbox.claim(place, "probe", millis)), (claimed) =>
        Effect.as(Effect.andThen(Effect.yieldNow, inbox.release(place, "probe")), claimed)
      )
  })),
  claims("whoever says so confirms", ["neither renews, nor confirms", "ends after another has"], (inbox) => ({
    ...inbox,
    confirm: (place, token) => Effect.as(inbox.confirm(place, token), true)
  })),
  claims("a confirmation is refused the second time", ["neither renews, nor confirms"], (inbox) => {
    const confirmed = new Set<string>()
    return {
      ...inbox,
      confirm: (place, token) =>
        Effect.suspend(() => {
          const key = JSON.stringify([place, token])
          if (confirmed.has(key)) return Effect.succeed(false)
          confirmed.add(key)
          return inbox.confirm(place, token)
        })
    }
  }),
  claims("whoever comes frees it", ["neither renews, nor confirms"], (inbox) => {
    const holders = new Map<string, string>()
    return {
      ...inbox,
      claim: (place, token, millis) =>
        Effect.tap(inbox.claim(place, token, millis), ({ _tag }) =>
          Effect.sync(() => {
            if (_tag === "Claimed") holders.set(JSON.stringify(place), token)
          })
        ),
      release: (place, token) => inbox.release(place, holders.get(JSON.stringify(place)) ?? token)
    }
  }),
  claims("a claim never runs out", ["whose holder is gone", "neither renews, nor confirms"], (inbox) => ({
    ...inbox,
    claim: (place, token, millis) => inbox.claim(place, token, millis * 1000)
  })),
  claims("a renewal is forgotten", ["for as long as its handler runs"], (inbox) => ({
    ...inbox,
    renew: () => Effect.succeed(true)
  })),
  claims("nothing is given back", ["fails, dies or"], (inbox) => ({ ...inbox, release: () => Effect.void })),
  claims("who is held up is told that it was handled", ["waits, and fails"], (inbox) => ({
    ...inbox,
    claim: (place, token, millis) =>
      Effect.map(inbox.claim(place, token, millis), (claimed) =>
        claimed._tag === "Held" ? { _tag: "Handled" } : claimed
      )
  })),
  claims("each position is claimed by itself", ["claimed as a whole"], (inbox) => ({
    ...inbox,
    claim: (place, token, millis) =>
      inbox.claim("id" in place ? place : { ...place, source: `${place.source}/${place.position}` }, token, millis)
  })),
  claims("tenants share their ids", ["of their own"], (inbox) => {
    const all = (place: Place): Place => ("id" in place ? { ...place, tenant: TenantId.make("all") } : place)
    return {
      ...inbox,
      claim: (place, token, millis) => inbox.claim(all(place), token, millis),
      confirm: (place, token) => inbox.confirm(all(place), token)
    }
  })
]
