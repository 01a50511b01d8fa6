/**
 * Forwarding the log to a broker, whose groups handle its events in other programs.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Decoding from "../domain/Decoding.ts"
import * as Event from "../domain/Event.ts"
import * as FieldIssue from "../domain/FieldIssue.ts"
import * as IntegrationEvent from "../domain/IntegrationEvent.ts"
import * as Position from "../domain/Position.ts"
import * as RecordedEvent from "../domain/RecordedEvent.ts"
import type { CheckpointError } from "../ports/CheckpointStore.ts"
import * as EventBusDriver from "../ports/EventBusDriver.ts"
import type { EventGroupsError } from "../ports/EventGroupsError.ts"
import type { EventStoreError } from "../ports/EventStoreError.ts"
import type { ForwardTarget } from "../ports/ForwardTarget.ts"
import * as Decoded from "./internal/decoding.ts"
import * as Forwarder from "./internal/forwarding/forwarder.ts"
import type { Definition } from "./internal/forwarding/model.ts"
import * as Keys from "./internal/keys.ts"
import * as Reader from "./internal/reader.ts"

/**
 * A log as it is forwarded, by name.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventForwarding {
  readonly log: string
  readonly events: ReadonlyArray<string>
  readonly definition: Definition<EventStoreError | ForwardingError, never>
}

/**
 * The log has less than what was forwarded of it, as after it was restored from an older backup: what comes now at those positions
 * is something else.
 *
 * @category errors
 * @since 0.1.0
 */
export class LogWentBack extends Schema.TaggedError<LogWentBack>("effect-cqrs/LogWentBack")("LogWentBack", {
  log: Schema.String,
  forwarded: Position.Position,
  mark: Position.Position
}) {
  override get message(): string {
    return `${this.log} was forwarded up to ${this.forwarded}, and the log ends at ${this.mark}: forward it under another name`
  }
}

/**
 * A translation has made an event that does not fit its own class.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unwritable extends Schema.TaggedError<Unwritable>("effect-cqrs/Unwritable")("Unwritable", {
  log: Schema.String,
  position: Position.Position,
  type: Schema.String,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return `The event at ${this.position} cannot be forwarded as ${this.type}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * Why a log is not forwarded any more.
 *
 * @category errors
 * @since 0.1.0
 */
export class ForwardingError extends Schema.TaggedError<ForwardingError>("effect-cqrs/ForwardingError")(
  "ForwardingError",
  { reason: Schema.Union([LogWentBack, Unwritable]) }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * How a log is forwarded.
 *
 * **Details**
 *
 * - `groups`: those that must not miss anything, whatever the broker loses. They exist from the first event on, before any of
 *   their members does. Other groups begin when their first member comes.
 * - `key`: what events are in order with: the stream when absent.
 * - `categories`, `tags` (at least one of them) and `tenants` narrow which events are forwarded.
 * - `source`: who says it, in every envelope; the name of the log when absent.
 * - `batchSize`: so many events are forwarded at once; 500 when absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly groups: ReadonlyArray<string>
  readonly key?: "stream" | "category" | "tenant" | ((stored: RecordedEvent.Stored) => string) | undefined
  readonly categories?: ReadonlyArray<string> | undefined
  readonly tags?: ReadonlyArray<string> | undefined
  readonly tenants?: ReadonlyArray<string> | undefined
  readonly source?: string | undefined
  readonly batchSize?: number | undefined
}

