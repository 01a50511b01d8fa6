/**
 * What others learn of a program's events: public contracts, a declared translation into them, and the envelope they
 * travel in.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Event from "./Event.ts"
import * as FieldIssue from "./FieldIssue.ts"
import type { Metadata } from "./Metadata.ts"
import type * as RecordedEvent from "./RecordedEvent.ts"

/**
 * A contract: an event class that was made for others. Its tag and version are its public name.
 *
 * @category models
 * @since 0.1.0
 */
export type Contract = Event.AnyClass

/**
 * What a translation gives for one event: nothing, one public event, or several.
 *
 * @category models
 * @since 0.1.0
 */
export type Translated<P> = P | ReadonlyArray<P> | undefined

/**
 * One function for each event of the program; each is told all that was recorded.
 *
 * @category models
 * @since 0.1.0
 */
export type Rules<E extends Event.Any, P> = {
  readonly [Tag in E["_tag"]]: (
    event: Extract<E, { readonly _tag: Tag }>,
    recorded: RecordedEvent.RecordedEvent<Extract<E, { readonly _tag: Tag }>>
  ) => Translated<P>
}

/**
 * A declared translation from events of a program to contracts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Translation {
  /** Who says it: the `source` of every envelope. */
  readonly source: string
  readonly from: ReadonlyArray<Event.AnyClass>
  readonly to: ReadonlyArray<Contract>
  readonly translate: (recorded: RecordedEvent.RecordedEvent<Event.Any>) => ReadonlyArray<Event.Any>
}

/**
 * Declares which public events follow from which events of a program.
 *
 * **Details**
 *
 * The compiler checks that every event of `from` has its function, if only one that gives nothing, and that nothing but
 * contracts of `to` comes out. Events stay free to change: what others see changes only where this says so. To change a
 * contract, add a class of the same tag with an upcaster, which makes it the next version, and give both for as long as
 * somebody reads the old one.
 *
 * **Example** (What others may know)
 *
 * ```ts
 * import { Event, IntegrationEvent } from "effect-cqrs"
 * import * as Schema from "effect/Schema"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("OrderPlaced", { orderId: Schema.String, cents: Schema.Int }) {}
 * class OrderNoted extends Event.Class<OrderNoted>()("OrderNoted", { note: Schema.String }) {}
 *
 * // The contract: public, versioned, and not the event.
 * class ShopOrderPlaced extends Event.Class<ShopOrderPlaced>()("shop.order-placed", { order: Schema.String }) {}
 *
 * const Shop = IntegrationEvent.translation("shop", {
 *   from: [OrderPlaced, OrderNoted],
 *   to: [ShopOrderPlaced],
 *   on: {
 *     OrderPlaced: ({ orderId }) => new ShopOrderPlaced({ order: orderId }),
 *     OrderNoted: () => undefined
 *   }
 * })
 * Shop.to.map(({ tag, version }) => [tag, version]) // => [["shop.order-placed", 1]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function translation<
  const From extends ReadonlyArray<Event.AnyClass>,
  const To extends ReadonlyArray<Contract>,
  const On extends Rules<Event.Of<From>, Event.Of<To>>
>(source: string, options: { readonly from: From; readonly to: To; readonly on: On }): Translation
export function translation(
  source: string,
  options: {
    readonly from: ReadonlyArray<Event.AnyClass>
    readonly to: ReadonlyArray<Contract>
    readonly on: Readonly<Record<string, (event: Event.Any, recorded: unknown) => Translated<Event.Any>>>
  }
): Translation {
  const rules = new Map(Object.entries(options.on))
  registry(options.to)
  return {
    source,
    from: options.from,
    to: options.to,
    translate: (recorded) => {
      const translated = rules.get(recorded.event._tag)?.(recorded.event, recorded)
      return translated === undefined ? [] : "_tag" in translated ? [translated] : translated
    }
  }
}

/**
 * What a public event travels in, whatever carries it: CloudEvents 1.0 in JSON.
 *
 * **Details**
 *
 * `id` is unique within `source`, and the same however often the event comes: what an inbox knows it by. `dataversion` is the
 * contract's version, `partitionkey` what it is in order with, `sequence` its position in the sender's log, where it has
 * one. `actor` and `attributes` go with events among the processes of one program, and never to others.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Envelope = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: Schema.NonEmptyString,
  source: Schema.NonEmptyString,
  type: Schema.NonEmptyString,
  dataversion: Schema.Int,
  time: Schema.String,
  datacontenttype: Schema.Literal("application/json"),
  subject: Schema.optionalKey(Schema.String),
  partitionkey: Schema.optionalKey(Schema.String),
  sequence: Schema.optionalKey(Schema.String),
  tenant: Schema.NonEmptyString,
  correlationid: Schema.String,
  causationid: Schema.optionalKey(Schema.String),
  traceparent: Schema.optionalKey(Schema.String),
  actor: Schema.optionalKey(Schema.String),
  attributes: Schema.optionalKey(Schema.String),
  data: Schema.Json
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Envelope extends Schema.Schema.Type<typeof Envelope> {}

/**
 * A public event in its envelope, made of what an outbox delivers.
 *
 * @category conversions
 * @since 0.1.0
 */
