import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Position from "../../src/domain/Position.ts"
import type { Stored } from "../../src/domain/RecordedEvent.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import { EventStore } from "../../src/ports/EventStore.ts"
import type { Append, Page, ReadAll, ReadStream } from "../../src/ports/EventStoreDriver.ts"
import { EventStoreError, VersionConflict } from "../../src/ports/EventStoreError.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import * as StorageFailure from "../../src/ports/StorageFailure.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as EventStoreLaws from "../../src/testing/EventStoreLaws.ts"
import { controls } from "./controls.ts"

type Store = EventStore["Service"]

const wrong = controls<Store>(EventStoreLaws.laws, (make) => Layer.effect(EventStore, Effect.map(EventStore, make)))

/** Other appends, for one stream and for several. */
const appending = (store: Store, change: (append: Append) => Append): Store => ({
  ...store,
  append: (append) => store.append(change(append)),
  appendAll: (appends) => store.appendAll(appends.map(change))
})

/** Other reasons of refusal, wherever one may come. */
const refusing = (store: Store, change: (error: EventStoreError) => EventStoreError): Store => ({
  ...store,
  append: (append) => Effect.mapError(store.append(append), change),
  appendAll: (appends) => Effect.mapError(store.appendAll(appends), change),
  tombstone: (stream, expected) => Effect.mapError(store.tombstone(stream, expected), change)
})

/** Other events, wherever they are read. */
const reading = (store: Store, change: (stored: Stored) => Stored): Store => ({
  ...store,
  readStream: (stream, options) => Effect.map(store.readStream(stream, options), (events) => events.map(change)),
  readAll: (options) => Effect.map(store.readAll(options), (page) => ({ ...page, events: page.events.map(change) })),
  readAllTenants: (options) =>
    Effect.map(store.readAllTenants(options), (page) => ({ ...page, events: page.events.map(change) }))
})

const selecting = (store: Store, change: (options: ReadStream) => ReadStream): Store => ({
  ...store,
  readStream: (stream, options) => store.readStream(stream, change(options ?? {}))
})

const paging = (
  store: Store,
  change: (page: Page, options: ReadAll) => Page,
  options = (all: ReadAll) => all
): Store => ({
  ...store,
  readAll: (all) => Effect.map(store.readAll(options(all)), (page) => change(page, all)),
  readAllTenants: (all) => Effect.map(store.readAllTenants(options(all)), (page) => change(page, all))
})

const asked = (store: Store, options: (all: ReadAll) => ReadAll) => paging(store, (page) => page, options)

const inTenant = (
  name: string
): (<A, E>(effect: Effect.Effect<A, E, TenantContext.TenantContext>) => Effect.Effect<A, E>) =>
  TenantContext.provide(name)

