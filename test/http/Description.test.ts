import { describe, expect, it } from "@effect/vitest"
import { Validator } from "@seriousme/openapi-schema-validator"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import { Description, Http, Problem } from "../../src/interfaces/http/index.ts"
import { call, Handlers, Known, listen, Tasks } from "./support.ts"

const document = Description.of(Tasks)

describe("the description of an API", () => {
  it("is a document of OpenAPI 3.1", async () => {
    const { errors, valid } = await new Validator().validate(JSON.parse(JSON.stringify(document)))
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
  })

  it("refers to nothing that is not there", () => {
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)
    for (const [, kind = "", name = ""] of references) {
      expect(Object.keys(Reflect.get(document.components, kind)), `${kind}/${name}`).toContain(name)
    }
  })

  it("has every message, its place, its parameters and its body", () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => `${method} ${path} ${operationId}`)
    )
    expect(operations).toEqual([
      "post /commands/create-task CreateTask",
      "put /tasks/{taskId}/title RenameTask",
      "post /commands/misbehave Misbehave",
      "post /commands/sign-up SignUp",
      "post /commands/trace Trace",
      "get /tasks/{taskId} GetTask",
      "get /queries/list-titles ListTitles",
      "get /queries/page-titles PageTitles",
      "get /queries/follow-titles FollowTitles",
      "post /queries/search Search"
    ])
    const rename = document.paths["/tasks/{taskId}/title"]?.["put"]
    expect(rename?.parameters[0]).toMatchObject({ name: "taskId", in: "path", required: true })
    expect(rename?.requestBody?.content["application/json"]?.schema).toEqual({
      $ref: "#/components/schemas/RenameTask"
    })
    const { properties, required } = document.components.schemas["RenameTask"] ?? {}
    expect([Object.keys(Object(properties)), required]).toEqual([["title", "notify"], ["title"]])
    const list = document.paths["/queries/list-titles"]?.["get"]?.parameters
    expect(list?.filter((one) => "name" in one).map(({ name, required }) => [name, required])).toEqual([
      ["limit", true],
      ["order", false],
      ["only", false],
      ["upper", false]
    ])
  })

  it("has every error that a message declares, with its status and an example", () => {
    const responses = document.paths["/tasks/{taskId}/title"]?.["put"]?.responses ?? {}
    const named = Object.entries(responses).map(([status, response]) => [
      status,
      "$ref" in response ? response.$ref.slice(response.$ref.lastIndexOf("/") + 1) : response.description
    ])
    expect(named).toEqual([
      ["200", "It is done"],
      ["400", "TitleTaken, Malformed"],
      ["401", "Unauthenticated"],
      ["403", "Denied"],
      ["404", "TaskNotFound"],
      ["406", "NotAcceptable"],
      ["408", "TooSlow"],
      ["409", "Conflict"],
      ["410", "Gone"],
      ["412", "PreconditionFailed"],
      ["413", "BodyTooLarge"],
      ["415", "UnsupportedMediaType"],
      ["422", "Invalid"],
      ["429", "TooFast, RateLimited"],
      ["500", "Internal"],
      ["502", "Unreachable"],
      ["503", "Unavailable"],
      ["504", "TimedOut"]
    ])
    const examples = JSON.stringify(responses).matchAll(/"value":(\{"type".*?\}\}?)\}/g)
    expect(Array.from(examples).length).toBeGreaterThan(3)
    const found = responses["404"]
    const example =
      found !== undefined && "content" in found ? found.content?.["application/problem+json"]?.examples : {}
    expect(example?.["TaskNotFound"]?.value).toMatchObject({
      status: 404,
      error: { _tag: "TaskNotFound", taskId: "example" }
    })
  })

  it("has examples that its schemas take", () => {
    const decode = Schema.decodeUnknownResult(Problem.Problem)
    for (const { content } of Object.values(document.components.responses)) {
      expect(Result.isSuccess(decode(content?.["application/problem+json"]?.example))).toBe(true)
    }
    const body = document.paths["/commands/create-task"]?.["post"]?.requestBody?.content["application/json"]
    expect(body?.example).toEqual({ taskId: "example", title: "example" })
    expect(document.paths["/queries/list-titles"]?.["get"]?.responses["200"]).toMatchObject({
      content: { "application/json": { example: ["example"] } }
    })
  })

  it.live("is served, and shown by a page that loads nothing", () =>
    Effect.gen(function* () {
      const app = HttpRouter.serve(Http.layer(Tasks), { disableLogger: true, disableListenLog: true })
      const send = call(yield* listen(Layer.provide(app, [Handlers, Known])))
      const { headers, text } = yield* send("/openapi.json", { as: "" })
      expect(headers.get("content-type")).toBe("application/json")
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)))
      const page = yield* send("/docs", { as: "" })
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
      expect(page.headers.get("content-security-policy")).toContain("default-src 'none'")
      for (const id of ["CreateTask", "RenameTask", "GetTask"]) expect(page.text).toContain(`id="${id}"`)
      expect(page.text).not.toMatch(/<script|https?:\/\/(?!example)|@import|url\(/)
    })
  )
})
