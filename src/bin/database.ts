/** The database that the commands work on, by its URL: the adapter is loaded only when a command asks for it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import * as CommandError from "../interfaces/cli/CommandError.ts"
import { Database } from "../interfaces/cli/Database.ts"

/** What was given before the command's own flags. */
export class Given extends Context.Service<
  Given,
  { readonly config: Option.Option<string>; readonly url: Option.Option<Redacted.Redacted> }
>()("effect-cqrs/bin/Given") {}

const modules = Effect.tryPromise({
  try: async () => {
    const [PgClient, PgDoctor, PgMigrations, Postgres] = await Promise.all([
      import("@effect/sql-pg/PgClient"),
      import("../adapters/postgres/PgDoctor.ts"),
      import("../adapters/postgres/PgMigrations.ts"),
      import("../adapters/postgres/Postgres.ts")
    ])
    return { PgClient, PgDoctor, PgMigrations, Postgres }
  },
  catch: (cause) =>
    CommandError.unable(
      `The commands over a database run on @effect/sql-pg, which cannot be loaded: ${CommandError.describe(cause)}`
    )
})

const connect = Effect.gen(function* () {
  const { url: given } = yield* Given
  const url = Option.getOrUndefined(given) ?? process.env["DATABASE_URL"]
  if (url === undefined || url === "") {
    return yield* CommandError.unable("Which database? Give --url, or set DATABASE_URL")
  }
  const loaded = yield* modules
  const redacted = typeof url === "string" ? Redacted.make(url) : url
  const client = loaded.PgClient.layer({ url: redacted, maxConnections: 4, applicationName: "effect-cqrs" })
  return { ...loaded, client }
})

const unable = (cause: unknown): CommandError.CommandError =>
  cause instanceof CommandError.CommandError ? cause : CommandError.unable(CommandError.describe(cause))

/** The database at the URL that was given. Only `migrate` changes its schema. */
export const layer: Layer.Layer<Database, CommandError.CommandError, Given> = Layer.effect(
  Database,
  Effect.map(connect, ({ client, PgDoctor, PgMigrations, Postgres }) => {
    const over = <A, E>(self: Effect.Effect<A, E, SqlClient>) => Effect.mapError(Effect.provide(self, client), unable)
    const current = Effect.flatMap(PgMigrations.status, ({ pending }) =>
      pending.length > 0
        ? Effect.fail(CommandError.unable(`Migrations ${pending.join(", ")} have not run: run \`effect-cqrs migrate\``))
        : Effect.void
    )
    const ports = Layer.provideMerge(Layer.provideMerge(Postgres.layer, Layer.effectDiscard(current)), client)
    return {
      migrate: over(PgMigrations.run),
      check: (options) => over(PgDoctor.check(options)),
      ports: Layer.unwrap(Effect.mapError(Effect.map(Layer.build(ports), Layer.succeedContext), unable))
    }
  })
)
