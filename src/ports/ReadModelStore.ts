/**
 * Documents for queries: small collections that projections write and queries read.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FieldIssue from "../domain/FieldIssue.ts"
import type { TenantId } from "../domain/TenantId.ts"
import { byBytes } from "./internal/bytes.ts"
import * as Journal from "./internal/Journal.ts"
import { jsonIssues, nameIssue, tenantIssue } from "./internal/text.ts"
import { collectionOf, ProjectionTarget } from "./ProjectionTarget.ts"
import { StorageFailure } from "./StorageFailure.ts"
import { TenantContext } from "./TenantContext.ts"

/**
 * A document, its id or the collection's name cannot be kept, or a kept document does not fit its schema.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidDocument extends Schema.TaggedError<InvalidDocument>("effect-cqrs/InvalidDocument")(
  "InvalidDocument",
  {
    collection: Schema.String,
    id: Schema.String,
    issues: Schema.Array(FieldIssue.FieldIssue)
  }
) {
  override get message(): string {
    return `Invalid document ${JSON.stringify(this.id.slice(0, 100))} in ${this.collection}: ${FieldIssue.format(this.issues)}`
  }
}

/**
 * The one error of `ReadModelStore`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReadModelError extends Schema.TaggedError<ReadModelError>("effect-cqrs/ReadModelError")("ReadModelError", {
  reason: Schema.Union([InvalidDocument, StorageFailure])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * A kept document: its id, and its contents as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export interface Document {
  readonly id: string
  readonly data: unknown
}

/**
 * Which part of a collection to list, in the order of ids by UTF-8 bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface List {
  /** Only ids after this one. */
  readonly after?: string | undefined
  /** At most so many documents; 1,000 when absent. */
  readonly limit?: number | undefined
}

/**
 * Where documents are kept; use it through a `collection`, which knows their schema.
 *
 * **Details**
 *
 * Every method takes the tenant as its first argument, and an id under one tenant is unknown to every other. Writes take part
 * in a unit of work of the same storage.
 *
 * @category services
 * @since 0.1.0
 */
export class ReadModelStore extends Context.Service<
  ReadModelStore,
  {
    readonly get: (
      tenant: TenantId,
      collection: string,
      id: string
    ) => Effect.Effect<Option.Option<Document>, ReadModelError>
    /** `data` is JSON as text. */
    readonly set: (
      tenant: TenantId,
      collection: string,
      id: string,
      data: string
    ) => Effect.Effect<void, ReadModelError>
    readonly remove: (tenant: TenantId, collection: string, id: string) => Effect.Effect<void, ReadModelError>
    readonly list: (
      tenant: TenantId,
      collection: string,
      options: List
    ) => Effect.Effect<ReadonlyArray<Document>, ReadModelError>
    /** Removes all documents of a collection, of all tenants: for rebuilding it. */
    readonly clear: (collection: string) => Effect.Effect<void, ReadModelError>
    /**
     * Gives each of two collections the contents of the other, at once, whatever their size: whoever reads sees one of them as
     * a whole, before or after.
     */
    readonly exchange: (one: string, other: string) => Effect.Effect<void, ReadModelError>
  }
>()("effect-cqrs/ports/ReadModelStore") {}

/**
 * Documents of one schema, under the tenant of the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Collection<A> {
  readonly name: string
  readonly get: (id: string) => Effect.Effect<Option.Option<A>, ReadModelError, ReadModelStore | TenantContext>
  readonly set: (id: string, document: A) => Effect.Effect<void, ReadModelError, ReadModelStore | TenantContext>
  /**
   * Reads, changes and writes one document; `None` is its absence. Two fibers that update one id at once may lose one of the
   * changes: a projection, which handles events one by one, does not.
   */
  readonly update: (
    id: string,
    f: (document: Option.Option<A>) => A
  ) => Effect.Effect<A, ReadModelError, ReadModelStore | TenantContext>
  readonly remove: (id: string) => Effect.Effect<void, ReadModelError, ReadModelStore | TenantContext>
  readonly list: (
    options?: List
  ) => Effect.Effect<
    ReadonlyArray<{ readonly id: string; readonly document: A }>,
    ReadModelError,
    ReadModelStore | TenantContext
  >
}

