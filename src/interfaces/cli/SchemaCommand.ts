/**
 * The commands `schema lock` and `schema check`: is everything that was ever stored still read?
 *
 * @since 0.1.0
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Result from "effect/Result"
import * as SchemaLock from "../../application/SchemaLock.ts"
import * as FieldIssue from "../../domain/FieldIssue.ts"
import * as SystemContext from "../../ports/SystemContext.ts"
import * as CommandError from "./CommandError.ts"
import { Project } from "./Project.ts"

const file = Flag.String("lock").pipe(
  Flag.withDescription("The file of the lock, relative to the project"),
  Flag.withDefault("events.lock.json")
)

/**
 * What a file of the project is read and written with.
 *
 * @category models
 * @since 0.1.0
 */
export type Services = Project | FileSystem.FileSystem | Path.Path

const read = Effect.fnUntraced(function* (name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const project = yield* Project
  const full = path.resolve(project.folder, name)
  const text = yield* fs
    .readFileString(full)
    .pipe(
      Effect.catch((error) =>
        error.reason._tag === "NotFound"
          ? Effect.undefined
          : Effect.fail(CommandError.unable(`Cannot read ${full}: ${error.message}`))
      )
    )
  return { full, project, text }
})

const parse = (name: string, text: string): Effect.Effect<SchemaLock.Lock, CommandError.CommandError> =>
  Result.match(SchemaLock.parse(text), {
    onSuccess: Effect.succeed,
    onFailure: (issues) => Effect.fail(CommandError.unable(`${name} is not a lock: ${FieldIssue.format(issues)}`))
  })

// Classes that cannot read one log together are refused with an exception.
const trying = <A>(f: () => A): Effect.Effect<A, CommandError.CommandError> =>
  Effect.try({ try: f, catch: (cause) => CommandError.unable(CommandError.describe(cause)) })

/**
 * Writes the lock of the project's events.
 *
 * **Details**
 *
 * A lock that is there already is not overwritten when something in it could no longer be read, unless `--force` says that
 * this is meant.
 *
 * @category commands
 * @since 0.1.0
 */
export const lock: Command.Command<
  "lock",
  { readonly file: string; readonly force: boolean },
  {},
  CommandError.CommandError,
  Services
> = Command.make(
  "lock",
  {
    file,
    force: Flag.Boolean("force").pipe(
      Flag.withDescription("Write it although something that was stored can no longer be read"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ file, force }) {
    const fs = yield* FileSystem.FileSystem
    const { full, project, text } = yield* read(file)
    const now = yield* trying(() => SchemaLock.lock(project.events))
    if (text !== undefined && !force) {
      const before = yield* parse(file, text)
      const breaking = SchemaLock.check(before, project.events).filter((finding) => finding.breaking)
      if (breaking.length > 0) {
        yield* Console.log(lines(breaking).join("\n"))
        return yield* CommandError.found(`${file} is as it was: ${breaks(breaking)}. See --force`)
      }
    }
    yield* fs
      .writeFileString(full, SchemaLock.format(now))
      .pipe(Effect.mapError((error) => CommandError.unable(`Cannot write ${full}: ${error.message}`)))
    yield* Console.log(`Wrote ${file}: ${count(Object.keys(now.events).length, "type")} of events`)
  })
).pipe(Command.withDescription("Write down every shape that events are stored in, to be committed"))

/**
 * Compares the project's events with its lock, and with what is stored.
 *
 * **Details**
 *
 * It fails with exit code 1 when something that was stored could not be read, and 2 when that cannot be told: there is no
 * lock, or the store does not answer.
 *
 * @category commands
 * @since 0.1.0
 */
export const check: Command.Command<
  "check",
  { readonly file: string; readonly json: boolean; readonly stored: boolean; readonly sample: number },
  {},
  CommandError.CommandError,
  Services
