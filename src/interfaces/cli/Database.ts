/**
 * What the commands that look after a database work on.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ConsumerStore } from "../../ports/ConsumerStore.ts"
import type { EventImport } from "../../ports/EventImport.ts"
import type { EventStore } from "../../ports/EventStore.ts"
import type { FlowStore } from "../../ports/FlowStore.ts"
import type { Outbox } from "../../ports/Outbox.ts"
import type { ParkedStore } from "../../ports/ParkedStore.ts"
import type { StreamAdmin } from "../../ports/StreamAdmin.ts"
import * as CommandError from "./CommandError.ts"

/**
 * The ports that the commands use.
 *
 * @category models
 * @since 0.1.0
 */
export type Ports = EventStore | StreamAdmin | EventImport | ConsumerStore | ParkedStore | Outbox | FlowStore

/**
 * What a check of the database found.
 *
 * **Details**
 *
 * `ok` is as it should be, `warning` may pass by itself or is for somebody to know, `problem` is for somebody to act upon. A
 * problem that `fix` can put right says so.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finding {
  readonly check: string
  readonly status: "ok" | "warning" | "problem"
  readonly detail: string
  readonly fixable: boolean
  readonly fixed: boolean
}

/**
 * The database that the commands work on: its ports, and what is done to it as a whole.
 *
 * @category services
 * @since 0.1.0
 */
export class Database extends Context.Service<
  Database,
  {
    /** Brings the schema up to date, and answers with the numbers of the migrations that ran. */
    readonly migrate: Effect.Effect<ReadonlyArray<number>, CommandError.CommandError>
    readonly check: (options: {
      readonly fix: boolean
    }) => Effect.Effect<ReadonlyArray<Finding>, CommandError.CommandError>
    readonly ports: Layer.Layer<Ports, CommandError.CommandError>
  }
>()("effect-cqrs/cli/Database") {}

/**
 * The database of a program that runs the commands itself. What `migrate` and `check` do is the adapter's; absent, the command
 * says that there is nothing to do.
 *
 * **Example** (In a program's own command line)
 *
 * ```ts
 * import { Memory } from "effect-cqrs"
 * import { Database, StreamsCommand } from "effect-cqrs/cli"
 * import * as Command from "effect/cli/Command"
 *
 * const shop = Command.make("shop").pipe(
 *   Command.withSubcommands([StreamsCommand.streams]),
 *   Command.provide(Database.layer({ ports: Memory.layer }))
 * )
 *
 * shop.subcommands.flatMap(({ commands }) => commands.map(({ name }) => name)) // => ["streams"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, E2 = never, E3 = never>(options: {
  readonly ports: Layer.Layer<Ports, E>
  readonly migrate?: Effect.Effect<ReadonlyArray<number>, E2> | undefined
  readonly check?: ((options: { readonly fix: boolean }) => Effect.Effect<ReadonlyArray<Finding>, E3>) | undefined
}): Layer.Layer<Database> =>
  Layer.succeed(Database, {
    ports: Layer.unwrap(
      Effect.mapError(Effect.map(Layer.build(options.ports), Layer.succeedContext), unable("Cannot use the database"))
    ),
    migrate: Effect.mapError(options.migrate ?? Effect.succeed([]), unable("Cannot migrate")),
    check: (how) => Effect.mapError(options.check?.(how) ?? Effect.succeed([]), unable("Cannot check"))
  })

const unable =
  (what: string) =>
  (cause: unknown): CommandError.CommandError =>
    cause instanceof CommandError.CommandError ? cause : CommandError.unable(`${what}: ${CommandError.describe(cause)}`)
