import { request } from "node:http"
import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as HttpRouter from "effect/http/HttpRouter"
import { Command, Query } from "../../src/index.ts"
import { Http } from "../../src/interfaces/http/index.ts"
import { type Answer, call, Handlers, Known, listen, Tasks } from "./support.ts"

interface Logged {
  readonly message: string
  readonly id: unknown
  readonly text: string
}

/** The API on a port, and what its server logs. */
const serve = (options?: Http.Options) =>
  Effect.gen(function* () {
    const logged: Array<Logged> = []
    const logger = Logger.make(({ cause, fiber, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)
      logged.push({
        message: String(message),
        id: annotations["id"],
        text: `${String(message)} ${Cause.pretty(cause)}`
      })
    })
    const app = HttpRouter.serve(Http.layer(Tasks, options), { disableLogger: true, disableListenLog: true })
    const base = yield* listen(app.pipe(Layer.provide([Handlers, Known]), Layer.provideMerge(Logger.layer([logger]))))
    return { base, send: call(base), logged }
  })

/** Sends these lines, and gives the first of what is answered. */
const exchange = (base: string, lines: ReadonlyArray<string>) =>
  Effect.promise(
    (signal) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(base).port), "127.0.0.1", () => socket.write(lines.join("\r\n")))
        signal.addEventListener("abort", () => socket.destroy())
        socket.setEncoding("utf8").once("data", (part: string) => {
          socket.destroy()
          resolve(part)
        })
        socket.once("error", reject)
      })
  )

const create = (taskId: string, title = "Write") => ({ body: { taskId, title } })

describe("routes", () => {
  it.live("are by convention, and where it is said", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const created = yield* send("/commands/create-task", create("t-1"))
      expect(created.status).toBe(201)
      expect(created.headers.get("location")).toBe("/tasks/t-1")
      expect(created.headers.get("content-type")).toBe("application/json")
      expect(created.body).toEqual({ receipt: { streams: [{ stream: "Task-t-1", version: 1 }], position: 1 } })
      expect(created.headers.get("etag")).toBe('"1"')

      const renamed = yield* send("/tasks/t-1/title", { method: "PUT", body: { title: "Read" } })
      expect([renamed.status, renamed.body.value]).toEqual([200, { renamed: 2 }])
      expect(renamed.headers.get("etag")).toBe('"2"')

      const got = yield* send("/tasks/t-1")
      expect([got.status, got.body]).toEqual([200, { taskId: "t-1", title: "Read", version: 2 }])
      expect(got.headers.get("etag")).toBe('"2"')
      expect((yield* send("/tasks/t-1", { headers: { "if-none-match": 'W/"1", "2"' } })).status).toBe(304)
      expect((yield* send("/tasks/t-1", { headers: { "if-none-match": '"1"' } })).status).toBe(200)
    })
  )

  it.live("of flat queries take text, number, boolean and lists from the URL", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const { headers } = yield* send("/commands/create-task", create("t-1", "b c"))
      yield* send("/commands/create-task", create("t-2", "a"))
      const last = yield* send("/commands/create-task", create("t-3", "d"))
      const after = { "x-read-after": last.headers.get("x-read-after") ?? headers.get("x-read-after") ?? "" }
      const titles = (query: string) =>
        Effect.map(send(`/queries/list-titles?${query}`, { headers: after }), ({ body }) => body)
      expect(yield* titles("limit=2")).toEqual(["a", "b c"])
      expect(yield* titles("limit=9&order=down&upper=true&unknown=1")).toEqual(["D", "B C", "A"])
      expect(yield* titles("limit=9&only=a&only=b%20c")).toEqual(["a", "b c"])
      expect(yield* titles("limit=9&only=a")).toEqual(["a"])
      expect((yield* send("/queries/search", { body: { filter: { title: "b" } } })).body).toEqual(["b c"])
    })
  )

  it.live("that answer with pages link to those beside them", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const links = (path: string) =>
        Effect.map(send(path), ({ headers }) =>
          Array.from((headers.get("link") ?? "").matchAll(/<([^>]*)>; rel="(\w+)"/g), ([, url, rel]) => `${rel} ${url}`)
        )
      const path = "/queries/page-titles"
      expect(yield* links(`${path}?size=3&page=2&upper=true`)).toEqual([
        `first ${path}?size=3&page=1&upper=true`,
        `prev ${path}?size=3&page=1&upper=true`,
        `next ${path}?size=3&page=3&upper=true`,
        `last ${path}?size=3&page=3&upper=true`
      ])
      expect(yield* links(path)).toEqual([`first ${path}?page=1`, `last ${path}?page=1`])
      expect(yield* links(`${path}?size=3&page=9`)).toContain(`prev ${path}?size=3&page=3`)
      expect((yield* send(`${path}?size=3&page=3`)).body).toEqual({
        items: ["g"],
        page: 3,
        size: 3,
        total: 7,
        pages: 3,
        hasNext: false,
        hasPrevious: true
      })
      for (const bad of ["size=0", "size=101", "page=0", "page=1.5"]) {
        expect((yield* send(`${path}?${bad}`)).status).toBe(422)
      }
      const keyed = "/queries/follow-titles"
      expect(yield* links(`${keyed}?size=4`)).toEqual([`next ${keyed}?size=4&cursor=d`])
      const rest = yield* send(`${keyed}?size=4&cursor=d`)
      expect([rest.body, rest.headers.get("link")]).toEqual([{ items: ["e", "f", "g"] }, null])
    })
  )

  it("refuse a path that the payload does not fit", () => {
    class Move extends Command.Class<Move>()("Move", { payload: { to: Schema.Struct({ x: Schema.Int }) } }) {}
    class Find extends Query.Class<Find>()("Find", { payload: { at: Schema.Struct({ x: Schema.Int }) } }) {}
    expect(() => Http.make("Moves", { commands: [Move], routes: { Move: { path: "/moves/:from" } } })).toThrow("from")
    expect(() => Http.make("Moves", { commands: [Move], routes: { Move: { path: "/moves/:to" } } })).toThrow("to")
    expect(() => Http.make("Moves", { queries: [Find], routes: { Find: { method: "GET" } } })).toThrow("no body")
    expect(Http.make("Moves", { queries: [Find], routes: { Find: { version: "v2" } } }).endpoints).toMatchObject([
      { method: "POST", path: "/v2/queries/find" }
    ])
  })

  it.live("that are public ask nobody who it is", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      expect((yield* send("/commands/sign-up", { as: "", method: "POST" })).body.value).toBe("default/anonymous")
      expect((yield* send("/commands/sign-up", { as: "eve", method: "POST" })).body.value).toBe("default/anonymous")
    })
  )
})

