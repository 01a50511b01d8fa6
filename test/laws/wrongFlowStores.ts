import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as FlowStore from "../../src/ports/FlowStore.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as FlowStoreLaws from "../../src/testing/FlowStoreLaws.ts"
import { controls } from "./controls.ts"

type Service = FlowStore.FlowStore["Service"]

const stores = controls<Service>(FlowStoreLaws.laws, (make) =>
  Layer.effect(FlowStore.FlowStore, Effect.map(FlowStore.FlowStore, make))
)

const shared = TenantId.make("all")

export const wrongFlowStores = [
  stores("tenants share their flows", ["of their own"], (flows) => ({
    ...flows,
    record: (entries) => flows.record(entries.map((entry) => ({ ...entry, tenant: shared }))),
    read: (id, options) => TenantContext.provide(shared)(flows.read(id, options))
  })),
  stores("a reader sees another tenant's steps", ["of their own"], (flows) => {
    const all: Array<Parameters<Service["record"]>[0][number]> = []
    return {
      ...flows,
      record: (entries) => Effect.tap(flows.record(entries), () => Effect.sync(() => all.push(...entries))),
      read: (id) =>
        Effect.succeed({
          steps: all.filter(({ correlationId }) => correlationId === id).map(({ step }) => step),
          truncated: false
        })
    }
  }),
  stores("correlation ids are of one case", ["of their own"], (flows) => ({
    ...flows,
    record: (entries) =>
      flows.record(entries.map((entry) => ({ ...entry, correlationId: entry.correlationId.toLowerCase() }))),
    read: (id, options) => flows.read(id.toLowerCase(), options)
  })),
  stores("the first of a step stays", ["more attempts", "as many attempts"], (flows) => {
    const seen = new Set<string>()
    const isNew = (key: string) => !seen.has(key) && seen.add(key).size > 0
    return {
      ...flows,
      record: (entries) =>
        flows.record(
          entries.filter(({ correlationId, step, tenant }) => isNew(`${tenant} ${correlationId} ${step.id}`))
        )
    }
  }),
  stores("the last of a step stays", ["more attempts"], (flows) => {
    let time = 0
    return {
      ...flows,
      record: (entries) =>
        flows.record(
          entries.map((entry) => {
            const { outcome } = entry.step
            const attempts = ++time
            return outcome === undefined
              ? entry
              : { ...entry, step: { ...entry.step, outcome: { ...outcome, attempts } } }
          })
        )
    }
  }),
  stores("a page that is full ends the flow", ["in one page"], (flows) => ({
    ...flows,
    read: (id, options) => Effect.map(flows.read(id, options), ({ steps }) => ({ steps, truncated: false }))
  })),
  stores("every page is the first", ["in one page"], (flows) => ({
    ...flows,
    read: (id, options) => flows.read(id, { ...options, after: undefined })
  })),
  stores("a page has no limit", ["in one page"], (flows) => ({
    ...flows,
    read: (id, options) => flows.read(id, { ...options, limit: 10_000 })
  })),
  stores("the order is that of UTF-16", ["the order of their ids"], (flows) => ({
    ...flows,
    read: (id, options) =>
      Effect.map(flows.read(id, options), (page) => ({
        ...page,
        steps: page.steps.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
      }))
  })),
  stores("times are whole", ["as they were recorded"], (flows) => ({
    ...flows,
    record: (entries) =>
      flows.record(entries.map((entry) => ({ ...entry, step: { ...entry.step, at: Math.floor(entry.step.at) } })))
  })),
  stores("causes are forgotten", ["as they were recorded"], (flows) => ({
    ...flows,
    record: (entries) =>
      flows.record(entries.map((entry) => ({ ...entry, step: { ...entry.step, causationId: undefined } })))
  })),
  stores("what is wrong is left out", ["InvalidStep"], (flows) => ({
    ...flows,
    record: (entries) => flows.record(entries.filter((entry) => FlowStore.issues(entry).length === 0))
  })),
  stores("what comes before the wrong one is kept", ["InvalidStep"], (flows) => ({
    ...flows,
    record: (entries) => Effect.forEach(entries, (entry) => flows.record([entry]), { discard: true })
  })),
  stores("everything is forgotten", ["as long as it is to be"], (flows) => ({
    ...flows,
    purge: () => Effect.andThen(Effect.sleep("5 millis"), flows.purge(Duration.zero))
  })),
  stores("a transaction does not undo it", ["undone with the rest"], (flows) => {
    const kept: Array<Parameters<Service["record"]>[0]> = []
    return {
      ...flows,
      record: (entries) =>
        Effect.andThen(
          Effect.sync(() => kept.push(entries)),
          flows.record(entries)
        ),
      read: (id, options) =>
        Effect.andThen(Effect.ignore(Effect.forEach(kept, (entries) => flows.record(entries))), flows.read(id, options))
    }
  })
]
