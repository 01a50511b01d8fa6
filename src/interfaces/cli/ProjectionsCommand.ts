/**
 * The command `projections`: what is read, built anew.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Rebuild from "../../application/Rebuild.ts"
import * as SystemContext from "../../ports/SystemContext.ts"
import * as CommandError from "./CommandError.ts"
import * as Output from "./internal/output.ts"
import { Project } from "./Project.ts"

const name = Argument.String("projection").pipe(Argument.withDescription("The name of the projection"))

const named = (name: string) =>
  Effect.flatMap(Project, ({ layer, projections }) => {
    const found = projections.find((projection) => projection.name === name)
    if (found === undefined) {
      const known = projections.map((projection) => projection.name).join(", ")
      const there = known === "" ? "the configuration lists no `projections`" : `there are ${known}`
      return Effect.fail(CommandError.unable(`There is no projection ${name}: ${there}`))
    }
    return layer === undefined
      ? Effect.fail(CommandError.unable("A rebuild needs stores: give the configuration a `layer` with all ports"))
      : Effect.succeed({ projection: found, layer })
  })

/**
 * Builds a new version of what a projection writes beside the one that is read, shows how far it is, and puts it in its place.
 *
 * **Details**
 *
 * Interrupted, it is gone on with when it runs again. With `--json` each step is a line of JSON.
 *
 * @category commands
 * @since 0.1.0
 */
export const rebuild: Command.Command<"rebuild", never, {}, CommandError.CommandError, Project> = Command.make(
  "rebuild",
  {
    name,
    rate: Flag.Int("rate").pipe(Flag.withDescription("At most so many events a second"), Flag.optional),
    json: Output.json
  },
  ({ json, name, rate }) =>
    Effect.gen(function* () {
      const { layer, projection } = yield* named(name)
      const told = (progress: Rebuild.Progress) =>
        json ? Console.log(JSON.stringify(asJson(progress))) : Console.error(bar(progress))
      const last = yield* Rebuild.stream(projection, { eventsPerSecond: Option.getOrUndefined(rate) }).pipe(
        Stream.tap(told),
        Stream.runLast,
        SystemContext.provide("the command line"),
        Effect.provide(layer),
        Effect.mapError((cause) => CommandError.unable(CommandError.describe(cause)))
      )
      if (json) return
      const handled = Option.match(last, { onNone: () => 0, onSome: (progress) => progress.handled })
      yield* Console.log(`${name} is rebuilt: ${handled} events`)
    })
).pipe(Command.withDescription("Build what a projection writes anew, beside what is read"))

/**
 * The command itself, with its subcommands.
 *
 * @category commands
 * @since 0.1.0
 */
export const projections = Command.make("projections").pipe(
  Command.withDescription("What is made of events"),
  Command.withSubcommands([rebuild])
)

const asJson = ({ remaining, ...progress }: Rebuild.Progress) => ({
  ...progress,
  remainingSeconds: remaining === undefined ? null : Math.round(Duration.toSeconds(remaining))
})

const width = 30

/** How far it is, on one line. */
const bar = ({ eventsPerSecond, handled, mark, phase, position, remaining }: Rebuild.Progress): string => {
  const share = mark === 0 ? 1 : Math.min(position / mark, 1)
  const full = Math.floor(share * width)
  const left =
    remaining === undefined
      ? ""
      : `, ${Duration.format(Duration.seconds(Math.round(Duration.toSeconds(remaining))))} left`
  return `[${"=".repeat(full)}${" ".repeat(width - full)}] ${Math.floor(share * 100)} % ${phase}, ${handled} events, ${Math.round(eventsPerSecond)}/s${left}`
}
