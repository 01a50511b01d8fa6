import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { HealthChecks } from "../../src/index.ts"
import { Http, HttpServing } from "../../src/interfaces/http/index.ts"
import { call, Handlers, Known, listen, Tasks } from "./support.ts"

const App = Http.layer(Tasks).pipe(Layer.provide([Handlers, Known]))

/** The tasks behind the gate of a server. */
const serve = (options?: HttpServing.Options, more: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.empty) =>
  Effect.map(
    listen(
      HttpServing.serve(Layer.merge(App, more), options).pipe(Layer.provide(Logger.layer([]))),
      HttpServing.nodeOptions
    ),
    (base) => ({ base, send: call(base) })
  )

const create = { body: { taskId: "t-1", title: "Write" } }

/** What a server answers to bytes as they are. */
const raw = (base: string, text: string) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        let answer = ""
        const socket = connect(Number(new URL(base).port), "127.0.0.1", () => socket.end(text))
        socket.setEncoding("utf8").on("data", (part: string) => void (answer += part))
        socket.on("error", () => {})
        socket.on("close", () => resolve(answer))
      })
  )

describe("a server", () => {
  it.live("answers with problems where there is no route", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const none = yield* send("/nothing", { as: "" })
      expect([none.status, none.headers.get("content-type"), none.body.code]).toEqual([
        404,
        "application/problem+json",
        "NoRoute"
      ])
      const wrong = yield* send("/tasks/t-1", { method: "DELETE" })
      expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET"])
      expect((yield* send("/commands/create-task")).headers.get("allow")).toBe("POST")
      expect((yield* send("/commands/create-task", create)).status).toBe(201)
      expect((yield* send("/%ff")).status).toBe(404)
      // An id as long as it is has its place.
      expect((yield* send(`/tasks/${"x".repeat(3_000)}`)).status).toBe(422)
    })
  )

  it.live("says on every answer what keeps browsers from guessing and framing", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      for (const path of ["/nothing", "/health", "/queries/list-titles?limit=1", "/commands/create-task"]) {
        const { headers } = yield* send(path)
        expect(headers.get("x-content-type-options")).toBe("nosniff")
        expect(headers.get("x-frame-options")).toBe("DENY")
        expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'")
        expect(headers.get("access-control-allow-origin")).toBeNull()
        expect(headers.get("server")).toBeNull()
        expect(headers.get("x-powered-by")).toBeNull()
      }
      expect((yield* send("/docs")).headers.get("content-security-policy")).toContain("style-src")
    })
  )

  it.live("lets pages of other origins in only where it is said", () =>
    Effect.gen(function* () {
      const friend = "https://app.example.com"
      const { base, send } = yield* serve({ cors: { origins: [friend], credentials: true } })
      const from = (origin: string, site?: string) => ({
        ...create,
        headers: { origin, ...(site === undefined ? {} : { "sec-fetch-site": site }) }
      })
      const evil = yield* send("/commands/create-task", from("https://evil.example", "cross-site"))
      expect([evil.status, evil.body.code, evil.headers.get("access-control-allow-origin")]).toEqual([
        403,
        "CrossOrigin",
        null
      ])
      expect((yield* send("/commands/create-task", from("null", "cross-site"))).status).toBe(403)
      expect((yield* send("/commands/create-task", from("https://evil.example"))).status).toBe(403)
      expect(
        (yield* send("/commands/create-task", { ...create, headers: { "sec-fetch-site": "cross-site" } })).status
      ).toBe(403)

      const preflight = yield* send("/commands/create-task", {
        as: "",
        method: "OPTIONS",
        headers: {
          origin: friend,
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type"
        }
      })
      expect([preflight.status, preflight.headers.get("access-control-allow-headers")]).toEqual([204, "content-type"])
      const asked = yield* send("/commands/create-task", from(friend, "cross-site"))
      expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([201, friend])
      expect(asked.headers.get("access-control-allow-credentials")).toBe("true")
      expect(asked.headers.get("vary")).toBe("Origin")
      const other = { origin: "https://evil.example", "access-control-request-method": "POST" }
      const refused = yield* send("/commands/create-task", { method: "OPTIONS", headers: other })
      expect(refused.headers.get("access-control-allow-methods")).toBeNull()
      // The server's own pages, with and without what only newer browsers send.
      expect((yield* send("/commands/create-task", from(base))).status).toBe(409)
      expect((yield* send("/commands/create-task", from(base, "same-origin"))).status).toBe(409)
    })
  )

  it.live("lets pages of all origins in without the credentials of anybody", () =>
    Effect.gen(function* () {
      const { send } = yield* serve({ cors: { origins: "*", credentials: true } })
      const asked = yield* send("/commands/create-task", { ...create, headers: { origin: "https://evil.example" } })
      expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([201, "*"])
      expect(asked.headers.get("access-control-allow-credentials")).toBeNull()
    })
  )

  it.live("keeps what an answer says that it varies by", () =>
    Effect.gen(function* () {
      const Varying = HttpRouter.add(
        "GET",
        "/varying",
        HttpServerResponse.text("", { headers: { vary: "accept-language" } })
      )
      const { send } = yield* serve({ cors: { origins: ["https://app.example.com"] } }, Varying)
      expect((yield* send("/varying")).headers.get("vary")).toBe("accept-language, Origin")
    })
  )

  it.live("tells the log nothing of clients that go before they are answered", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const [started, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      // As a transaction does, which ends what it has begun.
      const transaction = Effect.acquireUseRelease(
        Deferred.succeed(started, undefined),
        () => Effect.never,
        () => Effect.andThen(Effect.sleep("5 millis"), Deferred.succeed(ended, undefined))
      )
      const base = yield* listen(
        HttpServing.serve(HttpRouter.add("GET", "/slow", transaction)).pipe(
          Layer.provide(Logger.layer([Logger.make(({ message }) => void logged.push(message))]))
        ),
        HttpServing.nodeOptions
      )
      const client = yield* Effect.forkChild(call(base)("/slow"))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(client)
      yield* Deferred.await(ended)
      yield* Effect.sleep("20 millis")
      expect(logged).toEqual([])
    })
  )

  it.live("takes no more headers and no longer URL than it is said to", () =>
    Effect.gen(function* () {
      const { base, send } = yield* serve({ maxHeaderBytes: 2_000 })
      const large = yield* send("/queries/list-titles?limit=1", { headers: { "x-large": "x".repeat(2_000) } })
      expect([large.status, large.body.code]).toEqual([431, "HeadersTooLarge"])
      expect((yield* send(`/queries/list-titles?limit=1&only=${"x".repeat(2_000)}`)).status).toBe(431)
      const huge = yield* raw(base, `GET /health HTTP/1.1\r\nhost: x\r\nx-large: ${"x".repeat(20_000)}\r\n\r\n`)
      expect(huge).toMatch(/^HTTP\/1\.1 431 /)
      expect(yield* raw(base, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /)
      expect((yield* send("/health")).status).toBe(200)
    })
  )

  it.live("shows its metrics to Prometheus where it is said", () =>
    Effect.gen(function* () {
      const { send } = yield* serve({ metrics: "/metrics" })
      yield* send("/commands/create-task", create)
      yield* send("/commands/create-task", create)
      yield* send("/nowhere/at/all")
      const { headers, text } = yield* send("/metrics", { as: "" })
      expect(headers.get("content-type")).toContain("text/plain")
      expect(text).toMatch(
        /effect_cqrs_http_requests_total\{[^}]*route="\/commands\/create-task"[^}]*status="409"[^}]*\} \d/
      )
      expect(text).toMatch(/effect_cqrs_http_requests_total\{[^}]*route="none"[^}]*status="404"[^}]*\} \d/)
      expect(text).toMatch(/effect_cqrs_http_duration_seconds_count\{[^}]*route="\/commands\/create-task"[^}]*\} \d/)
      expect(text).not.toContain("nowhere")
      const plain = yield* serve()
      expect((yield* plain.send("/metrics")).status).toBe(404)
    })
  )
})

