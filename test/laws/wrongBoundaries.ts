import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EventQuery } from "../../src/domain/EventQuery.ts"
import * as Position from "../../src/domain/Position.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import { EventStore } from "../../src/ports/EventStore.ts"
import type { Append, Condition } from "../../src/ports/EventStoreDriver.ts"
import { EventStoreError, VersionConflict } from "../../src/ports/EventStoreError.ts"
import * as EventStoreLaws from "../../src/testing/EventStoreLaws.ts"
import { controls } from "./controls.ts"

type Store = EventStore["Service"]

const wrong = controls<Store>(EventStoreLaws.laws, (make) => Layer.effect(EventStore, Effect.map(EventStore, make)))

const appending = (store: Store, change: (append: Append) => Append): Store => ({
  ...store,
  append: (append) => store.append(change(append)),
  appendAll: (appends) => store.appendAll(appends.map(change))
})

const conditions = (store: Store, change: (condition: Condition) => Condition | undefined): Store =>
  appending(store, (append) => ({
    ...append,
    condition: append.condition === undefined ? undefined : change(append.condition)
  }))

const asking = (store: Store, change: (query: EventQuery) => EventQuery): Store => ({
  ...store,
  readMatching: (query, options) => store.readMatching(change(query), options)
})

export const wrongBoundaries = [
  wrong("ids mean nothing", ["asked again under its id", "of many racing appends under one id"], (store) =>
    appending(store, (append) => ({ ...append, id: undefined }))
  ),
  wrong("an id is known in all streams", ["an id is of one stream and one tenant"], (store) =>
    appending(store, (append) =>
      append.id === undefined ? append : { ...append, stream: StreamName.make(StreamName.category(append.stream), "1") }
    )
  ),
  wrong("an id is looked up before the append", ["of many racing appends under one id"], (store) => ({
    ...store,
    append: (append) =>
      append.id === undefined
        ? store.append(append)
        : Effect.flatMap(store.appended(append.stream, append.id), (before) =>
            before === undefined
              ? Effect.andThen(Effect.yieldNow, store.append({ ...append, id: undefined, expected: "any" }))
              : Effect.succeed({
                  stream: before.stream,
                  version: before.version,
                  position: before.position,
                  repeated: true
                })
          )
  })),
  wrong("an id is taken by an append that is refused", ["leaves its id free"], (store) => ({
    ...store,
    append: (append) =>
      Effect.catch(store.append(append), (error) =>
        append.id === undefined
          ? Effect.fail(error)
          : Effect.andThen(store.append({ ...append, expected: "any" }), Effect.fail(error))
      )
  })),
  wrong("an append that is asked again is a conflict", ["answered under its id whatever became"], (store) => ({
    ...store,
    append: (append) =>
      Effect.flatMap(store.streamState(append.stream), ({ version }) =>
        typeof append.expected === "number" && append.expected !== version
          ? Effect.fail(
              new EventStoreError({
                reason: new VersionConflict({ stream: append.stream, expected: append.expected, actual: version })
              })
            )
          : store.append(append)
      )
  })),
  wrong("nobody knows how many events an id stands for", ["can be asked by its id"], (store) => ({
    ...store,
    appended: (stream, id) =>
      Effect.map(store.appended(stream, id), (appended) =>
        appended === undefined ? undefined : { ...appended, count: 1 }
      )
  })),
  wrong(
    "conditions mean nothing",
    [
      "fails with AppendConditionFailed at the first",
      "of many who append under a condition",
      "a limit over many streams",
      "every condition that held"
    ],
    (store) => conditions(store, () => undefined)
  ),
  wrong("conditions are checked before the append", ["of many who append", "a limit over many streams"], (store) => ({
    ...store,
    append: (append) =>
      append.condition === undefined
        ? store.append(append)
        : Effect.andThen(
            store.append({ ...append, events: [] }),
            Effect.andThen(Effect.yieldNow, store.append({ ...append, condition: undefined }))
          )
  })),
  wrong("conditions know nothing but their position", ["a condition knows what was read"], (store) =>
    conditions(store, ({ after, query }) => ({ query, after }))
  ),
  wrong("conditions know all up to what they except", ["a condition knows what was read"], (store) =>
    conditions(store, ({ after, except = [], query }) => ({
      query,
      after: except.reduce((last, position) => Position.max(last, position), after)
    }))
  ),
  wrong("conditions do not look at types", ["goes ahead while nothing that fits"], (store) =>
    conditions(store, (condition) => ({ ...condition, query: condition.query.map(({ tags }) => ({ tags })) }))
  ),
  wrong("one of several tags is enough", ["goes ahead while nothing that fits", "reads what fits"], (store) => {
    const loose = (query: EventQuery) =>
      query.flatMap(({ tags = [], types }) =>
        tags.length === 0 ? [{ types }] : tags.map((tag) => ({ types, tags: [tag] }))
      )
    return asking(
      conditions(store, (condition) => ({ ...condition, query: loose(condition.query) })),
      loose
    )
  }),
  wrong("only the first criterion counts", ["reads what fits", "fails with AppendConditionFailed"], (store) =>
    asking(
      conditions(store, (condition) => ({ ...condition, query: condition.query.slice(0, 1) })),
      (query) => query.slice(0, 1)
    )
  ),
  wrong("criteria without tags are never met", ["fails with AppendConditionFailed", "of many who append"], (store) =>
    conditions(store, (condition) => {
      const query = condition.query.filter(({ tags }) => tags !== undefined)
      return query.length === 0 ? undefined : { ...condition, query }
    })
  ),
  wrong("an event that fits twice is read twice", ["reads what fits"], (store) => ({
    ...store,
    readMatching: (query, options) =>
      Effect.map(
        Effect.forEach(query, (criterion) => store.readMatching([criterion], options)),
        (all) => ({
          events: all.flatMap(({ events }) => events),
          condition: { query, after: all[0]?.condition.after ?? Position.start }
        })
      )
  })),
  wrong("what follows a position begins with it", ["reads what fits"], (store) => ({
    ...store,
    readMatching: (query, options) =>
      store.readMatching(query, { after: Position.make(Math.max((options?.after ?? 0) - 1, 0)) })
  }))
]
