import { NodeServices } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Console, Context, Effect, Layer, Schema } from "effect"
import * as Command from "effect/cli/Command"
import { TestConsole } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Event, Memory, Upcaster } from "../../src/index.ts"
import { CommandError, defineConfig, Project, SchemaCommand } from "../../src/interfaces/cli/index.ts"

class Rates extends Context.Service<Rates, number>()("Rates") {}
class Plain extends Event.Class<Plain>()("Plain", { n: Schema.Int }) {}
class Asked extends Event.Class<Asked>()(
  "Asked",
  { n: Schema.Int },
  { upcasters: Upcaster.from({}).currentEffect(() => Effect.map(Rates, (n) => ({ n }))) }
) {}

describe("defineConfig", () => {
  it("asks for a layer that gives all that is needed", () => {
    expect(defineConfig({ events: [] })).toEqual({ events: [] })
    expect(defineConfig({ events: [Plain], layer: Memory.layer }).events).toEqual([Plain])
    defineConfig({ events: [Plain, Asked], layer: Layer.merge(Memory.layer, Layer.succeed(Rates, 1)) })
    // @ts-expect-error the upcaster of Asked needs Rates
    defineConfig({ events: [Plain, Asked], layer: Memory.layer })
    // @ts-expect-error there is no event store
    defineConfig({ events: [Plain], layer: Layer.succeed(Rates, 1) })
    // @ts-expect-error this is not an event class
    defineConfig({ events: [Schema.String] })
  })
})

describe("the commands as values", () => {
  it.effect("run in a program of one's own", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-own-"))),
        (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
      )
      const shop = Command.make("shop").pipe(
        Command.withSubcommands([SchemaCommand.schema]),
        Command.provide(
          Project.layer({ events: [Plain, Asked], layer: Layer.merge(Memory.layer, Layer.succeed(Rates, 1)) }, folder)
        )
      )
      const run = (...args: ReadonlyArray<string>) => Command.runWith(shop, { version: "1" })(args)
      const missing = yield* Effect.flip(run("schema", "check"))
      expect(missing).toBeInstanceOf(CommandError.CommandError)
      expect(missing).toMatchObject({ exitCode: 2 })
      yield* run("schema", "lock")
      yield* run("schema", "check", "--stored")
      expect(JSON.parse(fs.readFileSync(path.join(folder, "events.lock.json"), "utf8"))).toMatchObject({ format: 1 })
      yield* Console.log("done")
      expect(yield* TestConsole.logLines).toEqual([
        "Wrote events.lock.json: 2 types of events",
        "Read 0 stored events, which is all",
        "events.lock.json is up to date",
        "done"
      ])
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
