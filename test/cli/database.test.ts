import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Event from "../../src/domain/Event.ts"
import type { Step } from "../../src/domain/Flow.ts"
import * as OutboxMessage from "../../src/domain/OutboxMessage.ts"
import * as Position from "../../src/domain/Position.ts"
import * as Segment from "../../src/domain/Segment.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import { ConsumerStore } from "../../src/ports/ConsumerStore.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import { FlowStore } from "../../src/ports/FlowStore.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as Outbox from "../../src/ports/Outbox.ts"
import { ParkedStore } from "../../src/ports/ParkedStore.ts"
import { process as ports } from "../adapters/postgres/support.ts"
import { databaseUrls } from "../services/database.ts"
import { project } from "./project.ts"

class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
class TaskDone extends Event.Class<TaskDone>()("TaskDone", {}) {}
class Mail extends OutboxMessage.Class<Mail>()("Mail", { to: Schema.String }) {}

const freshUrl = databaseUrls()
const shop = project({})
afterAll(() => shop.remove())

let url = ""
const run = (...args: ReadonlyArray<string>) => shop.run(["--url", url, ...args])
const json = (...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = run(...args, "--json")
  expect([status, stderr]).toEqual([0, ""])
  return JSON.parse(stdout)
}

/** Runs statements as another client would. */
const query = (text: string, at = url) =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(PgConnection.make({ url: Redacted.make(at) }), (connection) => connection.query(text)))
  )

const stored = (n: number) => ({
  position: Position.make(n),
  tenant: TenantId.make("default"),
  stream: StreamName.make("Task", "1"),
  version: n,
  id: "e",
  type: "TaskCreated",
  schemaVersion: 1,
  tags: [],
  metadata: { correlationId: "c", occurredAt: 0 },
  recordedAt: 0,
  data: { title: "Write" }
})

