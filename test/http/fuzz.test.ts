import { connect } from "node:net"
import { expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import { Http, HttpServing } from "../../src/interfaces/http/index.ts"
import { call, Handlers, Known, listen, Tasks } from "./support.ts"

const pick = <A>(all: readonly [A, ...ReadonlyArray<A>]) =>
  Effect.map(Random.nextIntBetween(0, all.length), (index) => all[index] ?? all[0])

const secret = "only of globex"

const texts = [
  "t-1",
  "t-2",
  "",
  " ",
  "..",
  "../..",
  "%2e%2e%2f",
  "%00",
  "%ff",
  "%",
  "a/b",
  "null",
  "undefined",
  "NaN",
  "-1",
  "1e999",
  "9".repeat(40),
  "Task-t-1",
  "other-tenant",
  "'; drop table events; --",
  "${jndi:ldap://x}",
  "<script>alert(1)</script>",
  "\u0000",
  "\ud800",
  "😀",
  "é".normalize("NFD"),
  "__proto__",
  "constructor",
  "x".repeat(61),
  "x".repeat(3_000)
] as const

const values = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  "",
  "t-1",
  "\u0000",
  "\ud800",
  "x".repeat(5_000),
  [],
  [[]],
  {},
  { a: { b: {} } },
  ["a", null, 3],
  { __proto__: null, length: 3 }
] as const

const paths = [
  "/commands/create-task",
  "/commands/misbehave",
  "/commands/sign-up",
  "/tasks/:id/title",
  "/tasks/:id",
  "/queries/list-titles",
  "/queries/search",
  "/health",
  "/health/ready",
  "/docs",
  "/openapi.json",
  "/metrics",
  "/:id",
  "/commands/:id",
  "//",
  "/tasks//title"
] as const

const names = [
  "authorization",
  "content-type",
  "content-length",
  "transfer-encoding",
  "accept",
  "if-match",
  "if-none-match",
  "idempotency-key",
  "x-read-after",
  "x-correlation-id",
  "x-request-timeout",
  "traceparent",
  "b3",
  "origin",
  "cookie",
  "expect",
  "connection",
  "x-forwarded-for",
  "x-http-method-override",
  "range",
  "accept-encoding",
  "upgrade",
  "te"
] as const

const headerValues = [
  "",
  "*",
  '"1"',
  'W/"1"',
  '"',
  "0",
  "-1",
  "5",
  "chunked",
  "gzip",
  "application/json",
  "application/json; charset=utf-16",
  "text/plain",
  "p1",
  "pzzzzzzzzzzz",
  "1ms",
  "9999999s",
  "Bearer ada",
  "Bearer bob ",
  "Bearer",
  "00-00000000000000000000000000000000-0000000000000000-01",
  "00-zz",
  "http://evil.example",
  "100-continue",
  "close",
  "websocket",
  "a".repeat(2_000),
  "é",
  "127.0.0.1",
  "DELETE",
  "bytes=0-1"
] as const

const body = Effect.gen(function* () {
  const shape = yield* Random.nextIntBetween(0, 10)
  const value = yield* pick(values)
  const text = yield* pick(texts)
  const fields = { taskId: yield* pick([text, "t-1", value]), title: yield* pick([text, value, "taken", "fast"]) }
  switch (shape) {
    case 0:
      return text
    case 1:
      return JSON.stringify(value)
    case 2:
      return "[".repeat(20_000)
    case 3:
      return '{"taskId":"t-1","title":'
    case 4:
      return `{"__proto__":{"taskId":"x"},"constructor":{"prototype":{}},"taskId":${JSON.stringify(text)},"title":"a"}`
    case 5:
      return JSON.stringify({ ...fields, how: "unknown", filter: value, limit: text, _tag: "SignUp" })
    case 6:
      return JSON.stringify({ filter: { title: value }, notify: [value, text], ...fields })
    case 7:
      return JSON.stringify({ big: "x".repeat(2_000_000) })
    default:
      return JSON.stringify(fields)
  }
})