export const envelope = (
  source: string,
  message: {
    readonly id: string
    readonly tenant: string
    readonly key: string | undefined
    readonly metadata: Metadata
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly message: { readonly type: string; readonly version: number; readonly data: unknown }
  }
): Envelope => {
  const { causationId, correlationId, occurredAt, traceparent } = message.metadata
  const sequence = message.headers?.["sequence"]
  return {
    specversion: "1.0",
    id: message.id,
    source,
    type: message.message.type,
    dataversion: message.message.version,
    time: new Date(occurredAt).toISOString(),
    datacontenttype: "application/json",
    ...(message.key !== undefined && { subject: message.key, partitionkey: message.key }),
    ...(sequence !== undefined && { sequence }),
    tenant: message.tenant,
    correlationid: correlationId,
    ...(causationId !== undefined && { causationid: causationId }),
    ...(traceparent !== undefined && { traceparent }),
    data: isJson(message.message.data) ? message.message.data : null
  }
}

/**
 * A public event that came from somewhere.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received<out P> {
  readonly event: P
  readonly envelope: Envelope
  readonly metadata: Metadata
}

/**
 * What came is no envelope.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAnEnvelope extends Schema.TaggedError<NotAnEnvelope>("effect-cqrs/NotAnEnvelope")("NotAnEnvelope", {
  issues: Schema.Array(FieldIssue.FieldIssue),
  received: Schema.Unknown
}) {
  override get message(): string {
    return `This is no envelope: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * No contract of the registry has this tag, or none can read this version.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownContract extends Schema.TaggedError<UnknownContract>("effect-cqrs/UnknownContract")(
  "UnknownContract",
  { envelope: Envelope }
) {
  override get message(): string {
    const { dataversion, id, source, type } = this.envelope
    return `No contract reads ${type} in version ${dataversion} (${id} of ${source})`
  }
}

/**
 * What came does not fit its contract.
 *
 * @category errors
 * @since 0.1.0
 */
