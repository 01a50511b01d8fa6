import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as StreamName from "../../src/domain/StreamName.ts"
import { EventStore } from "../../src/ports/EventStore.ts"
import type { ReadAll, ReadStream } from "../../src/ports/EventStoreDriver.ts"
import * as MessageContext from "../../src/ports/MessageContext.ts"
import { StreamAdmin } from "../../src/ports/StreamAdmin.ts"
import { TenantContext } from "../../src/ports/TenantContext.ts"
import * as StreamAdminLaws from "../../src/testing/StreamAdminLaws.ts"
import { controls } from "./controls.ts"

type Admin = StreamAdmin["Service"]
type Store = EventStore["Service"]

const laws = [...StreamAdminLaws.laws, ...StreamAdminLaws.transactional]

const admin = controls<Admin>(laws, (make) => Layer.effect(StreamAdmin, Effect.map(StreamAdmin, make)))
const store = controls<Store>(laws, (make) => Layer.effect(EventStore, Effect.map(EventStore, make)))

const paging = (right: Store, change: (options: ReadAll) => ReadAll): Store => ({
  ...right,
  readAll: (options) => right.readAll(change(options)),
  readAllTenants: (options) => right.readAllTenants(change(options))
})

const selecting = (right: Store, change: (options: ReadStream) => ReadStream): Store => ({
  ...right,
  readStream: (stream, options) => right.readStream(stream, change(options ?? {}))
})