describe("errors", () => {
  const problem = (answer: Answer) => {
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
    const { code, detail, status, title, type } = answer.body
    expect([status, typeof title, typeof detail]).toEqual([answer.status, "string", "string"])
    expect(type).toBe(`urn:effect-cqrs:problem:${code}`)
    return [answer.status, code]
  }

  it.live("are problems in JSON, by one table", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const path = "/commands/create-task"
      yield* send(path, create("t-1"))
      const cases: ReadonlyArray<readonly [Parameters<typeof send>[1], number, string, string?]> = [
        [{ body: "{" }, 400, "Malformed"],
        [{ body: "[]" }, 400, "Malformed"],
        [{ body: "null" }, 400, "Malformed"],
        [{ body: '"text"' }, 400, "Malformed"],
        [{ ...create("t-2"), headers: { "idempotency-key": "a b" } }, 400, "Malformed"],
        [{ ...create("t-2"), headers: { "x-request-timeout": "soon" } }, 400, "Malformed"],
        [{ ...create("t-2"), headers: { "x-read-after": "../../etc" } }, 400, "Malformed"],
        [{ ...create("t-2"), as: "" }, 401, "Unauthenticated"],
        [{ ...create("t-2"), as: "mallory" }, 401, "Unauthenticated"],
        [{ ...create("t-2"), as: "eve" }, 403, "Denied"],
        [{ ...create("t-2"), headers: { accept: "text/html" } }, 406, "NotAcceptable"],
        [create("t-1"), 409, "TaskAlreadyExists"],
        [{ ...create("t-2"), headers: { "content-type": "text/plain" } }, 415, "UnsupportedMediaType"],
        [
          { ...create("t-2"), headers: { "content-type": "application/json", "content-encoding": "gzip" } },
          415,
          "UnsupportedMediaType"
        ],
        [{ body: create("t-2").body, headers: { "content-type": "multipart/form-data" } }, 415, "UnsupportedMediaType"],
        [{ method: "POST" }, 422, "Invalid"],
        [create("T 2", ""), 422, "Invalid"],
        [{ method: "PUT", body: { title: "x" } }, 404, "TaskNotFound", "/tasks/nothing/title"],
        [{ method: "PUT", body: { title: "taken" } }, 400, "TitleTaken", "/tasks/t-1/title"],
        [{ method: "PUT", body: { title: "fast" } }, 429, "TooFast", "/tasks/t-1/title"]
      ]
      for (const [options, status, code, at = path] of cases) {
        expect([options, ...problem(yield* send(at, options))]).toEqual([options, status, code])
      }
    })
  )

  it.live("of validation name every bad field", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const fields = ({ body }: Answer) => body.errors?.map(({ path }) => path)
      expect(fields(yield* send("/commands/create-task", create("T 2", "")))).toEqual(["taskId", "title"])
      expect(fields(yield* send("/commands/create-task", { method: "POST" }))).toEqual(["taskId", "title"])
      const bad = { title: "", notify: ["a", 1, "b", null] }
      const renamed = yield* send("/tasks/t%20x/title", { method: "PUT", body: bad })
      expect(fields(renamed)).toEqual(["taskId", "title", "notify[1]", "notify[3]"])
      const listed = yield* send("/queries/list-titles?limit=many&order=left&upper=2")
      expect([listed.status, fields(listed)]).toEqual([422, ["limit", "order", "upper"]])
      expect(fields(yield* send("/queries/list-titles?limit=1&limit=2"))).toEqual(["limit"])
    })
  )

  it.live("that a class declares carry the error", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      yield* send("/commands/create-task", create("t-1"))
      const { body } = yield* send("/commands/create-task", create("t-1"))
      expect(body.error).toEqual({ _tag: "TaskAlreadyExists", taskId: "t-1" })
      expect(body.detail).toBe("There is a task t-1 already")
      const fast = yield* send("/tasks/t-1/title", { method: "PUT", body: { title: "fast" } })
      expect(fast.headers.get("retry-after")).toBe("2")
    })
  )

  it.live("that nobody declares say nothing, and are logged under the id that the client gets", () =>
    Effect.gen(function* () {
      const { logged, send } = yield* serve()
      for (const how of ["die", "throw", "lie"]) {
        const { body, status, text } = yield* send("/commands/misbehave", { body: { how } })
        expect([status, body.code, body.title]).toEqual([500, "Internal", "Internal server error"])
        expect(text).not.toMatch(/secret|Error:|\.ts/)
        const [entry] = logged.splice(0)
        expect(entry?.id).toBe(body.id)
        expect(entry?.text).toContain(how === "lie" ? "Expected an integer" : "secret of a handler")
      }
    })
  )

  it.live("of what was ended while a handler waited for it are problems like others", () =>
    Effect.gen(function* () {
      const { logged, send } = yield* serve()
      const stopped = yield* send("/commands/misbehave", { body: { how: "stop" } })
      expect(problem(stopped)).toEqual([503, "Unavailable"])
      expect(stopped.headers.get("retry-after")).toBe("1")
      expect(logged.map(({ id }) => id)).toEqual([stopped.body.id])
    })
  )

  it.live("are nobody's when a client goes: what it asked for is interrupted", () =>
    Effect.gen(function* () {
      const { base, logged, send } = yield* serve()
      const body = '{"how":"hang"}'
      const head = ["POST /commands/misbehave HTTP/1.1", "host: x", "authorization: Bearer ada"]
      const left = exchange(base, [
        ...head,
        "content-type: application/json",
        `content-length: ${body.length}`,
        "",
        body
      ])
      expect(yield* Effect.timeoutOption(left, "200 millis")).toEqual(Option.none())
      yield* send("/tasks/t-1")
      expect(logged).toEqual([])
    })
  )

  it.live("of time come when the server's or the client's is over, whichever is less", () =>
    Effect.gen(function* () {
      const { send } = yield* serve({ timeout: "300 millis" })
      const hang = (timeout: string) =>
        send("/commands/misbehave", { body: { how: "hang" }, headers: { "x-request-timeout": timeout } })
      expect((yield* hang("20ms")).body).toMatchObject({
        status: 504,
        code: "TimedOut",
        detail: "No answer within 20 ms"
      })
      expect((yield* hang("60")).body).toMatchObject({ status: 504, detail: "No answer within 300 ms" })
    })
  )

  it.live("of a client that does not send all of it are its own", () =>
    Effect.gen(function* () {
      const { base } = yield* serve({ timeout: "100 millis", maxBodyBytes: 50 })
      const head = [
        "POST /commands/create-task HTTP/1.1",
        "host: x",
        "authorization: Bearer ada",
        "content-type: application/json"
      ]
      const half = yield* exchange(base, [...head, "content-length: 40", "", '{"taskId"'])
      expect(half).toMatch(/^HTTP\/1\.1 408 /)
      const chunks = [`40\r\n${"x".repeat(64)}`, "0", "", ""]
      expect(yield* exchange(base, [...head, "transfer-encoding: chunked", "", ...chunks])).toMatch(/^HTTP\/1\.1 413 /)
    })
  )

  it.live("of bodies that are not UTF-8 come before anything is kept of them", () =>
    Effect.gen(function* () {
      const { base, send } = yield* serve()
      const sent = (title: ReadonlyArray<number>) =>
        Effect.promise(async () => {
          const parts = [Buffer.from('{"taskId":"t-1","title":"'), Buffer.from(title), Buffer.from('"}')]
          const headers = { authorization: "Bearer ada", "content-type": "application/json" }
          const body = Buffer.concat(parts)
          return (await fetch(`${base}/commands/create-task`, { method: "POST", headers, body })).status
        })
      // Latin 1, cut off in the middle of a character, and half of a pair of surrogates.
      for (const title of [[0xe9], [0xf0, 0x9f, 0x99], [0xed, 0xa0, 0x80]]) {
        expect([title, yield* sent(title)]).toEqual([title, 400])
      }
      expect((yield* send("/tasks/t-1")).status).toBe(404)
      expect(yield* sent([...Buffer.from("é🙂")])).toBe(201)
    })
  )

  it.live("are none of a body that comes in pieces, or when it is asked for", () =>
    Effect.gen(function* () {
      const { base, send } = yield* serve({ maxBodyBytes: 100 })
      const sent = (taskId: string, pieces: ReadonlyArray<Uint8Array | string>, more: Record<string, string> = {}) =>
        Effect.callback<number | undefined>((resume) => {
          const headers = { authorization: "Bearer ada", "content-type": "application/json", ...more }
          const asked = request(`${base}/commands/create-task`, { method: "POST", headers }, (response) => {
            response.resume()
            resume(Effect.succeed(response.statusCode))
          })
          asked.write(`{"taskId":"${taskId}","title":"`)
          const write = ([piece, ...rest]: ReadonlyArray<Uint8Array | string>) => {
            if (piece === undefined) return asked.end('"}')
            asked.write(piece, () => setImmediate(write, rest))
          }
          if (more["expect"] === undefined) write(pieces)
          else asked.once("continue", () => write(pieces))
        })
      const [first, second] = [Buffer.from("é").subarray(0, 1), Buffer.from("é").subarray(1)]
      expect(yield* sent("t-1", ["a", first, second])).toBe(201)
      expect((yield* send("/tasks/t-1")).body).toMatchObject({ title: "aé" })
      expect(yield* sent("t-2", ["b"], { expect: "100-continue" })).toBe(201)
      // Its length is not known before.
      expect(yield* sent("t-3", ["c".repeat(60), "c".repeat(60)])).toBe(413)
    })
  )

  it.live("of size come before the body is read", () =>
    Effect.gen(function* () {
      const { send } = yield* serve({ maxBodyBytes: 200 })
      const large = yield* send("/commands/create-task", create("t-1", "x".repeat(300)))
      expect(problem(large)).toEqual([413, "BodyTooLarge"])
      expect((yield* send("/commands/create-task", create("t-1"))).status).toBe(201)
    })
  )
})

