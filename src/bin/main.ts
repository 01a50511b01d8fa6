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
import * as EventsCommand from "../interfaces/cli/EventsCommand.ts"
import * as FlowCommand from "../interfaces/cli/FlowCommand.ts"
import * as MigrateCommand from "../interfaces/cli/MigrateCommand.ts"
import * as OutboxCommand from "../interfaces/cli/OutboxCommand.ts"
import * as ProjectionsCommand from "../interfaces/cli/ProjectionsCommand.ts"
import { Project } from "../interfaces/cli/Project.ts"
import * as SchemaCommand from "../interfaces/cli/SchemaCommand.ts"
import * as StreamsCommand from "../interfaces/cli/StreamsCommand.ts"
import * as SubscriptionsCommand from "../interfaces/cli/SubscriptionsCommand.ts"
import { Given, layer as databaseLayer } from "./database.ts"
import { loadProject } from "./loadProject.ts"

const version = (): string => {
  const described: unknown = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof described === "object" && described !== null && "version" in described ? String(described.version) : ""
}

const projectLayer = Layer.effect(
  Project,
  Effect.flatMap(Given, ({ config }) => loadProject(config))
)

const app = Command.make("effect-cqrs").pipe(
  Command.withDescription("Looks after the events of a program"),
  Command.withSharedFlags({
    config: Flag.String("config").pipe(
      Flag.withDescription(
        "The file that describes the program, effect-cqrs.config.ts (or .mts, .js, .mjs) when absent"
      ),
      Flag.optional
    ),
    url: Flag.Redacted("url").pipe(
      Flag.withDescription("The URL of the database, the environment's DATABASE_URL when absent"),
      Flag.optional
    )
  }),
  Command.withSubcommands([
    Command.provide(SchemaCommand.schema, projectLayer),
    Command.provide(ProjectionsCommand.projections, projectLayer),
    Command.provide(MigrateCommand.migrate, databaseLayer),
    Command.provide(MigrateCommand.doctor, databaseLayer),
    Command.provide(StreamsCommand.streams, databaseLayer),
    Command.provide(EventsCommand.events, databaseLayer),
    Command.provide(SubscriptionsCommand.subscriptions, databaseLayer),
    Command.provide(SubscriptionsCommand.parked, databaseLayer),
    Command.provide(OutboxCommand.outbox, databaseLayer),
    Command.provide(FlowCommand.flow, databaseLayer)
  ]),
  Command.provide((given) => Layer.succeed(Given, given))
)

// 1 is what a command has found. All else that is wrong, flags and crashes included, is 2: it could not look.
const teardown: Runtime.Teardown = (exit, onExit) =>
  Runtime.defaultTeardown(exit, (code) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    onExit(code === 1 && !(error instanceof CommandError) ? 2 : code)
  })

NodeRuntime.runMain(Effect.provide(Command.run(app, { version: version() }), NodeServices.layer), { teardown })