export const wrongStreamAdmins = [
  admin("metadata is set whatever is expected", ["at another version than expected", "exactly one does"], (right) => ({
    ...right,
    setMetadata: (stream, metadata) => right.setMetadata(stream, { ...metadata, expected: "any" })
  })),
  admin("metadata is looked at first and set later", ["exactly one does"], (right) => ({
    ...right,
    setMetadata: (stream, metadata) =>
      Effect.flatMap(right.metadata(stream), ({ version }) =>
        version === metadata.expected
          ? Effect.andThen(Effect.yieldNow, right.setMetadata(stream, { ...metadata, expected: "any" }))
          : right.setMetadata(stream, metadata)
      )
  })),
  admin("null is no metadata", ["comes back as it was set"], (right) => ({
    ...right,
    setMetadata: (stream, { data, ...rest }) => right.setMetadata(stream, { ...rest, data: data ?? undefined })
  })),
  admin("metadata of names that begin alike is one", ["belongs to one name"], (right) => ({
    ...right,
    metadata: (stream) => right.metadata(StreamName.fromString(stream.replace(/0+$/, "")))
  })),
  admin("retention is kept and does nothing", ["truncated is hidden", "maximum count", "all the rules"], (right) => ({
    ...right,
    setMetadata: (stream, { retention: _, ...rest }) => right.setMetadata(stream, rest)
  })),
  admin("a maximum count keeps one more", ["maximum count"], (right) => ({
    ...right,
    setMetadata: (stream, { retention, ...rest }) =>
      right.setMetadata(stream, {
        ...rest,
        retention: { ...retention, maxCount: retention?.maxCount && retention.maxCount + 1 }
      })
  })),
  admin("ages are counted in seconds", ["older than the maximum age"], (right) => ({
    ...right,
    setMetadata: (stream, { retention, ...rest }) =>
      right.setMetadata(stream, {
        ...rest,
        retention: { ...retention, maxAge: retention?.maxAge === "50 millis" ? "50 seconds" : retention?.maxAge }
      })
  })),
  admin("scavenging removes nothing", ["scavenged is gone", "wherever it was left"], (right) => ({
    ...right,
    scavenge: () => Stream.empty
  })),
  admin("scavenging goes all at once", ["goes in batches"], (right) => ({
    ...right,
    scavenge: () => right.scavenge()
  })),
  admin("scavenging starts from the first stream", ["goes in batches"], (right) => ({
    ...right,
    scavenge: (options) => right.scavenge({ ...options, after: undefined })
  })),
  admin("archiving is a tombstone", ["read by its name", "says StreamArchived", "goes on where it was"], (right) => ({
    ...right,
    archive: (stream, expected) =>
      Effect.andThen(right.archive(stream, expected), right.skip({ stream, version: 1 }, "x"))
  })),
  admin("archiving does nothing", ["out of the log", "says StreamArchived"], (right) => ({
    ...right,
    archive: () => Effect.void
  })),
  admin("archiving does not look at the version", ["archiving checks what it expects"], (right) => ({
    ...right,
    archive: (stream) => right.archive(stream)
  })),
  admin("what is archived stays archived", ["goes on where it was", "every event at its position"], (right) => ({
    ...right,
    restore: () => Effect.void
  })),
  admin("the reason of a skip is lost", ["with reason, actor and time", "by stream and version"], (right) => ({
    ...right,
    skip: (event) => right.skip(event, "because")
  })),
  admin("nobody knows who skipped", ["with reason, actor and time"], (right) => ({
    ...right,
    skip: (event, reason) =>
      Effect.provideService(right.skip(event, reason), MessageContext.MessageContext, MessageContext.empty)
  })),
  admin("a skip is for ever", ["until it is no longer skipped"], (right) => ({ ...right, unskip: () => Effect.void })),
  admin("a skip that finds nothing is silent", ["otherwise EventNotFound"], (right) => ({
    ...right,
    skip: (event, reason) =>
      Effect.catchReason(right.skip(event, reason), "StreamAdminError", "EventNotFound", () => Effect.void)
  })),
  admin("skipped events are listed by version", ["by stream and version"], (right) => ({
    ...right,
    skipped: (options) => Effect.map(right.skipped(options), (all) => all.toSorted((a, b) => a.version - b.version))
  })),
  admin("streams are listed in the order of UTF-16", ["order of UTF-8 bytes"], (right) => ({
    ...right,
    list: (options) => Effect.map(right.list(options), (all) => all.toSorted((a, b) => (a.stream < b.stream ? -1 : 1)))
  })),
  admin("a prefix is a category", ["order of UTF-8 bytes"], (right) => ({
    ...right,
    list: ({ prefix, ...options } = {}) => right.list({ ...options, category: prefix ?? options.category })
  })),
  admin("it counts versions, not events", ["how many events it shows"], (right) => ({
    ...right,
    info: (stream) => Effect.map(right.info(stream), (info) => ({ ...info, count: info.version }))
  })),
  admin("units of work are ignored", ["commits with its unit of work"], (right) => ({
    ...right,
    archive: (stream, expected) =>
      Effect.flatMap(TenantContext, (tenant) => {
        const archiving = Effect.provideService(right.archive(stream, expected), TenantContext, tenant)
        return Effect.sync(() => void Effect.runFork(archiving))
      })
  })),
  store("readers of the log see archived streams", ["out of the log"], (right) =>
    paging(right, (options) => ({ ...options, archived: true }))
  ),
  store("archived streams are lost to the log", ["every event at its position"], (right) =>
    paging(right, ({ archived: _, ...options }) => options)
  ),
  store("readers of the log see what is skipped", ["pass over a skipped event"], (right) =>
    paging(right, (options) => ({ ...options, skipped: true }))
  ),
  store("readers of a stream see what is skipped", ["pass over a skipped event"], (right) =>
    selecting(right, (options) => ({ ...options, skipped: true }))
  ),
  store("nobody is told of a skip", ["with reason, actor and time"], (right) => ({
    ...right,
    readStream: (stream, options) =>
      Effect.map(right.readStream(stream, options), (events) => events.map(({ skip: _, ...event }) => event))
  })),
  store("what is hidden takes a place in a page", ["no place in a page"], (right) => ({
    ...right,
    readAll: (options) =>
      Effect.map(right.readAll({ ...options, limit: Math.max(1, options.limit - 1) }), (page) => page)
  })),
  store("a hidden stream starts again", ["none is used again"], (right) => ({
    ...right,
    streamState: (stream) =>
      Effect.map(right.readStream(stream), (events) => ({ version: events.length, tombstoned: false }))
  }))
]
