import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EventImport } from "../../src/ports/EventImport.ts"
import {
  type Driver,
  ImportConflict,
  ImportError,
  ImportRefused,
  type PreparedImport
} from "../../src/ports/EventImportDriver.ts"
import * as EventImportLaws from "../../src/testing/EventImportLaws.ts"
import { controls } from "./controls.ts"

const wrong = controls<Driver>(EventImportLaws.laws, (make) => Layer.effect(EventImport, Effect.map(EventImport, make)))

/** Other batches. */
const writing = (
  right: Driver,
  change: (batch: ReadonlyArray<PreparedImport>) => ReadonlyArray<PreparedImport>
): Driver => ({
  ...right,
  write: (scope, name, from, batch) => right.write(scope, name, from, change(batch))
})

/** Other events. */
const changing = (
  right: Driver,
  change: (event: PreparedImport["event"]) => Partial<PreparedImport["event"]>
): Driver => writing(right, (batch) => batch.map((one) => ({ ...one, event: { ...one.event, ...change(one.event) } })))

export const wrongEventImports = [
  wrong("times are those of the import", ["are what they were", "as lines and imported again"], (right) =>
    changing(right, () => ({ recordedAt: 1_700_000_000_000 }))
  ),
  wrong("ids are new", ["are what they were"], (right) => changing(right, ({ id }) => ({ id: id.replace(/^0/, "1") }))),
  wrong("tags are lost", ["are what they were"], (right) => changing(right, () => ({ tags: [] }))),
  wrong("versions of a schema are today's", ["are what they were"], (right) =>
    changing(right, () => ({ schemaVersion: 1 }))
  ),
  wrong("events come stream by stream", ["are what they were", "are imported each into its own"], (right) =>
    writing(right, (batch) => batch.toSorted((a, b) => (a.event.stream < b.event.stream ? -1 : 1)))
  ),
  wrong("versions have no holes", ["versions may have holes"], (right) => {
    const versions = new Map<string, number>()
    return changing(right, ({ stream, version }) => {
      const next = versions.get(stream) === undefined ? version : (versions.get(stream) ?? 0) + 1
      versions.set(stream, next)
      return { version: next }
    })
  }),
  wrong("nobody knows how far it came", ["goes on where it was", "goes on when it no longer"], (right) => ({
    ...right,
    imported: () => Effect.succeed(0)
  })),
  wrong("how far it came is kept before the events are", ["goes on where it was"], (right) => {
    const came = new Map<string, number>()
    return {
      imported: (scope, name) => Effect.sync(() => came.get(`${scope} ${name}`) ?? 0),
      write: (scope, name, from, batch) =>
        Effect.suspend(() => {
          came.set(`${scope} ${name}`, from + batch.length)
          return Effect.andThen(Effect.yieldNow, right.write(scope, `${name} ${from}`, 0, batch))
        })
    }
  }),
  wrong("a conflict is no conflict", ["stream is at its version or beyond"], (right) => ({
    ...right,
    write: (scope, name, from, batch) =>
      Effect.mapError(right.write(scope, name, from, batch), ({ reason }) =>
        reason._tag === "ImportConflict"
          ? new ImportError({ reason: new ImportRefused({ row: reason.row, stream: reason.stream, issues: [] }) })
          : new ImportError({ reason })
      )
  })),
  wrong("the row is that in the batch", ["is named by its row", "as lines and imported again"], (right) => ({
    imported: () => Effect.succeed(0),
    write: (scope, name, from, batch) => right.write(scope, `${name} ${from}`, 0, batch.slice(0, 4))
  })),
  wrong(
    "a conflict does not know the version",
    ["stream is at its version or beyond", "tombstoned or archived"],
    (right) => ({
      ...right,
      write: (scope, name, from, batch) =>
        Effect.mapError(right.write(scope, name, from, batch), ({ reason }) =>
          reason._tag === "ImportConflict"
            ? new ImportError({ reason: conflictOf(reason) })
            : new ImportError({ reason })
        )
    })
  ),
  wrong("two runs import twice", ["of several runs of one import"], (right) => ({
    ...right,
    write: (scope, name, from, batch) =>
      Effect.catchIf(
        right.write(scope, name, from, batch),
        ({ reason }) => reason._tag === "ImportOvertaken",
        () =>
          right.write(
            scope,
            `${name} ${from} again`,
            0,
            batch.map((one) => ({ ...one, event: { ...one.event, version: one.event.version + 1000 } }))
          )
      )
  })),
  wrong("all tenants are one", ["of many tenants"], (right) =>
    writing(right, (batch) => batch.map((one) => ({ ...one, tenant: batch[0]?.tenant ?? one.tenant })))
  )
]

const conflictOf = ({ closed, row, stream, version }: ImportConflict) =>
  new ImportConflict({ closed, row, stream, version, actual: 0 })
