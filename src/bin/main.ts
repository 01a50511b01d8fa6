/** All commands, for the project that the configuration file describes. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as fs from "node:fs"
import { CommandError } from "../interfaces/cli/CommandError.ts"
import { Project } from "../interfaces/cli/Project.ts"
import * as SchemaCommand from "../interfaces/cli/SchemaCommand.ts"
import { loadProject } from "./loadProject.ts"

const version = (): string => {
  const described: unknown = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof described === "object" && described !== null && "version" in described ? String(described.version) : ""
}

const app = Command.make("effect-cqrs").pipe(
  Command.withDescription("Looks after the events of a program"),
  Command.withSharedFlags({
    config: Flag.String("config").pipe(
      Flag.withDescription(
        "The file that describes the program, effect-cqrs.config.ts (or .mts, .js, .mjs) when absent"
      ),
      Flag.optional
    )
  }),
  Command.withSubcommands([SchemaCommand.schema]),
  Command.provide(({ config }) => Layer.effect(Project, loadProject(config)))
)

// 1 is what a command has found. All else that is wrong, flags and crashes included, is 2: it could not look.
const teardown: Runtime.Teardown = (exit, onExit) =>
  Runtime.defaultTeardown(exit, (code) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    onExit(code === 1 && !(error instanceof CommandError) ? 2 : code)
  })

NodeRuntime.runMain(Effect.provide(Command.run(app, { version: version() }), NodeServices.layer), { teardown })
