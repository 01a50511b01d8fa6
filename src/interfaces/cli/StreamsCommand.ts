/**
 * The commands `streams list` and `streams show`.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as StreamName from "../../domain/StreamName.ts"
import { EventStore } from "../../ports/EventStore.ts"
import { StreamAdmin } from "../../ports/StreamAdmin.ts"
import * as CommandError from "./CommandError.ts"
import type { Database } from "./Database.ts"
import * as Output from "./internal/output.ts"

/**
 * Lists streams by name.
 *
 * @category commands
 * @since 0.1.0
 */
export const list: Command.Command<"list", never, {}, CommandError.CommandError, Database> = Command.make(
  "list",
  {
    category: Flag.String("category").pipe(Flag.withDescription("Only streams of this category"), Flag.optional),
    prefix: Flag.String("prefix").pipe(Flag.withDescription("Only names that begin with this"), Flag.optional),
    after: Flag.String("after").pipe(Flag.withDescription("Only names after this one"), Flag.optional),
    limit: Output.limit(100),
    tenant: Output.tenant,
    json: Output.json
  },
  ({ after, category, json, limit, prefix, tenant }) =>
    Effect.gen(function* () {
      const admin = yield* StreamAdmin
      const streams = yield* admin.list({
        category: Option.getOrUndefined(category),
        prefix: Option.getOrUndefined(prefix),
        after: Option.getOrUndefined(Option.map(after, StreamName.fromString)),
        limit
      })
      yield* Output.rows(
        json,
        streams,
        {
          stream: (one) => one.stream,
          version: (one) => one.version,
          events: (one) => one.count,
          last: (one) => Output.time(one.lastRecordedAt),
          state: (one) => (one.tombstoned ? "tombstoned" : one.archived ? "archived" : "")
        },
        "There are no streams"
      )
    }).pipe(Output.withPorts(tenant))
).pipe(Command.withDescription("List streams by name"))

/**
 * Shows a stream and its events.
 *
 * @category commands
 * @since 0.1.0
 */
export const show: Command.Command<"show", never, {}, CommandError.CommandError, Database> = Command.make(
  "show",
  {
    stream: Argument.String("stream").pipe(Argument.withDescription("The name of the stream")),
    from: Flag.Int("from").pipe(Flag.withDescription("From this version on"), Flag.withDefault(1)),
    limit: Output.limit(100),
    tenant: Output.tenant,
    json: Output.json
  },
  ({ from, json, limit, stream, tenant }) =>
    Effect.gen(function* () {
      const admin = yield* StreamAdmin
      const store = yield* EventStore
      const name = StreamName.fromString(stream)
      const info = yield* admin.info(name)
      if (info.version === 0 && !info.tombstoned) return yield* CommandError.found(`There is no stream ${stream}`)
      const { retention } = yield* admin.metadata(name)
      const events = yield* store.readStream(name, { fromVersion: from, limit, skipped: true })
      if (json) return yield* Output.fields(true, { ...info, retention, events })
      yield* Output.fields(false, {
        ...info,
        firstRecordedAt: Output.time(info.firstRecordedAt),
        lastRecordedAt: Output.time(info.lastRecordedAt),
        retention: Object.keys(retention).length === 0 ? undefined : retention
      })
      yield* Output.rows(
        false,
        events,
        {
          version: (one) => one.version,
          position: (one) => one.position,
          time: (one) => Output.time(one.recordedAt),
          type: (one) => one.type,
          data: (one) => JSON.stringify(one.data)
        },
        "It has no events that readers get"
      )
    }).pipe(Output.withPorts(tenant))
).pipe(Command.withDescription("Show a stream and its events"))

/**
 * The commands about streams.
 *
 * @category commands
 * @since 0.1.0
 */
export const streams: Command.Command<"streams", {}, {}, CommandError.CommandError, Database> = Command.make(
  "streams"
).pipe(Command.withDescription("The streams of the log"), Command.withSubcommands([list, show]))
