import { expect, it } from "@effect/vitest"
import * as DispatchError from "../../src/domain/DispatchError.ts"
import * as Problem from "../../src/interfaces/http/Problem.ts"

it("says when a caller may come again that was refused for now", () => {
  const limited = new DispatchError.RateLimited({ limit: 5, remaining: 0, retryAfterMillis: 1_200 })
  expect(Problem.ofDispatch(limited)).toMatchObject({
    status: 429,
    headers: { "retry-after": "2", "ratelimit-limit": "5", "ratelimit-remaining": "0", "ratelimit-reset": "2" }
  })
  const open = new DispatchError.CircuitOpen({ breaker: "payments", retryAfterMillis: 0 })
  // Who fails behind the server is not for its clients.
  expect(JSON.stringify(Problem.toProblem(Problem.ofDispatch(open)))).not.toContain("payments")
  expect(Problem.ofDispatch(open)).toMatchObject({ status: 503, headers: { "retry-after": "1" } })
  const full = new DispatchError.Overloaded({ bulkhead: "payments", running: 1, waiting: 0 })
  expect(Problem.ofDispatch(full)).toMatchObject({ status: 503, headers: { "retry-after": "1" } })
})