/**
 * Declares that events of these classes are forwarded as they are stored: to other processes of the same program, which know the
 * same classes. They get all its metadata, the actor among it.
 *
 * **Details**
 *
 * Every event is forwarded, in the order of its key, and is there once however often it is sent: the broker refuses what it has.
 * How far that is, the broker itself knows. So when it has lost what it had acknowledged, as after a failover, what is missing is
 * forwarded again; and when it has lost everything, all that a group may still need, since that is kept with the checkpoints.
 *
 * Run it in as many processes as you like: one works, and another goes on when that one ends.
 *
 * **Gotchas**
 *
 * What no group has handled stays with the broker: a group that nobody needs any more is removed (`EventGroups.remove`), and is
 * not among `groups`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  log: string,
  options: Options & { readonly events: ReadonlyArray<Event.AnyClass<Decoding.Kind>> }
): EventForwarding => {
  const source = options.source ?? log
  return definitionOf(log, Event.types(options.events), options, (stored) => [
    EventBusDriver.envelope(source, {
      id: stored.id,
      tenant: stored.tenant,
      key: stored.stream,
      metadata: stored.metadata,
      headers: { sequence: String(stored.position) },
      message: { type: stored.type, version: stored.schemaVersion, data: stored.data }
    })
  ])
}

/**
 * Declares that what others may know of events is forwarded: what a translation makes of them.
 *
 * **Details**
 *
 * The id of a public event is that of its event, with a number where there are several. An event that cannot be read stops the
 * forwarder, since what comes after it must not overtake it; `StreamAdmin.skip` lets it pass.
 *
 * @category constructors
 * @since 0.1.0
 */
export const translated = (
  log: string,
  translation: IntegrationEvent.Translation,
  options: Options
): EventForwarding => {
  const decode = RecordedEvent.decoder(translation.from)
  const source = options.source ?? translation.source
  return definitionOf(log, Event.types(translation.from), options, (stored) =>
    Effect.flatMap(Decoded.decodeAll(decode, stored), (all) =>
      Effect.forEach(
        all.flatMap((recorded) => translation.translate(recorded)),
        (event, index) => {
          const writer = event[Event.TypeId]
          const encoded = writer.encode(event)
          if (Result.isFailure(encoded)) {
            const issues = FieldIssue.fromIssue(encoded.failure)
            const { position } = stored
            return Effect.fail(
              new ForwardingError({ reason: new Unwritable({ log, position, type: writer.tag, issues }) })
            )
          }
          return Effect.succeed(
            IntegrationEvent.envelope(source, {
              id: index === 0 ? stored.id : `${stored.id}/${index}`,
              tenant: stored.tenant,
              key: stored.stream,
              // The event is the cause of what others learn of it.
              metadata: Object.assign({}, stored.metadata, { causationId: stored.id }),
              headers: { sequence: String(stored.position) },
              message: { type: writer.tag, version: writer.version, data: encoded.success }
            })
          )
        }
      )
    )
  )
}

/**
 * Forwards a log for ever, or until an event cannot be translated. A storage or broker that does not answer is waited for.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (
  self: EventForwarding
): Effect.Effect<
  never,
  ForwardingError | EventStoreError | CheckpointError | EventGroupsError,
  Reader.ReaderServices | ForwardTarget
> =>
  Effect.catchTag(Forwarder.run(self.definition), "Beyond", ({ forwarded, mark }) =>
    Effect.fail(new ForwardingError({ reason: new LogWentBack({ log: self.log, forwarded, mark }) }))
  )

/**
 * Forwards a log in the background of a program, until the program ends. If it stops with an error, that is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (self: EventForwarding): Layer.Layer<never, never, Reader.ReaderServices | ForwardTarget> =>
  Reader.layerOf({ kind: "subscription", name: `forwarding/${self.log}`, events: self.events }, run(self))

const definitionOf = (
  log: string,
  types: ReadonlyArray<string>,
  options: Options,
  envelopes: EventForwarding["definition"]["envelopes"]
): EventForwarding => {
  const { categories, groups, key, tags } = options
  const tenants = options.tenants === undefined ? undefined : new Set(options.tenants)
  return {
    log,
    events: types,
    definition: {
      log,
      groups,
      types,
      categories,
      tags,
      wants: (stored) => tenants === undefined || tenants.has(stored.tenant),
      key: Keys.of(key ?? "stream"),
      batchSize: Math.max(options.batchSize ?? 500, 1),
      envelopes
    }
  }
}
