import { describe, expect, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Event from "../../src/domain/Event.ts"
import * as IntegrationEvent from "../../src/domain/IntegrationEvent.ts"

class Placed extends Event.Class<Placed>()("shop.placed", { order: Schema.String }) {}

const { decode } = IntegrationEvent.registry([Placed])
const isEnvelope = Schema.is(IntegrationEvent.Envelope)

const made = IntegrationEvent.envelope("shop", {
  id: "1",
  tenant: "acme",
  key: "o-1",
  headers: { sequence: "7" },
  metadata: { correlationId: "c", causationId: "b", traceparent: "00-1-2-01", occurredAt: 0 },
  message: { type: "shop.placed", version: 1, data: { order: "o-1" } }
})
const envelope: Readonly<Record<string, unknown>> = Object.fromEntries([
  ...Object.entries(made),
  ["actor", "user:ada"],
  ["attributes", "a=1"]
])

const others = [1, 1.5, "", "x", true, null, {}, [], "1.0", "application/json"]

describe("an envelope", () => {
  it("is read when its schema says that it is one, and only then", () => {
    expect(isEnvelope(envelope)).toBe(true)
    expect(Result.getOrThrow(decode(envelope)).envelope).toEqual(envelope)
    const without = Object.keys(envelope).map((name) =>
      Object.fromEntries(Object.entries(envelope).filter(([other]) => other !== name))
    )
    const changed = Object.keys(envelope).flatMap((name) => others.map((value) => ({ ...envelope, [name]: value })))
    const refused = [...without, ...changed, ...others, undefined].map((received) => {
      const read = decode(received)
      const isRefused = Result.isFailure(read) && read.failure._tag === "NotAnEnvelope"
      expect([received, isRefused]).toEqual([received, !isEnvelope(received)])
      return isRefused
    })
    expect(refused.filter(Boolean).length).toBeGreaterThan(100)
  })

  it("says of each field that is wrong what is wrong with it", () => {
    const read = decode({ ...envelope, id: 1, tenant: "", sequence: 7 })
    const problem = Result.isFailure(read) ? read.failure : undefined
    expect(problem?._tag === "NotAnEnvelope" && problem.issues.map(({ path }) => path).sort()).toEqual([
      "id",
      "sequence",
      "tenant"
    ])
  })
})