/**
 * Declares a collection of documents.
 *
 * **Example** (Set, update, list)
 *
 * ```ts
 * import { Memory, ReadModelStore, TenantContext } from "effect-cqrs"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import * as Schema from "effect/Schema"
 *
 * const Counters = ReadModelStore.collection("counters", Schema.Int)
 * const increment = Counters.update("visits", (count) => Option.getOrElse(count, () => 0) + 1)
 *
 * const program = Effect.andThen(Effect.andThen(increment, increment), Counters.list())
 * await Effect.runPromise(program.pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))) // => [{ id: "visits", document: 2 }]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const collection = <A, I>(name: string, schema: Schema.Codec<A, I>): Collection<A> => {
  const json = Schema.toCodecJson(schema)
  const decodeResult = Schema.decodeUnknownResult(json, { errors: "all" })
  const encodeResult = Schema.encodeUnknownResult(json, { errors: "all" })

  const invalid = (id: string, issues: ReadonlyArray<FieldIssue.FieldIssue>) =>
    new ReadModelError({ reason: new InvalidDocument({ collection: name, id, issues }) })

  const decode = (document: Document) =>
    Result.mapError(decodeResult(document.data), (error) => invalid(document.id, FieldIssue.fromIssue(error.issue)))

  const nameProblem = nameIssue("collection", name, maxIdBytes)

  const encode = (tenant: TenantId, id: string, document: A): Result.Result<string, ReadModelError> => {
    const encoded = encodeResult(document)
    if (Result.isFailure(encoded)) return Result.fail(invalid(id, FieldIssue.fromIssue(encoded.failure.issue)))
    const text = JSON.stringify(encoded.success)
    const issues = jsonIssues("", encoded.success, text)
    const idIssue = nameIssue("id", id, maxIdBytes)
    const all = [tenantIssue(tenant), nameProblem, idIssue, ...issues].filter((issue) => issue !== undefined)
    return all.length > 0 ? Result.fail(invalid(id, all)) : Result.succeed(text)
  }

  const inTenant = <B>(
    f: (store: ReadModelStore["Service"], tenant: TenantId, kept: string) => Effect.Effect<B, ReadModelError>
  ): Effect.Effect<B, ReadModelError, ReadModelStore | TenantContext> =>
    Effect.withFiber<B, ReadModelError, ReadModelStore | TenantContext>((fiber) => {
      const target = fiber.getRef(ProjectionTarget)
      const kept = target?.collections.includes(name) === true ? collectionOf(name, target.generation) : name
      const store = Context.getUnsafe(fiber.context, ReadModelStore)
      return f(store, Context.getUnsafe(fiber.context, TenantContext).id, kept)
    })

  // A version that is being built must not write into what is read.
  const writing = <B>(
    id: string,
    f: (store: ReadModelStore["Service"], tenant: TenantId, kept: string) => Effect.Effect<B, ReadModelError>
  ) =>
    Effect.flatMap(ProjectionTarget, (target) =>
      target === undefined || target.collections.includes(name)
        ? inTenant(f)
        : Effect.fail(invalid(id, [{ path: "collection", message: undeclared(target.projection) }]))
    )

  // What could never be written cannot be there.
  const listable = (tenant: TenantId) => nameProblem === undefined && tenantIssue(tenant) === undefined
  const known = (tenant: TenantId, id: string) => listable(tenant) && nameIssue("id", id, maxIdBytes) === undefined

  const get: Collection<A>["get"] = (id) =>
    inTenant((store, tenant, kept) =>
      !known(tenant, id)
        ? Effect.succeedNone
        : Effect.flatMap(store.get(tenant, kept, id), (found) =>
            Option.isNone(found)
              ? Effect.succeed(Option.none<A>())
              : Effect.map(Effect.fromResult(decode(found.value)), Option.some)
          )
    )

  const set: Collection<A>["set"] = (id, document) =>
    writing(id, (store, tenant, kept) =>
      Effect.flatMap(Effect.fromResult(encode(tenant, id, document)), (text) => store.set(tenant, kept, id, text))
    )

  return {
    name,
    get,
    set,
    update: (id, f) =>
      Effect.flatMap(get(id), (found) => {
        const document = f(found)
        return Effect.as(set(id, document), document)
      }),
    remove: (id) =>
      writing(id, (store, tenant, kept) => (known(tenant, id) ? store.remove(tenant, kept, id) : Effect.void)),
    list: (options) =>
      inTenant((store, tenant, kept) =>
        !listable(tenant)
          ? Effect.succeed([])
          : Effect.flatMap(store.list(tenant, kept, { ...options, after: keepable(options?.after) }), (documents) =>
              Effect.forEach(documents, (document) =>
                Effect.map(Effect.fromResult(decode(document)), (value) => ({ id: document.id, document: value }))
              )
            )
      )
  }
}

const maxIdBytes = 1024

const undeclared = (projection: string) =>
  `is not among the collections of ${projection}: only those are kept apart while it is rebuilt`

// An id after `a\0…` is an id after `a`: no id holds `\0`, and nothing else comes between the two.
const keepable = (after: string | undefined) => after?.toWellFormed().split("\0", 1)[0]

/**
 * The most documents that one listing gives when it does not say.
 *
 * @category limits
 * @since 0.1.0
 */