export const wrongEventStores = [
  wrong(
    "it ignores what is expected",
    [
      "expects none is refused",
      "expects 1 is refused",
      "exactly one of many racing appends at one version",
      "map of lists"
    ],
    (store) => appending(store, (append) => ({ ...append, expected: "any" }))
  ),
  wrong("it checks first and writes later", ["exactly one of many racing appends at one version"], (store) => ({
    ...store,
    append: (append) =>
      append.events.length === 0
        ? store.append(append)
        : Effect.andThen(
            store.append({ ...append, events: [] }),
            Effect.andThen(Effect.yieldNow, store.append({ ...append, expected: "any" }))
          )
  })),
  wrong(
    "who loses gets a StorageFailure",
    ["exactly one of many racing appends at one version", "expects exists is refused"],
    (store) =>
      refusing(store, (error) =>
        error.reason._tag === "VersionConflict"
          ? new EventStoreError({
              reason: StorageFailure.make({ operation: "append", retryable: true, cause: error.reason })
            })
          : error
      )
  ),
  wrong(
    "a conflict names a version that is out of date",
    ["exactly one of many racing appends at one version"],
    (store) =>
      refusing(store, ({ reason }) =>
        reason._tag === "VersionConflict" ? outdated(reason) : new EventStoreError({ reason })
      )
  ),
  wrong("it appends everything twice", ["versions count from 1", "map of lists"], (store) =>
    appending(store, (append) => ({ ...append, events: append.events.flatMap((event) => [event, event]) }))
  ),
  wrong("it reverses the events of an append", ["versions count from 1"], (store) =>
    appending(store, (append) => ({ ...append, events: append.events.toReversed() }))
  ),
  wrong("it writes the first of a long append alone", ["of 10000 events"], (store) =>
    appending(store, (append) => (append.events.length < 1000 ? append : { ...append, events: append.events.slice(1) }))
  ),
  wrong(
    "appends to several streams follow one another",
    ["number 2 of three conflicts", "keeps nothing when one of them is tombstoned"],
    (store) => ({
      ...store,
      appendAll: (appends) => Effect.forEach(appends, (append) => store.append(append))
    })
  ),
  wrong("several receipts come in the order of the streams", ["answers in the order it was given"], (store) => ({
    ...store,
    appendAll: (appends) =>
      Effect.map(store.appendAll(appends), (receipts) => receipts.toSorted((a, b) => (a.stream < b.stream ? -1 : 1)))
  })),
  wrong("one stream twice is taken", ["one stream twice in one append"], (store) => ({
    ...store,
    appendAll: (appends) =>
      store.appendAll(appends.filter(({ stream }, n) => appends.findIndex((other) => other.stream === stream) === n))
  })),
  wrong("an empty append checks nothing", ["an append without events"], (store) => ({
    ...store,
    append: (append) =>
      append.events.length > 0
        ? store.append(append)
        : Effect.map(store.streamState(append.stream), ({ version }) => ({
            stream: append.stream,
            version,
            position: Position.start
          }))
  })),
  wrong(
    "one tenant's streams are everybody's",
    ["no page and no tag of another", "one stream name in two tenants"],
    (store) => ({
      ...store,
      append: (append) => inTenant("all")(store.append(append)),
      readStream: (stream, options) => inTenant("all")(store.readStream(stream, options)),
      streamState: (stream) => inTenant("all")(store.streamState(stream))
    })
  ),
  wrong("one tenant's log is everybody's", ["no page and no tag of another"], (store) => ({
    ...store,
    readAll: (options) => store.readAllTenants(options).pipe(SystemContext.provide("a mistake"))
  })),
  wrong("one tenant's log is everybody's when it is asked for tags", ["no page and no tag of another"], (store) => ({
    ...store,
    readAll: (options) =>
      options.tags === undefined
        ? store.readAll(options)
        : store.readAllTenants(options).pipe(SystemContext.provide("a mistake"))
  })),
  wrong("tenants and streams run into each other", ["that run into each other"], (store) => {
    const named = (stream: string) =>
      Effect.map(TenantContext.TenantContext, ({ id }) =>
        StreamName.fromString(id + stream.slice(stream.indexOf("-") + 1).replace("-", ""))
      )
    return {
      ...store,
      append: (append) =>
        Effect.flatMap(named(append.stream), (stream) => inTenant("all")(store.append({ ...append, stream }))),
      readStream: (stream, options) =>
        Effect.flatMap(named(stream), (name) => inTenant("all")(store.readStream(name, options)))
    }
  }),
  wrong("names of tenants are of one case", ["that run into each other"], (store) => ({
    ...store,
    append: (append) => Effect.updateService(store.append(append), TenantContext.TenantContext, lowered),
    readStream: (stream, options) =>
      Effect.updateService(store.readStream(stream, options), TenantContext.TenantContext, lowered)
  })),
  wrong("a page leaves out its last event", ["pages of any size"], (store) =>
    paging(store, (page, { limit }) =>
      page.events.length < limit ? page : { ...page, events: page.events.slice(0, -1) }
    )
  ),
  wrong("the cursor of a full page is at the mark", ["pages of any size"], (store) =>
    paging(store, (page) => ({ ...page, cursor: page.mark }))
  ),
  wrong("a page begins with the event that it is to come after", ["a page holds only what comes after"], (store) =>
    asked(store, (all) => ({ ...all, after: Position.make(Math.max(all.after - 1, 0)) }))
  ),
  wrong("the cursor of an empty page goes back to the mark", ["a page after the end is empty"], (store) =>
    paging(store, (page) => (page.events.length === 0 ? { ...page, cursor: page.mark } : page))
  ),
  wrong("types are ignored", ["a page holds what fits every criterion"], (store) =>
    asked(store, (all) => ({ ...all, types: undefined }))
  ),
  wrong("categories are ignored", ["a page holds what fits every criterion"], (store) =>
    asked(store, (all) => ({ ...all, categories: undefined }))
  ),
  wrong("a list of no types fits all", ["a criterion that no event fits"], (store) =>
    asked(store, (all) => ({ ...all, types: all.types?.length === 0 ? undefined : all.types }))
  ),
  wrong("an event must have all tags", ["a page holds what fits every criterion"], (store) =>
    paging(store, (page, { tags }) => ({
      ...page,
      events: page.events.filter((event) => tags?.every((tag) => event.tags.includes(tag)) ?? true)
    }))
  ),
  wrong("the log is in the order of streams", ["the log holds events in the order of appending"], (store) =>
    paging(store, (page) => ({ ...page, events: page.events.toSorted((a, b) => (a.stream < b.stream ? -1 : 1)) }))
  ),
  wrong("each tenant counts its own positions", ["everybody's log is one order"], (store) => ({
    ...store,
    readAll: (all) =>
      Effect.map(store.readAll({ ...all, after: Position.start, limit: 1_000_000 }), (page) => {
        const events = page.events.map((event, index) => ({ ...event, position: Position.make(index + 1) }))
        return { ...page, events: events.filter(({ position }) => position > all.after) }
      })
  })),
  wrong("the mark is ahead", ["the mark bounds every page"], (store) =>
    paging(store, (page) => ({ ...page, cursor: Position.make(page.cursor + 1) }))
  ),
  wrong("the mark stays behind for good", ["the mark bounds every page"], (store) => ({
    ...store,
    mark: Effect.map(store.mark, (mark) => Position.make(Math.max(mark - 1, 0)))
  })),
  wrong("nobody is told of changes", ["`changed` completes once"], (store) => ({
    ...store,
    changed: () => Effect.never
  })),
  wrong("the first of those who wait is told of changes", ["`changed` completes once"], (store) => {
    let waiting = false
    return {
      ...store,
      changed: (after) => {
        if (waiting) return Effect.never
        waiting = true
        return Effect.ensuring(
          store.changed(after),
          Effect.sync(() => (waiting = false))
        )
      }
    }
  }),
  wrong("there always is a change", ["`changed` waits while"], (store) => ({ ...store, changed: () => Effect.void })),
  wrong("limits of streams are ignored", ["from one to another, in its direction"], (store) =>
    selecting(store, (options) => ({ ...options, limit: undefined }))
  ),
  wrong("the highest version is left out", ["from one to another, in its direction"], (store) =>
    selecting(store, (options) => ({
      ...options,
      toVersion: options.toVersion === undefined ? undefined : options.toVersion - 1
    }))
  ),
  wrong("what was recorded right then is left out", ["a read until a time"], (store) =>
    selecting(store, (options) => ({
      ...options,
      until: options.until === undefined ? undefined : DateTime.subtract(options.until, { milliseconds: 1 })
    }))
  ),
  wrong(
    "tombstones do nothing",
    ["a tombstoned stream takes nothing", "a tombstoned stream reads as empty"],
    (store) => ({
      ...store,
      tombstone: () => Effect.void
    })
  ),
  wrong("a tombstone forgets the version", ["a tombstoned stream reads as empty"], (store) => ({
    ...store,
    streamState: (stream) =>
      Effect.map(store.streamState(stream), (state) => (state.tombstoned ? { ...state, version: 0 } : state))
  })),
  wrong("what is tombstoned leaves the log", ["stays in the log"], (store) => ({
    ...store,
    readAll: (all) =>
      Effect.flatMap(store.readAll(all), (page) =>
        Effect.map(
          Effect.filter(page.events, ({ stream }) =>
            Effect.map(store.streamState(stream), ({ tombstoned }) => !tombstoned)
          ),
          (events) => ({ ...page, events })
        )
      )
  })),
  wrong(
    "what no store can keep is taken and lost",
    ["refused in a field", "refused in a key", "refused in a tag"],
    (store) => ({
      ...store,
      append: (append) =>
        Effect.catch(store.append(append), (error) =>
          error.reason._tag === "InvalidInput" && append.events.length > 0
            ? store.append({ ...append, events: [] })
            : Effect.fail(error)
        )
    })
  ),
  wrong(
    "what no store can keep is a StorageFailure",
    ["refused in the name of a stream", "refused in a key"],
    (store) =>
      refusing(store, (error) =>
        error.reason._tag === "InvalidInput"
          ? new EventStoreError({
              reason: StorageFailure.make({ operation: "append", retryable: false, cause: error.reason })
            })
          : error
      )
  ),
  wrong("texts are normalized", ['the field "texts" of an event'], (store) =>
    reading(store, (stored) => ({ ...stored, data: JSON.parse(JSON.stringify(stored.data).normalize("NFC")) }))
  ),
  wrong("nulls are dropped", ['the field "null" of an event', 'the field "undefined" of an event'], (store) =>
    reading(store, (stored) => ({
      ...stored,
      data: JSON.parse(JSON.stringify(stored.data), (_, value: unknown) => value ?? undefined)
    }))
  ),
  wrong("large numbers lose their last digits", ['the field "numbers" of an event'], (store) =>
    reading(store, (stored) => ({
      ...stored,
      data: JSON.parse(JSON.stringify(stored.data), (_, value: unknown) =>
        typeof value === "number" ? Number(value.toPrecision(15)) : value
      )
    }))
  ),
  wrong("texts are cut", ["texts of a megabyte"], (store) =>
    reading(store, (stored) => ({
      ...stored,
      data: JSON.parse(JSON.stringify(stored.data), (_, value: unknown) =>
        typeof value === "string" ? value.slice(0, 65_536) : value
      )
    }))
  ),
  wrong("attributes are lost", ["keeps the correlation, cause, actor"], (store) =>
    reading(store, (stored) => {
      const { attributes: _, ...metadata } = stored.metadata
      return { ...stored, metadata }
    })
  ),
  wrong("the cause of an event is what caused its cause", ["keeps the correlation, cause, actor"], (store) => ({
    ...store,
    append: (append) =>
      Effect.updateService(store.append(append), MessageContext.MessageContext, (context) => ({
        messageId: context.causationId,
        correlationId: context.correlationId,
        causationId: undefined,
        actor: context.actor,
        attributes: context.attributes
      }))
  })),
  wrong("events occur when they are recorded", ["occurred by the caller's clock"], (store) =>
    reading(store, (stored) => {
      const { occurredAt: _, ...metadata } = stored.metadata
      return { ...stored, metadata: { ...metadata, occurredAt: 0 } }
    })
  ),
  wrong("traces are lost", ["keeps the trace context"], (store) =>
    reading(store, (stored) => {
      const { traceparent: _, ...metadata } = stored.metadata
      return { ...stored, metadata }
    })
  ),
  wrong("tags come in an order of their own", ["keeps its type, its version and its tags"], (store) =>
    reading(store, (stored) => ({ ...stored, tags: stored.tags.toSorted() }))
  ),
  wrong("events have their stream's name for an id", ["an id of its own", "the caller's generator"], (store) =>
    reading(store, (stored) => ({ ...stored, id: stored.stream }))
  ),
  wrong("every event is of version 1", ["an event of an older version"], (store) =>
    reading(store, (stored) => ({ ...stored, schemaVersion: 1 }))
  ),
  wrong("events are their tenant's only in name", ["with the same envelopes"], (store) =>
    reading(store, (stored) => ({ ...stored, tenant: TenantId.make("default") }))
  ),
  wrong("a retry of an append that conflicts makes it go in", ["expects 1 is refused", "map of lists"], (store) => ({
    ...store,
    append: (append) =>
      Effect.catch(store.append(append), ({ reason }) =>
        reason._tag === "VersionConflict"
          ? store.append({ ...append, expected: reason.actual })
          : Effect.fail(new EventStoreError({ reason }))
      )
  }))
]

const lowered = ({ id }: { readonly id: TenantId.TenantId }) => ({ id: TenantId.make(id.toLowerCase()) })

const outdated = ({ actual, expected, stream }: VersionConflict) =>
  new EventStoreError({ reason: new VersionConflict({ stream, expected, actual: Math.max(actual - 1, 0) }) })