describe("requests", () => {
  it.live("are of the tenant and the actor that the authenticator says", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      yield* send("/commands/create-task", create("t-1"))
      expect((yield* send("/tasks/t-1", { as: "bob" })).status).toBe(404)
      expect((yield* send("/commands/create-task", { ...create("t-1"), as: "bob" })).status).toBe(201)
    })
  )

  it.live("are asked who sends them before anything else is said of them", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const wrong = [
        { accept: "text/html" },
        { "if-match": "1" },
        { "x-request-timeout": "soon" },
        { "idempotency-key": "a b" }
      ]
      for (const headers of wrong) {
        const refused = yield* send("/commands/create-task", { ...create("t-1"), as: "mallory", headers })
        expect([headers, refused.status]).toEqual([headers, 401])
        const known = yield* send("/commands/create-task", {
          ...create("t-1"),
          headers: { ...headers, "x-correlation-id": "r-1" }
        })
        expect([headers, known.headers.get("x-correlation-id")]).toEqual([headers, "r-1"])
      }
    })
  )

  it.live("keep their correlation id, or get one", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const kept = yield* send("/tasks/t-1", { headers: { "x-correlation-id": "r-1" } })
      expect(kept.headers.get("x-correlation-id")).toBe("r-1")
      const strange = yield* send("/tasks/t-1", { headers: { "x-correlation-id": "<script>" } })
      expect(strange.headers.get("x-correlation-id")).toMatch(/^[0-9a-f-]{36}$/)
    })
  )

  it.live("belong to the trace that they come from", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const traced = (headers: Record<string, string>) =>
        Effect.map(send("/commands/trace", { method: "POST", headers }), ({ body }) => body.value)
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      expect(yield* traced({ traceparent })).toBe(traceparent)
      expect(yield* traced({ traceparent: "00-zz" })).toBe("none")
      expect(yield* traced({})).toBe("none")
    })
  )

  it.live("with a key that came before are answered as the first time", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const once = { ...create("t-1"), headers: { "idempotency-key": "k-1" } }
      const first = yield* send("/commands/create-task", once)
      const again = yield* send("/commands/create-task", once)
      expect([again.status, again.body, again.headers.get("etag")]).toEqual([201, first.body, '"1"'])
      expect((yield* send("/commands/create-task", { ...once, headers: { "idempotency-key": "k-2" } })).status).toBe(
        409
      )
    })
  )
})

