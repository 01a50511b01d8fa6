/**
 * The commands `migrate` and `doctor`: is the database as it should be?
 *
 * @since 0.1.0
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as CommandError from "./CommandError.ts"
import { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

/**
 * Brings the schema of the database up to date.
 *
 * @category commands
 * @since 0.1.0
 */
export const migrate: Command.Command<"migrate", { readonly json: boolean }, {}, CommandError.CommandError, Database> =
  Command.make(
    "migrate",
    { json: Output.json },
    Effect.fnUntraced(function* ({ json }) {
      const { migrate } = yield* Database
      const applied = yield* migrate
      yield* Console.log(
        json
          ? JSON.stringify({ applied })
          : applied.length === 0
            ? "The database is up to date"
            : `Applied ${applied.length === 1 ? "migration" : "migrations"} ${applied.join(", ")}`
      )
    })
  ).pipe(Command.withDescription("Bring the schema of the database up to date"))

/**
 * Looks whether the database is as it should be: its schema, the order of its log, who moves the mark and who holds it back,
 * the clocks, and what waits for somebody.
 *
 * **Details**
 *
 * It fails with exit code 1 when there is a problem, and 2 when it could not look. `--fix` puts right what can be put right
 * without a decision: after a restore, a sequence that is behind the log.
 *
 * @category commands
 * @since 0.1.0
 */
export const doctor: Command.Command<
  "doctor",
  { readonly fix: boolean; readonly json: boolean },
  {},
  CommandError.CommandError,
  Database
> = Command.make(
  "doctor",
  {
    fix: Flag.Boolean("fix").pipe(
      Flag.withDescription("Put right what can be put right without a decision"),
      Flag.withDefault(false)
    ),
    json: Output.json
  },
  Effect.fnUntraced(function* ({ fix, json }) {
    const { check } = yield* Database
    const findings = yield* check({ fix })
    const problems = findings.filter(({ status }) => status === "problem")
    yield* Console.log(
      json
        ? JSON.stringify({ problems: problems.length, findings }, null, 2)
        : findings
            .map(({ check, detail, fixed, status }) => `${(fixed ? "fixed" : status).padEnd(8)} ${check}: ${detail}`)
            .join("\n")
    )
    if (problems.length > 0) {
      const hint = !fix && problems.some(({ fixable }) => fixable) ? "; see --fix" : ""
      return yield* CommandError.found(`${Output.count(problems.length, "problem")}${hint}`)
    }
  })
).pipe(Command.withDescription("Look whether the database is as it should be"))
