import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { CommandBus, MessageContext, QueryBus, TenantContext } from "../../src/index.ts"
import { ApiClient, Http } from "../../src/interfaces/http/index.ts"
import {
  CreateTask,
  GetTask,
  Handlers,
  Known,
  listen,
  ListTitles,
  Misbehave,
  RenameTask,
  Search,
  SignUp,
  Tasks
} from "./support.ts"

const server = listen(
  HttpRouter.serve(Http.layer(Tasks).pipe(Layer.provide([Handlers, Known])), { disableLogger: true }).pipe(
    Layer.provide(Logger.layer([]))
  )
)

const client = (url: string, as = "ada", timeout?: "300 millis") =>
  Layer.merge(
    ApiClient.layer(Tasks, { url, timeout, headers: { authorization: `Bearer ${as}` } }).pipe(
      Layer.provide(FetchHttpClient.layer)
    ),
    TenantContext.layerSingle
  )

const create = (taskId: string, title: string) => CommandBus.dispatch(new CreateTask({ taskId, title }))

describe("a client of an API", () => {
  it.live("gives answers and receipts as if the handlers were here", () =>
    Effect.gen(function* () {
      const url = yield* server
      yield* Effect.gen(function* () {
        const { receipt } = yield* create("t-1", "Write 100% of ä/b?c=d&e#f")
        expect(receipt).toMatchObject({ streams: [{ stream: "Task-t-1", version: 1 }] })
        const read = yield* QueryBus.ask(new GetTask({ taskId: "t-1" }))
        expect(read).toEqual({ taskId: "t-1", title: "Write 100% of ä/b?c=d&e#f", version: 1 })
        expect(yield* CommandBus.execute(new RenameTask({ taskId: "t-1", title: "B", notify: ["x"] }))).toEqual({
          renamed: 2
        })
        const { receipt: second } = yield* create("t-2", "A")
        const listed = new ListTitles({ limit: 9, only: ["A", "B"], order: "down", upper: false })
        // Pushed, not polled: what was just written is read.
        expect(yield* QueryBus.ask(listed, { after: second })).toEqual(["B", "A"])
        expect(yield* QueryBus.ask(new Search({ filter: { title: "A" } }))).toEqual(["A"])
        expect(yield* CommandBus.execute(new SignUp())).toBe("default/anonymous")
      }).pipe(Effect.provide(client(url)))
    })
  )

  it.live("gives back the errors of a class as they are, and others as reasons", () =>
    Effect.gen(function* () {
      const url = yield* server
      const as = (who: string) => Effect.provide(client(url, who))
      yield* create("t-1", "A").pipe(as("ada"))
      expect(yield* Effect.flip(create("t-1", "B").pipe(as("ada")))).toMatchObject({
        _tag: "TaskAlreadyExists",
        taskId: "t-1"
      })
      // Another tenant has none of it.
      expect(yield* Effect.flip(QueryBus.ask(new GetTask({ taskId: "t-1" })).pipe(as("bob")))).toMatchObject({
        _tag: "TaskNotFound"
      })
      const fast = new RenameTask({ taskId: "t-1", title: "fast" })
      expect(yield* Effect.flip(CommandBus.execute(fast).pipe(as("ada")))).toMatchObject({ retryAfterMillis: 1500 })
      const reasonOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.map(Effect.flip(effect), (error) => ("reason" in error ? error.reason : error))
      const stale = CommandBus.execute(new RenameTask({ taskId: "t-1", title: "C" }), { expected: 7 })
      expect(yield* reasonOf(stale.pipe(as("ada")))).toMatchObject({ _tag: "Conflict" })
      expect(yield* reasonOf(create("t-9", "A").pipe(as("mallory")))).toMatchObject({ _tag: "Unauthenticated" })
      expect(yield* reasonOf(create("t-9", "A").pipe(as("eve")))).toMatchObject({ _tag: "Denied" })
      const bad = new CreateTask({ taskId: "T", title: "" }, { disableChecks: true })
      expect(yield* reasonOf(CommandBus.execute(bad).pipe(as("ada")))).toMatchObject({ _tag: "Invalid" })
      for (const how of ["die", "throw", "lie"] as const) {
        const reason = yield* reasonOf(CommandBus.execute(new Misbehave({ how })).pipe(as("ada")))
        expect(reason).toMatchObject({ _tag: "Defect" })
        expect(JSON.stringify(reason)).not.toContain("secret")
      }
    })
  )

  it.live("asks no longer than it is told, and says what cannot be reached", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const url = yield* Scope.provide(server, scope)
      const hang = Effect.flip(CommandBus.execute(new Misbehave({ how: "hang" })))
      expect(yield* hang.pipe(Effect.provide(client(url, "ada", "300 millis")))).toMatchObject({
        reason: { _tag: "Timeout" }
      })
      yield* Scope.close(scope, Exit.void)
      const gone = Effect.flip(create("t-1", "A").pipe(Effect.provide(client(url))))
      expect(yield* gone).toMatchObject({ of: "CreateTask", reason: { _tag: "Unreachable", service: url } })
    })
  )

  it.live("does once what is sent twice under one message id", () =>
    Effect.gen(function* () {
      const url = yield* server
      const messageId = "018f0000-0000-7000-8000-000000000001"
      const twice = CommandBus.dispatch(new CreateTask({ taskId: "t-1", title: "A" }), { messageId })
      const sent = yield* Effect.all([twice, twice]).pipe(
        MessageContext.provide({ correlationId: "c-1" }),
        Effect.provide(client(url))
      )
      expect(sent[1].receipt).toEqual(sent[0].receipt)
    })
  )

  it.live("takes an answer that is not of the API for a server that is not there", () =>
    Effect.gen(function* () {
      const answers = ["<html>", '{"receipt":1}', ""]
      const strange = HttpRouter.add(
        "*",
        "/*",
        Effect.sync(() => HttpServerResponse.text(answers.shift() ?? "", { status: answers.length > 0 ? 200 : 500 }))
      )
      const url = yield* listen(HttpRouter.serve(strange, { disableLogger: true }))
      for (let n = 0; n < 3; n++) {
        const refused = yield* Effect.flip(create("t-1", "A").pipe(Effect.provide(client(url))))
        expect(refused).toMatchObject({ reason: { _tag: "Unreachable" } })
      }
    })
  )
})