describe("a command", () => {
  const rename = (title: string, headers: Record<string, string>) => ({ method: "PUT", body: { title }, headers })

  it.live("is refused when what it is for is not at the version of If-Match", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      const codeOf = (answer: Answer) => [answer.status, answer.body.code ?? answer.headers.get("etag")]
      const to = (headers: Record<string, string>) => Effect.map(send("/tasks/t-1/title", rename("x", headers)), codeOf)
      yield* send("/commands/create-task", create("t-1"))
      expect(yield* to({ "if-match": '"1"' })).toEqual([200, '"2"'])
      expect(yield* to({ "if-match": '"1"' })).toEqual([412, "PreconditionFailed"])
      expect(yield* to({ "if-match": '"9", "2"' })).toEqual([200, '"3"'])
      expect(yield* to({ "if-match": 'W/"3"' })).toEqual([412, "PreconditionFailed"])
      expect(yield* to({ "if-match": '"other"' })).toEqual([412, "PreconditionFailed"])
      expect(yield* to({ "if-match": "*" })).toEqual([200, '"4"'])
      expect(yield* to({ "if-match": "4" })).toEqual([400, "Malformed"])
      expect(yield* to({ "if-none-match": '"4"' })).toEqual([400, "Malformed"])
      expect(yield* to({ "if-none-match": "*" })).toEqual([412, "PreconditionFailed"])
      const fresh = yield* send("/commands/create-task", { ...create("t-2"), headers: { "if-none-match": "*" } })
      expect(fresh.status).toBe(201)
    })
  )

  it.live("is the only one to change what many have seen", () =>
    Effect.gen(function* () {
      const { send } = yield* serve()
      yield* send("/commands/create-task", create("t-1"))
      for (const version of [1, 2, 3]) {
        const all = yield* Effect.all(
          Array.from({ length: 16 }, (_, n) =>
            send("/tasks/t-1/title", rename(`by ${n}`, { "if-match": `"${version}"` }))
          ),
          { concurrency: "unbounded" }
        )
        expect(all.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
          200,
          ...Array.from({ length: 15 }, () => 412)
        ])
      }
    })
  )

  it.live("whose answer was lost is sent again with its key, and has been done once", () =>
    Effect.gen(function* () {
      const { base, send } = yield* serve()
      const once = { ...create("t-1"), headers: { "idempotency-key": "lost-1" } }
      const { hostname, port } = new URL(base)
      // The client sends all of it, and is gone before it could be answered.
      yield* Effect.promise(
        () =>
          new Promise<void>((resolve, reject) => {
            const body = JSON.stringify(once.body)
            const lines = [
              "POST /commands/create-task HTTP/1.1",
              "host: test",
              "authorization: Bearer ada",
              "content-type: application/json",
              "idempotency-key: lost-1",
              `content-length: ${body.length}`
            ]
            const socket = connect(Number(port), hostname, () =>
              socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy())
            )
            socket.once("close", () => resolve())
            socket.once("error", reject)
          })
      )
      const again = yield* Effect.all(
        Array.from({ length: 8 }, () => send("/commands/create-task", once)),
        { concurrency: "unbounded" }
      )
      for (const { headers, status } of again) expect([status, headers.get("etag")]).toEqual([201, '"1"'])
      const other = yield* send("/commands/create-task", { ...once, as: "bob" })
      expect([other.status, other.headers.get("etag")]).toEqual([201, '"1"'])
      expect((yield* send("/tasks/t-1")).body).toMatchObject({ version: 1 })
    })
  )
})
