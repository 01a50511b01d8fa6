import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { DispatchError } from "../../src/index.ts"

const codec = Schema.toCodecJson(DispatchError.DispatchError)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownSync(codec)

const reasons: ReadonlyArray<readonly [DispatchError.Reason, string]> = [
  [new DispatchError.Invalid({ issues: [{ path: "a", message: "bad" }] }), "Pay: a: bad"],
  [new DispatchError.NotHandled({ kind: "command" }), "Pay: No handler for this command is provided"],
  [new DispatchError.Conflict({ stream: "Cart-1", expected: "none", actual: 2 }), "Pay: Cart-1 is at 2, expected none"],
  [new DispatchError.Gone({ stream: "Cart-1" }), "Pay: Cart-1 is gone"],
  [new DispatchError.Storage({ operation: "append", retryable: true }), "Pay: The storage failed in append"],
  [new DispatchError.Unreachable({ service: "redis" }), "Pay: redis cannot be reached"],
  [
    new DispatchError.Timeout({ afterMillis: 20, waitingFor: "the bank" }),
    "Pay: No answer after 20 ms of waiting for the bank"
  ],
  [new DispatchError.Timeout({ waitingFor: "the bank" }), "Pay: No answer in time from the bank"]
]

describe("a DispatchError", () => {
  it.each(reasons)("survives the network with reason %s", (reason, message) => {
    const error = DispatchError.make("Pay", reason)
    const back = decode(JSON.parse(JSON.stringify(encode(error))))
    expect(back).toBeInstanceOf(DispatchError.DispatchError)
    expect(back).toEqual(error)
    expect(back.reason).toBeInstanceOf(reason.constructor)
    expect(back.message).toBe(message)
  })

  it.effect.prop("survives the network, whatever it says", [DispatchError.DispatchError], ([error]) =>
    Effect.sync(() => {
      const text = JSON.stringify(encode(error))
      expect(JSON.stringify(encode(decode(JSON.parse(text))))).toBe(text)
    })
  )

  it("keeps its cause for logs and never sends it", () => {
    const secret = new Error("password=hunter2")
    const error = DispatchError.make("Pay", new DispatchError.Storage({ operation: "read", retryable: false }), secret)
    expect(error.cause).toBe(secret)
    const expected = {
      _tag: "DispatchError",
      of: "Pay",
      reason: { _tag: "Storage", operation: "read", retryable: false }
    }
    expect(encode(error)).toEqual(expected)
    expect(JSON.parse(JSON.stringify(error))).toEqual(expected)
    expect("cause" in decode(encode(error))).toBe(false)
  })

  it.effect("is handled by its reason", () =>
    Effect.gen(function* () {
      const error = DispatchError.make("Pay", new DispatchError.Gone({ stream: "Cart-1" }))
      const handled = Effect.catchReason(Effect.fail(error), "DispatchError", "Gone", ({ stream }) =>
        Effect.succeed(stream)
      )
      expect(yield* handled).toBe("Cart-1")
    })
  )
})
