/** How many requests there were, and how long they took. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

const requests = Metric.counter("effect_cqrs_http_requests_total", {
  description: "Requests that were answered, by method, route and status",
  incremental: true
})
const durations = Metric.histogram("effect_cqrs_http_duration_seconds", {
  description: "How long requests took, by method and route",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
})

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

const once = <K, A>(make: (key: K) => A) => {
  const made = new Map<K, A>()
  return (key: K): A => {
    const found = made.get(key) ?? make(key)
    made.set(key, found)
    return found
  }
}

const counterOf = once((key: string) => {
  const [method = "", route = "", status = ""] = key.split(" ")
  return Metric.withAttributes(requests, { method, route, status })
})
const histogramOf = once((key: string) => {
  const [method = "", route = ""] = key.split(" ")
  return Metric.withAttributes(durations, { method, route })
})

type Handled<R> = Effect.Effect<HttpServerResponse.HttpServerResponse, never, R>

/** Measures the answer to a request, by the route that has answered it. */
export const measured = <R>(request: HttpServerRequest.HttpServerRequest, handle: Handled<R>): Handled<R> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const before = clock.currentTimeNanosUnsafe()
    return Effect.map(handle, (response) => {
      const route = Context.getOrUndefined(fiber.context, HttpRouter.RouteContext)?.route.path ?? "none"
      const key = `${methods.has(request.method) ? request.method : "other"} ${route}`
      const seconds = Number(clock.currentTimeNanosUnsafe() - before) / 1e9
      counterOf(`${key} ${response.status}`).updateUnsafe(1, fiber.context)
      histogramOf(key).updateUnsafe(seconds, fiber.context)
      return response
    })
  })
