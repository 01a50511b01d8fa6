/** A lock of the log's schema as data, and what can be found when two of them are compared. */
import * as Schema from "effect/Schema"
import type * as Decoding from "../../domain/Decoding.ts"
import type * as Event from "../../domain/Event.ts"
import type * as Join from "../../domain/Join.ts"
import type { Fields } from "../../domain/Message.ts"
import * as RecordedEvent from "../../domain/RecordedEvent.ts"
import * as Shape from "../../domain/Shape.ts"

const Versions = Schema.Record(Schema.String, Schema.Record(Schema.String, Shape.Shape))

export type Versions = typeof Versions.Type

const Entry = Schema.Struct({
  is: Schema.Literals(["event", "former", "joined", "retired", "part"]),
  event: Schema.optionalKey(Schema.String),
  versions: Versions,
  parts: Schema.optionalKey(Schema.Record(Schema.String, Versions))
})

export type Entry = typeof Entry.Type

export const Lock = Schema.Struct({ format: Schema.Literal(1), events: Schema.Record(Schema.String, Entry) })

export type Lock = typeof Lock.Type

export const breaking = [
  "event-removed",
  "event-renamed",
  "tag-reused",
  "version-decreased",
  "version-removed",
  "part-removed",
  "field-removed",
  "field-required",
  "field-changed"
] as const

const harmless = [
  "event-added",
  "event-moved",
  "event-retired",
  "version-added",
  "field-added",
  "field-widened"
] as const

export const Finding = Schema.Struct({
  kind: Schema.Literals([...breaking, ...harmless]),
  breaking: Schema.Boolean,
  event: Schema.String,
  version: Schema.optionalKey(Schema.Int),
  field: Schema.optionalKey(Schema.String),
  message: Schema.String,
  fix: Schema.optionalKey(Schema.String)
})

export type Finding = typeof Finding.Type

export type Source = Event.AnyClass<Decoding.Kind> | Join.Join<Event.Any>

export const isJoin = (source: Source): source is Join.Join<Event.Any> => "isRun" in source

export const classesOf = (sources: ReadonlyArray<Source>): ReadonlyArray<Event.AnyClass<Decoding.Kind>> =>
  sources.flatMap((source) => (isJoin(source) ? [] : [source]))

export const lock = (sources: ReadonlyArray<Source>): Lock => {
  const classes = classesOf(sources)
  // Refuses classes that cannot read one log together.
  RecordedEvent.decoder(classes)
  const events = new Map<string, Entry>()
  const add = (type: string, entry: Partial<Entry>) =>
    events.set(type, { is: "part", versions: {}, ...events.get(type), ...entry })
  for (const self of classes) {
    if ("retired" in self) {
      add(self.tag, { is: "retired" })
      continue
    }
    const own = self.history.find(({ tag }) => tag === undefined)
    add(self.tag, { is: "event", versions: versions([...(own?.shapes ?? []), self.shape]) })
    for (const { place, shapes, tag } of self.history) {
      if (tag === undefined) continue
      if (place === undefined) add(tag, { is: "former", event: self.tag, versions: versions(shapes) })
      else add(tag, { parts: { ...events.get(tag)?.parts, [self.tag]: versions(shapes) } })
    }
  }
  for (const { parts, tag: event } of sources.filter(isJoin)) {
    for (const { shapes, tag } of parts) {
      if (tag !== undefined && !events.has(tag)) add(tag, { is: "joined", event, versions: versions(shapes) })
    }
  }
  return { format: 1, events: Object.fromEntries(events) }
}

const versions = (shapes: ReadonlyArray<Fields>): Versions =>
  Object.fromEntries(shapes.map((fields, index) => [String(index + 1), Shape.of(fields)]))

export const newest = (self: Versions): number => Math.max(0, ...Object.keys(self).map(Number))