export class ContractBroken extends Schema.TaggedError<ContractBroken>("effect-cqrs/ContractBroken")("ContractBroken", {
  envelope: Envelope,
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    const { dataversion, id, source, type } = this.envelope
    return `${type} in version ${dataversion} (${id} of ${source}) is not what it should be: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * Why something that came could not be read. It holds all that came, to be kept.
 *
 * @category errors
 * @since 0.1.0
 */
export type Unread = NotAnEnvelope | UnknownContract | ContractBroken

/**
 * The contracts that a program reads.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registry<out P> {
  readonly contracts: ReadonlyArray<Contract>
  /** Reads an envelope, as a value of JSON. */
  readonly decode: (received: unknown) => Result.Result<Received<P>, Unread>
}

/**
 * Puts contracts together, by tag and version.
 *
 * **Details**
 *
 * What comes in a version of which there is a class is read by that class; in an older one it is upcast by the class of the
 * lowest version that can. Two classes of one tag and version are refused when the registry is built, by name.
 *
 * **Example** (An older version)
 *
 * ```ts
 * import { Event, IntegrationEvent, Upcaster } from "effect-cqrs"
 * import * as Result from "effect/Result"
 * import * as Schema from "effect/Schema"
 *
 * class OrderPlaced extends Event.Class<OrderPlaced>()("shop.order-placed", { order: Schema.String, cents: Schema.Int }, {
 *   upcasters: Upcaster.from({ order: Schema.String }).current(({ order }) => ({ order, cents: 0 }))
 * }) {}
 * const Shop = IntegrationEvent.registry([OrderPlaced])
 *
 * const sent = IntegrationEvent.envelope("shop", {
 *   id: "1",
 *   tenant: "acme",
 *   key: "o-1",
 *   metadata: { correlationId: "c", occurredAt: 0 },
 *   message: { type: "shop.order-placed", version: 1, data: { order: "o-1" } }
 * })
 * Result.getOrThrow(Shop.decode(JSON.parse(JSON.stringify(sent)))).event.cents // => 0
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function registry<const Contracts extends ReadonlyArray<Contract>>(
  contracts: Contracts
): Registry<Event.Of<Contracts>>
export function registry(contracts: ReadonlyArray<Contract>): Registry<unknown> {
  const byTag = new Map<string, Array<Contract>>()
  for (const contract of contracts) {
    for (const tag of Event.types([contract])) {
      const known = byTag.get(tag) ?? []
      const isTwin = (other: Contract) => other.tag !== contract.tag || other.version === contract.version
      if (known.some(isTwin)) throw new Error(`Two contracts read "${tag}" in version ${contract.version}`)
      byTag.set(
        tag,
        [...known, contract].sort((a, b) => a.version - b.version)
      )
    }
  }
  return {
    contracts,
    decode: (received) => {
      const read = isEnvelope(received) ? Result.succeed(received) : decodeEnvelope(received)
      if (Result.isFailure(read)) {
        return Result.fail(new NotAnEnvelope({ issues: FieldIssue.fromIssue(read.failure.issue), received }))
      }
      const envelope = read.success
      const { data, dataversion, type } = envelope
      const known = byTag.get(type) ?? []
      const contract = known.find(({ tag, version }) => (tag === type ? version >= dataversion : true))
      if (contract === undefined || dataversion < 1) return Result.fail(new UnknownContract({ envelope }))
      const event = contract[Event.TypeId](data, dataversion, type)
      return Result.isFailure(event)
        ? Result.fail(new ContractBroken({ envelope, issues: FieldIssue.fromIssue(event.failure) }))
        : Result.succeed({ event: event.success, envelope, metadata: metadataOf(envelope) })
    }
  }
}

const decodeEnvelope = Schema.decodeUnknownResult(Envelope, { errors: "all" })

/** What nearly everything is that comes. Its data are looked at by its contract; all that is wrong is said by the schema. */
const isEnvelope = (received: unknown): received is Envelope => {
  if (typeof received !== "object" || received === null) return false
  const it: { readonly [Key in keyof Envelope]?: unknown } = received
  return (
    it.specversion === "1.0" &&
    it.datacontenttype === "application/json" &&
    isName(it.id) &&
    isName(it.source) &&
    isName(it.type) &&
    isName(it.tenant) &&
    Number.isInteger(it.dataversion) &&
    typeof it.time === "string" &&
    typeof it.correlationid === "string" &&
    isTextOrAbsent(it.subject) &&
    isTextOrAbsent(it.partitionkey) &&
    isTextOrAbsent(it.sequence) &&
    isTextOrAbsent(it.causationid) &&
    isTextOrAbsent(it.traceparent) &&
    isTextOrAbsent(it.actor) &&
    isTextOrAbsent(it.attributes) &&
    it.data !== undefined
  )
}

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === "string"

const isJson = Schema.is(Schema.Json)

const metadataOf = ({ causationid, correlationid, time, traceparent }: Envelope): Metadata => {
  const occurredAt = Date.parse(time)
  return {
    correlationId: correlationid,
    occurredAt: Number.isNaN(occurredAt) ? 0 : occurredAt,
    ...(causationid !== undefined && { causationId: causationid }),
    ...(traceparent !== undefined && { traceparent })
  }
}
