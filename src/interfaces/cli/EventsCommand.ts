/**
 * The commands `events tail`, `events export` and `events import`.
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
import * as Stream from "effect/Stream"
import * as EventExport from "../../application/EventExport.ts"
import * as EventLine from "../../domain/EventLine.ts"
import * as Position from "../../domain/Position.ts"
import type { Stored } from "../../domain/RecordedEvent.ts"
import * as EventImport from "../../ports/EventImport.ts"
import type { ImportError } from "../../ports/EventImportDriver.ts"
import { EventStore } from "../../ports/EventStore.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import type { SystemContext } from "../../ports/SystemContext.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"
import type * as CommandError from "./CommandError.ts"
import type { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

const types = Flag.String("type").pipe(
  Flag.withDescription("Only events of this type; may be given several times"),
  Flag.atLeast(0)
)

const after = Flag.Int("after").pipe(Flag.withDescription("Only events after this position"), Flag.optional)

/**
 * Prints the last events of the log of all tenants, and with `--follow` each as it comes.
 *
 * @category commands
 * @since 0.1.0
 */
export const tail: Command.Command<"tail", never, {}, CommandError.CommandError, Database> = Command.make(
  "tail",
  {
    after,
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Go on with what comes, until it is interrupted"),
      Flag.withDefault(false)
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("How many positions back to begin when --after is absent, 20 when absent"),
      Flag.withDefault(20)
    ),
    types,
    json: Output.json
  },
  ({ after, follow, json, limit, types }) =>
    Effect.gen(function* () {
      const store = yield* EventStore
      const mark = yield* store.mark
      let cursor = Position.make(Option.getOrElse(after, () => Math.max(0, mark - limit)))
      const criteria = types.length === 0 ? {} : { types }
      while (true) {
        const page = yield* store.readAllTenants({ after: cursor, limit: 500, ...criteria })
        for (const stored of page.events) yield* Console.log(json ? EventLine.encode(stored) : line(stored))
        if (page.cursor > cursor) cursor = page.cursor
        else if (follow) yield* store.changed(cursor)
        if (!follow && cursor >= mark) return
      }
    }).pipe(Output.withPorts())
).pipe(Command.withDescription("Print the last events, and those to come"))

const line = ({ data, position, recordedAt, stream, tenant, type, version }: Stored) =>
  `${position}  ${Output.time(recordedAt)}  ${tenant}  ${stream}@${version}  ${type}  ${JSON.stringify(data)}`

/**
 * Writes events as NDJSON, to a file or to the standard output.
 *
 * @category commands
 * @since 0.1.0
 */
export const exporting: Command.Command<
  "export",
  never,
  {},
  CommandError.CommandError,
  Database | FileSystem.FileSystem
> = Command.make(
  "export",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("Where to; the standard output when absent"),
      Argument.optional
    ),
    after,
    types,
    tenant: Flag.String("tenant").pipe(
      Flag.withDescription("Only events of this tenant, of all when absent"),
      Flag.optional
    ),
    archived: Flag.Boolean("archived").pipe(
      Flag.withDescription("Events of archived streams as well"),
      Flag.withDefault(false)
    )
  },
  ({ after, archived, file, tenant, types }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const options = {
        ...(Option.isSome(after) && { after: Position.make(after.value) }),
        ...(types.length > 0 && { types }),
        ...(archived && { archived })
      }
      let count = 0
      const events: Stream.Stream<Stored, EventStoreError, EventStore | TenantContext | SystemContext> = Option.isSome(
        tenant
      )
        ? EventExport.events(options)
        : EventExport.eventsOfAllTenants(options)
      const lines = events.pipe(
        Stream.tap(() => Effect.sync(() => count++)),
        EventExport.toNdjson
      )
      if (Option.isNone(file)) {
        yield* Stream.runForEach(lines, (text) => Console.log(text.trimEnd()))
      } else {
        yield* lines.pipe(Stream.encodeText, Stream.run(fs.sink(file.value)))
        yield* Console.log(`Exported ${Output.count(count, "event")} to ${file.value}`)
      }
    }).pipe((self) =>
      Effect.flatMap(FileSystem.FileSystem, (fs) =>
        Output.withPorts(Option.getOrElse(tenant, () => "default"))(
          Effect.provideService(self, FileSystem.FileSystem, fs)
        )
      )
    )
).pipe(Command.withDescription("Write events as NDJSON"))

/**
 * Reads events of NDJSON and imports them as they were recorded; one that was interrupted goes on where it was.
 *
 * @category commands
 * @since 0.1.0
 */
export const importing: Command.Command<
  "import",
  never,
  {},
  CommandError.CommandError,
  Database | FileSystem.FileSystem
> = Command.make(
  "import",
  {
    file: Argument.String("file").pipe(Argument.withDescription("The file of events, a line each")),
    name: Flag.String("name").pipe(
      Flag.withDescription("What the import is known by when it is run again, the file's name when absent"),
      Flag.optional
    ),
    tenant: Flag.String("tenant").pipe(
      Flag.withDescription("Import everything into this tenant; each into its own when absent"),
      Flag.optional
    ),
    json: Output.json
  },
  ({ file, json, name, tenant }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const source = fs.stream(file).pipe(Stream.decodeText, EventExport.fromNdjson)
      const known = Option.getOrElse(name, () => file)
      const run: Stream.Stream<
        EventImport.Progress,
        Stream.Error<typeof source> | ImportError,
        EventImport.EventImport | TenantContext | SystemContext
      > = Option.isSome(tenant) ? EventImport.run(known, source) : EventImport.runAllTenants(known, source)
      const last = yield* Stream.runLast(run)
      const imported = Option.match(last, { onNone: () => undefined, onSome: (progress) => progress.imported })
      yield* Console.log(
        json
          ? JSON.stringify({ name: known, imported: imported ?? null })
          : imported === undefined
            ? `Nothing of ${file} was left to import`
            : `Imported ${Output.count(imported, "event")} of ${file}`
      )
    }).pipe((self) =>
      Effect.flatMap(FileSystem.FileSystem, (fs) =>
        Output.withPorts(Option.getOrElse(tenant, () => "default"))(
          Effect.provideService(self, FileSystem.FileSystem, fs)
        )
      )
    )
).pipe(Command.withDescription("Import events of NDJSON as they were recorded"))

/**
 * The commands about events.
 *
 * @category commands
 * @since 0.1.0
 */
export const events: Command.Command<"events", {}, {}, CommandError.CommandError, Database | FileSystem.FileSystem> =
  Command.make("events").pipe(
    Command.withDescription("The events of the log"),
    Command.withSubcommands([tail, exporting, importing])
  )