describe("the commands over a database", () => {
  beforeAll(async () => {
    url = await freshUrl()
  })

  it("ask which database, and say when it does not answer", () => {
    const { status, stderr } = shop.run(["streams", "list", "--url", "postgres://nobody@127.0.0.1:1/none"])
    expect([status, stderr.includes("ECONNREFUSED") || stderr.includes("connect")]).toEqual([2, true])
    expect(shop.run(["migrate"])).toMatchObject({ status: 2, stderr: expect.stringContaining("DATABASE_URL") })
  })

  it("do not touch a schema that is not up to date, but migrate", () => {
    expect(run("streams", "list")).toMatchObject({ status: 2, stderr: expect.stringContaining("effect-cqrs migrate") })
    const doctor = run("doctor")
    expect(doctor).toMatchObject({ status: 1, stderr: expect.stringContaining("1 problem") })
    expect(doctor.stdout).toContain("problem  schema: migrations 1, 2, 3")
    expect(run("migrate")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Applied migrations 1, 2, 3/) })
    expect(json("migrate")).toEqual({ applied: [] })
    expect(run("migrate").stdout).toBe("The database is up to date\n")
    expect(run("streams", "list").stdout).toBe("There are no streams\n")
  })

  it("show streams and events", async () => {
    const program = Effect.gen(function* () {
      const store = yield* EventStore.EventStore
      const stream = StreamName.make("Task", "1")
      yield* store.append({ stream, expected: "none", events: [new TaskCreated({ title: "Write" }), new TaskDone()] })
      const other = StreamName.make("Note", "1")
      const { position } = yield* store.append({ stream: other, expected: "none", events: [new TaskDone()] })
      yield* Effect.repeat(store.mark, { until: (mark) => mark >= position })
    })
    await Effect.runPromise(Effect.provide(program, ports(url)))
    expect(json("streams", "list")).toMatchObject([
      { stream: "Note-1", version: 1 },
      { stream: "Task-1", version: 2, count: 2, tombstoned: false }
    ])
    expect(json("streams", "list", "--category", "Task", "--limit", "1")).toHaveLength(1)
    expect(json("streams", "list", "--tenant", "other")).toEqual([])
    expect(json("streams", "show", "Task-1")).toMatchObject({
      stream: "Task-1",
      events: [{ type: "TaskCreated", data: { title: "Write" } }, { type: "TaskDone" }]
    })
    expect(run("streams", "show", "Task-1").stdout).toContain('TaskCreated  {"title":"Write"}')
    expect(run("streams", "show", "Task-2")).toMatchObject({ status: 1 })
    const lines = run("events", "tail", "--json").stdout.trimEnd().split("\n")
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["TaskCreated", "TaskDone", "TaskDone"])
    expect(run("events", "tail", "--type", "TaskCreated").stdout).toMatch(/^1 {2}.*Task-1@1 {2}TaskCreated/)
    expect(run("events", "tail", "--after", "2").stdout.trimEnd().split("\n")).toHaveLength(1)
  })

  it("export events and import them elsewhere, once", async () => {
    expect(run("events", "export", "events.ndjson").stdout).toBe("Exported 3 events to events.ndjson\n")
    expect(run("events", "export", "--type", "TaskCreated").stdout).toBe(
      `${shop.read("events.ndjson").split("\n")[0]}\n`
    )
    const other = await freshUrl()
    expect(shop.run(["migrate", "--url", other]).status).toBe(0)
    const imported = shop.run(["events", "import", "events.ndjson", "--url", other, "--json"])
    expect(JSON.parse(imported.stdout)).toEqual({ name: "events.ndjson", imported: 3 })
    expect(shop.run(["events", "import", "events.ndjson", "--url", other]).stdout).toContain("Nothing of events.ndjson")
    expect(JSON.parse(shop.run(["streams", "list", "--url", other, "--json"]).stdout)).toHaveLength(2)
    shop.write("broken.ndjson", "{}\n")
    expect(shop.run(["events", "import", "broken.ndjson", "--url", other])).toMatchObject({ status: 2 })
  })

  it("stop consumers, and look after what they have parked", async () => {
    const program = Effect.gen(function* () {
      const consumers = yield* ConsumerStore
      yield* consumers.open("mails", { segments: 4, after: Position.start })
      const parked = yield* ParkedStore
      const failure = { category: "HandlerFailed", error: "no route", attempts: 3, retryInMillis: undefined } as const
      const entry = (n: number, key: string) => ({
        consumer: "mails",
        key,
        position: Position.make(n),
        hash: Segment.hash(key),
        stored: stored(n),
        failure
      })
      yield* parked.add([entry(1, "a"), entry(2, "b")], { perKey: 10, perConsumer: 10 })
    })
    await Effect.runPromise(Effect.provide(program, ports(url)))
    expect(run("subscriptions", "pause", "mails", "--reason", "look").stdout).toBe("mails is paused\n")
    expect(json("subscriptions", "list")).toMatchObject([
      { name: "mails", parked: 2, state: { status: "paused", reason: "look" } }
    ])
    expect(run("subscriptions", "resume", "mails").status).toBe(0)
    expect(run("subscriptions", "list").stdout).toMatch(/mails +running +0 +4 +0 +2/)
    expect(run("subscriptions", "pause", "none")).toMatchObject({ status: 2, stderr: expect.stringContaining("none") })
    expect(json("parked", "list", "mails", "--key", "a")).toMatchObject([{ position: 1, error: "no route" }])
    expect(json("parked", "show", "mails", "b", "2")).toMatchObject({ key: "b", status: "parked", attempts: 3 })
    expect(json("parked", "skip", "mails", "b", "2", "--reason", "gone")).toMatchObject({ position: 2 })
    expect(json("parked", "replay", "mails", "--error", "route")).toEqual({ consumer: "mails", replayed: 1 })
    expect(run("parked", "skip", "mails", "b", "2", "--reason", "again").status).toBe(2)
  })

  it("look after the outbox", async () => {
    const program = Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      yield* Outbox.enqueue(new Mail({ to: "ada" }), { id: "m-1" })
      yield* Outbox.enqueue(new Mail({ to: "bob" }), { id: "m-2", due: "1 hour" })
      const [claimed] = yield* outbox.claim("default", { worker: "w", limit: 1, lease: Duration.minutes(1), from: "" })
      if (claimed !== undefined) {
        yield* outbox.failed(claimed, {
          category: "DeliveryFailed",
          error: "no route",
          attempts: 1,
          retryInMillis: undefined
        })
      }
    })
    await Effect.runPromise(Effect.provide(program, ports(url)))
    expect(json("outbox", "list")).toMatchObject({
      counts: { pending: 1, parked: 1 },
      messages: [{ id: "m-1", status: "parked" }, { id: "m-2" }]
    })
    expect(run("outbox", "list", "default", "--status", "parked").stdout).toContain("no route")
    expect(json("outbox", "show", "m-1")).toMatchObject({ data: { to: "ada" }, error: "no route" })
    expect(run("doctor").stdout).toContain("warning  outbox: 1 parked messages")
    expect(json("outbox", "replay", "default", "--error", "route")).toEqual({ queue: "default", replayed: 1 })
    expect(run("outbox", "skip", "m-1", "--reason", "gone").stdout).toBe("Skipped m-1\n")
    expect(run("outbox", "skip", "m-3", "--reason", "gone").status).toBe(2)
  })

  it("show flows as text, as JSON and as a picture", async () => {
    const outcome = { _tag: "Refused", error: "Full", millis: 4, attempts: 2 } as const
    const steps: ReadonlyArray<Step> = [
      { id: "c", kind: "command", name: "Place<&>", at: 1, outcome },
      { id: "e", kind: "event", name: "Placed", at: 2, causationId: "c", place: "Order-1@1" }
    ]
    const program = Effect.gen(function* () {
      const flows = yield* FlowStore
      const flow = { tenant: TenantId.make("default"), correlationId: "r-1" }
      yield* flows.record(steps.map((step) => ({ ...flow, step })))
      const store = yield* EventStore.EventStore
      const { position } = yield* store
        .append({ stream: StreamName.make("Flow", "1"), expected: "none", events: [new TaskDone()] })
        .pipe(MessageContext.provide({ correlationId: "r-1", messageId: "e" }))
      yield* Effect.repeat(store.mark, { until: (mark) => mark >= position })
    })
    await Effect.runPromise(Effect.provide(program, ports(url)))
    const text = "flow r-1\n└─ command Place<&>: refused with Full in 4 ms, attempt 2\n   └─ event Placed (Order-1@1)\n"
    expect(run("flow", "show", "r-1").stdout).toBe(text)
    expect(run("flow", "show", "r-1", "--after", "0").stdout).toBe(`${text}      └─ event TaskDone (Flow-1@1)\n`)
    expect(json("flow", "show", "r-1", "--svg", "flow.svg")).toEqual({
      correlationId: "r-1",
      truncated: false,
      svg: "flow.svg",
      steps
    })
    expect(shop.read("flow.svg")).toMatch(/^<svg .*Place&lt;&amp;&gt;.*<\/svg>$/s)
    expect(run("flow", "show", "r-1", "--limit", "1").stdout).toContain("There are more than 1 step: see --limit")
    expect(run("flow", "show", "r-1", "--svg", "flow.svg").stdout).toBe("Wrote 2 steps to flow.svg\n")
    const other = run("flow", "show", "r-1", "--tenant", "acme")
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining("Nothing is known of the flow r-1") })
    expect(run("flow", "show", "r-1", "--svg", "no/such/folder/flow.svg").status).toBe(2)
  })

  it("find a sequence that is behind the log, and put it right", async () => {
    expect(json("doctor")).toMatchObject({ problems: 0 })
    await query("select setval('es.position', 1)")
    const { status, stderr, stdout } = run("doctor")
    expect([status, stdout.includes("problem  sequence: at 1")]).toEqual([1, true])
    expect(stderr).toContain("see --fix")
    expect(run("doctor", "--fix")).toMatchObject({ status: 0, stdout: expect.stringContaining("fixed    sequence") })
    expect(json("doctor")).toMatchObject({ problems: 0 })
    const { rows } = await query("select last_value::int as last from es.position")
    expect(rows).toEqual([{ last: 4 }])
  })
})