describe("health", () => {
  it.live("is of the process, and of what it depends on", () =>
    Effect.gen(function* () {
      let mail: Effect.Effect<unknown, string> = Effect.void
      const Checks = Layer.mergeAll(
        HealthChecks.register(
          "mail",
          Effect.suspend(() => mail),
          { timeout: "50 millis" }
        ),
        HealthChecks.register("search", Effect.succeed({ status: "degraded", reason: "two of three" }))
      ).pipe(Layer.provideMerge(HealthChecks.layer))
      const app = HttpServing.serve(App).pipe(Layer.provide([Checks, Logger.layer([])]))
      const send = call(yield* listen(app))
      const ready = Effect.map(send("/health/ready", { as: "" }), ({ body, status, text }) => [
        status,
        body.status,
        text
      ])
      expect(yield* ready).toEqual([200, "degraded", expect.stringContaining('"search":{"status":"degraded"')])
      for (const broken of [Effect.fail("secret reason"), Effect.die("secret reason"), Effect.never]) {
        mail = broken
        yield* Effect.sleep("1100 millis")
        const [status, whole, text] = yield* ready
        expect([status, whole]).toEqual([503, "down"])
        expect(text).toMatch(/"mail":\{"status":"down","millis":\d+\}/)
        expect(text).not.toMatch(/secret|two of three/)
        expect((yield* send("/health", { as: "" })).body).toEqual({ status: "up" })
      }
    })
  )
})

describe("ending a server", () => {
  const slowly = (started: Deferred.Deferred<void>, millis: number) =>
    HttpRouter.add(
      "GET",
      "/slow",
      Effect.gen(function* () {
        yield* Deferred.succeed(started, undefined)
        yield* Effect.sleep(millis)
        return HttpServerResponse.text("done")
      })
    )

  it.live("says so, finishes what is in flight, and takes nothing new", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const started = yield* Deferred.make<void>()
      const { base, send } = yield* Scope.provide(serve({ drain: "2 seconds" }, slowly(started, 2_300)), scope)
      const inFlight = yield* Effect.forkChild(send("/slow"))
      yield* Deferred.await(started)
      const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      const ready = yield* send("/health/ready")
      expect([ready.status, ready.body.status, ready.headers.get("connection")]).toEqual([503, "draining", "close"])
      expect((yield* send("/commands/create-task", create)).status).toBe(201)
      const { status, text } = yield* Fiber.join(inFlight)
      expect([status, text]).toEqual([200, "done"])
      yield* Fiber.join(ending)
      const after = yield* Effect.exit(Effect.tryPromise(() => fetch(`${base}/health`)))
      expect(after._tag).toBe("Failure")
    })
  )

  it.live("waits for no request longer than it is said to", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const started = yield* Deferred.make<void>()
      const { base } = yield* Scope.provide(serve({}, slowly(started, 60_000)), scope)
      const inFlight = yield* Effect.forkChild(raw(base, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"))
      yield* Deferred.await(started)
      const before = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - before).toBeLessThan(5_000)
      expect(yield* Fiber.join(inFlight)).not.toContain("done")
    })
  )
})