/** One request as bytes, which may be none. */
const request = Effect.gen(function* () {
  const method = yield* pick([
    "GET",
    "GET",
    "POST",
    "POST",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "BREW"
  ])
  const id = yield* pick(texts)
  const raw = yield* Random.nextBoolean
  const path = (yield* pick(paths)).replace(":id", () => (raw ? id.replace(/\s/g, "") : encode(id)))
  const value = yield* pick(texts)
  const search = (yield* Random.nextBoolean)
    ? `?limit=${encode(value)}&only=a&only=${encode(id)}&__proto__=1&order=up&upper=${encode(value)}`
    : ""
  const content = yield* body
  const lines = [`${method} ${path}${search} HTTP/1.1`, "host: test", "connection: close"]
  if ((yield* Random.next) < 0.8) lines.push(`authorization: Bearer ${yield* pick(["ada", "ada", "eve", "mallory"])}`)
  if ((yield* Random.next) < 0.8) lines.push("content-type: application/json")
  const hasBody = method !== "GET" && method !== "HEAD"
  if (hasBody && (yield* Random.next) < 0.9) lines.push(`content-length: ${Buffer.byteLength(content)}`)
  const more = yield* Random.nextIntBetween(0, 4)
  for (let n = 0; n < more; n++) lines.push(`${yield* pick(names)}: ${yield* pick(headerValues)}`)
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${hasBody ? content : ""}`, "utf8")
})

const encode = (text: string): string => encodeURIComponent(text.toWellFormed())

/** What comes back before the server closes the connection, or stops to answer. */
const exchange = (port: number, bytes: Buffer) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        let answer = ""
        const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
        socket.setTimeout(1_000, () => socket.destroy())
        socket.setEncoding("utf8").on("data", (part: string) => void (answer += part))
        socket.on("error", () => {})
        socket.on("close", () => resolve(answer))
      })
  )

it.live(
  "whatever is sent is no fault of the server, shows no stack, and nothing of others",
  () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      const app = HttpServing.serve(Http.layer(Tasks, { timeout: "800 millis" })).pipe(
        Layer.provide([Handlers, Known]),
        Layer.provide(Logger.layer([logger]))
      )
      const base = yield* listen(app, HttpServing.nodeOptions)
      const send = call(base)
      yield* send("/commands/create-task", { as: "bob", body: { taskId: "t-1", title: secret } })
      const statuses = new Map<string, number>()
      const attack = Effect.gen(function* () {
        const bytes = yield* request
        const answer = yield* exchange(Number(new URL(base).port), bytes)
        const sent = bytes.toString("utf8").slice(0, 600)
        const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? "none"
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        expect(answer === "" || status !== "none", sent).toBe(true)
        expect(status, `${sent}\n${answer.slice(0, 600)}`).not.toMatch(/^50[0-3]/)
        expect(answer, sent).not.toMatch(/node_modules|\bat [\w.<>]+ \(|\.ts:\d+|SchemaError|TypeError/)
        expect(answer, sent).not.toContain(secret)
        expect(answer, sent).not.toContain('globex"')
        if (/^[45]/.test(status) && !/^(?:HEAD)/.test(sent) && /\r\nx-content-type-options/.test(answer)) {
          expect(answer, sent).toContain("application/problem+json")
        }
      })
      yield* Effect.all(
        Array.from({ length: 16 }, () => Effect.repeat(attack, { times: 60 })),
        { concurrency: "unbounded" }
      )
      // It saw more than one kind of answer, and is as well as before.
      expect(Array.from(statuses.keys())).toEqual(expect.arrayContaining(["200", "400", "404", "422"]))
      expect(logged.filter((line) => !/\/commands\/misbehave/.test(line))).toEqual([])
      const bob = yield* send("/tasks/t-1", { as: "bob" })
      expect(bob.body).toMatchObject({ title: secret, version: 1 })
      expect((yield* send("/commands/create-task", { body: { taskId: "after", title: "after" } })).status).toBe(201)
    }).pipe(Random.withSeed(inject("seed"))),
  60_000
)
