/**
 * The command `flow show`: what one request has set in motion.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Flows from "../../application/Flows.ts"
import * as Flow from "../../domain/Flow.ts"
import * as Position from "../../domain/Position.ts"
import * as CommandError from "./CommandError.ts"
import type { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

/**
 * Shows the flow of a correlation id as a tree, as JSON, or as a picture in a file.
 *
 * **Details**
 *
 * With `--after` events of the log that were not recorded are added: all after that position are read. It fails with exit code
 * 1 when nothing is known of the id.
 *
 * @category commands
 * @since 0.1.0
 */
export const show: Command.Command<"show", never, {}, CommandError.CommandError, Database | FileSystem.FileSystem> =
  Command.make(
    "show",
    {
      correlationId: Argument.String("correlationId").pipe(
        Argument.withDescription("The id that all of the flow has in common")
      ),
      svg: Flag.String("svg").pipe(Flag.withDescription("Write it to this file, as an SVG"), Flag.optional),
      after: Flag.Int("after").pipe(
        Flag.withDescription("Add events that were not recorded, from the log after this position"),
        Flag.optional
      ),
      limit: Output.limit(10_000),
      tenant: Output.tenant,
      json: Output.json
    },
    ({ after, correlationId, json, limit, svg, tenant }) =>
      Effect.flatMap(FileSystem.FileSystem, (fs) =>
        Effect.gen(function* () {
          const { flow, steps, truncated } = yield* Option.isSome(after)
            ? Flows.withLog(correlationId, { limit, after: Position.make(after.value) })
            : Flows.of(correlationId, { limit })
          if (steps.length === 0) return yield* CommandError.found(`Nothing is known of the flow ${correlationId}`)
          if (Option.isSome(svg)) yield* fs.writeFileString(svg.value, Flow.toSvg(flow))
          const file = Option.getOrUndefined(svg)
          if (json) {
            return yield* Console.log(JSON.stringify({ correlationId, truncated, svg: file, steps }, null, 2))
          }
          const count = Output.count(steps.length, "step")
          yield* Console.log(file === undefined ? Flow.toText(flow) : `Wrote ${count} to ${file}`)
          if (truncated) yield* Console.log(`There are more than ${count}: see --limit`)
        }).pipe(Output.withPorts(tenant))
      )
  ).pipe(Command.withDescription("Show what one request has set in motion"))

/**
 * The commands about flows.
 *
 * @category commands
 * @since 0.1.0
 */
export const flow: Command.Command<"flow", {}, {}, CommandError.CommandError, Database | FileSystem.FileSystem> =
  Command.make("flow").pipe(
    Command.withDescription("What one request has set in motion"),
    Command.withSubcommands([show])
  )