> = Command.make(
  "check",
  {
    file,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print the findings as JSON"), Flag.withDefault(false)),
    stored: Flag.Boolean("stored").pipe(
      Flag.withDescription("Decode events of the store as well"),
      Flag.withDefault(false)
    ),
    sample: Flag.Int("sample").pipe(
      Flag.withDescription("About how many stored events to decode, spread over the log"),
      Flag.withDefault(10_000)
    )
  },
  Effect.fnUntraced(function* ({ file, json, sample, stored }) {
    const { full, project, text } = yield* read(file)
    if (text === undefined) {
      return yield* CommandError.unable(`There is no ${full}: write it with \`schema lock\`, and commit it`)
    }
    const locked = yield* parse(file, text)
    const findings = yield* trying(() => SchemaLock.check(locked, project.events))
    const report = stored ? yield* storedReport(sample) : undefined
    const breaking = findings.filter((finding) => finding.breaking)
    const undecodable = report?.undecodable ?? []
    if (json) {
      yield* Console.log(
        JSON.stringify({ breaking: breaking.length, findings, ...(report && { stored: report }) }, null, 2)
      )
    } else {
      const harmless = findings.filter((finding) => !finding.breaking)
      const text = [...lines(breaking), ...lines(harmless), ...(report === undefined ? [] : storedLines(report))]
      if (text.length > 0) yield* Console.log(text.join("\n"))
    }
    if (breaking.length > 0 || undecodable.length > 0) {
      const problems = [
        ...(breaking.length === 0 ? [] : [breaks(breaking)]),
        ...(undecodable.length === 0 ? [] : [`${count(undecodable.length, "kind")} of stored events cannot be decoded`])
      ]
      return yield* CommandError.found(problems.join(", "))
    }
    if (json) return
    yield* Console.log(
      findings.length === 0
        ? `${file} is up to date`
        : `Nothing breaks. Write the changes to ${file} with \`schema lock\``
    )
  })
).pipe(Command.withDescription("Tell whether everything that was ever stored is still read"))

/**
 * The commands about the schema of the log.
 *
 * **Example** (In a program's own command line)
 *
 * ```ts
 * import { Event } from "effect-cqrs"
 * import { Project, SchemaCommand } from "effect-cqrs/cli"
 * import * as Command from "effect/cli/Command"
 * import * as Schema from "effect/Schema"
 *
 * class TaskCreated extends Event.Class<TaskCreated>()("TaskCreated", { title: Schema.String }) {}
 *
 * const shop = Command.make("shop").pipe(
 *   Command.withSubcommands([SchemaCommand.schema]),
 *   Command.provide(Project.layer({ events: [TaskCreated] }))
 * )
 *
 * shop.subcommands.flatMap(({ commands }) => commands.map(({ name }) => name)) // => ["schema"]
 * ```
 *
 * @category commands
 * @since 0.1.0
 */
export const schema: Command.Command<"schema", {}, {}, CommandError.CommandError, Services> = Command.make(
  "schema"
).pipe(Command.withDescription("The shapes that events are and were stored in"), Command.withSubcommands([lock, check]))

const storedReport = Effect.fnUntraced(function* (sample: number) {
  const { events, layer } = yield* Project
  if (layer === undefined) {
    return yield* CommandError.unable(
      "Stored events need a store: give the configuration a `layer` with the EventStore"
    )
  }
  return yield* SchemaLock.checkStored(events, { sample }).pipe(
    SystemContext.provide("effect-cqrs schema check"),
    Effect.provide(layer),
    Effect.mapError((cause) => CommandError.unable(`Cannot read the store: ${CommandError.describe(cause)}`))
  )
})

const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`

const breaks = (findings: ReadonlyArray<SchemaLock.Finding>): string =>
  findings.length === 1 ? "1 change breaks" : `${findings.length} changes break`

const lines = (findings: ReadonlyArray<SchemaLock.Finding>): ReadonlyArray<string> =>
  findings.flatMap(({ breaking, fix, message }) => [
    `${breaking ? "breaks" : "ok    "}  ${message}`,
    ...(fix === undefined ? [] : [`        ${fix}`])
  ])

const storedLines = ({ isComplete, mark, read, undecodable }: SchemaLock.Report): ReadonlyArray<string> => [
  `Read ${read} stored events${isComplete ? ", which is all" : ` of those up to position ${mark}`}`,
  ...undecodable.map(({ count, issues, positions, type, version }) => {
    const places = `${positions.join(", ")}${count > positions.length ? " ..." : ""}`
    return `breaks  ${type} version ${version}: ${count} cannot be decoded, at ${places}: ${FieldIssue.format(issues)}`
  })
]