export const defaultListLimit = 1000

/**
 * Documents in memory, kept as the JSON text that a database would keep.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<ReadModelStore> = Layer.effect(
  ReadModelStore,
  Effect.map(Journal.MemoryJournal, (journal) => {
    const collections = new Journal.JournalMap<string, string>()
    // Under which name the contents of a collection are kept, where that is not its own.
    const exchanged = new Journal.JournalMap<string, string>()
    const keptAs = (transaction: Journal.Transaction | undefined, name: string) =>
      exchanged.get(transaction, name) ?? name
    const keyOf = (transaction: Journal.Transaction | undefined, tenant: TenantId, name: string, id: string) =>
      `${keptAs(transaction, name)}\0${tenant}\0${id}`
    return {
      get: (tenant, name, id) =>
        journal.read((transaction) =>
          Option.map(
            Option.fromUndefinedOr(collections.get(transaction, keyOf(transaction, tenant, name, id))),
            (data) => ({ id, data: JSON.parse(data) })
          )
        ),
      set: (tenant, name, id, data) =>
        journal.write((transaction) => {
          collections.set(transaction, keyOf(transaction, tenant, name, id), data)
          return Exit.void
        }),
      remove: (tenant, name, id) =>
        journal.write((transaction) => {
          collections.set(transaction, keyOf(transaction, tenant, name, id), undefined)
          return Exit.void
        }),
      list: (tenant, name, options) =>
        journal.read((transaction) => {
          const prefix = keyOf(transaction, tenant, name, "")
          const found: Array<Document> = []
          for (const [key, data] of collections.entries(transaction)) {
            if (key.startsWith(prefix)) found.push({ id: key.slice(prefix.length), data })
          }
          const after = options.after
          return found
            .filter((document) => after === undefined || byBytes(document.id, after) > 0)
            .sort((one, other) => byBytes(one.id, other.id))
            .slice(0, options.limit ?? defaultListLimit)
            .map((document) => ({ id: document.id, data: JSON.parse(String(document.data)) }))
        }),
      clear: (name) =>
        journal.write((transaction) => {
          const prefix = `${keptAs(transaction, name)}\0`
          for (const [key] of Array.from(collections.entries(transaction))) {
            if (key.startsWith(prefix)) collections.set(transaction, key, undefined)
          }
          return Exit.void
        }),
      exchange: (one, other) =>
        journal.write((transaction) => {
          const [first, second] = [keptAs(transaction, one), keptAs(transaction, other)]
          exchanged.set(transaction, one, second)
          exchanged.set(transaction, other, first)
          return Exit.void
        })
    }
  })
).pipe(Layer.provide(Journal.layer))
