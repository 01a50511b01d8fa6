/**
 * Checks of appends: versions, conditions and names.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as StreamName from "../../../src/domain/StreamName.ts"
import * as EventStore from "../../../src/ports/EventStore.ts"
import type { ExpectedVersion } from "../../../src/ports/EventStoreError.ts"
import { noted } from "../../adapters/postgres/support.ts"
import * as session from "../session.ts"
import { expect, soon, type Stage } from "./stage.ts"

const none = 0
const exists = -2

const written = (own: session.Session, stream: string, options: session.AppendOptions, isSo: boolean) =>
  Effect.flatMap(session.append(own, stream, options), (appended) =>
    expect(appended.written === isSo, `${stream} ${JSON.stringify(options)} is ${isSo ? "" : "not "}written`)
  )

export const versions = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.bare)
    yield* written(own, "Versions", { expected: exists }, false)
    yield* written(own, "Versions", { expected: 1 }, false)
    yield* written(own, "Versions", { expected: none, count: 2 }, true)
    yield* written(own, "Versions", { expected: none }, false)
    yield* written(own, "Versions", { expected: 1 }, false)
    yield* written(own, "Versions", { expected: 3 }, false)
    yield* written(own, "Versions", { expected: 2 }, true)
    yield* written(own, "Versions", { expected: exists }, true)
    const last = yield* session.append(own, "Versions")
    yield* expect(last.version === 5, "versions have no gaps")
  })

export const several = (stage: Stage) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const append = (name: string, expected: ExpectedVersion) => ({
      stream: StreamName.make("Several", name),
      expected,
      events: [noted(0)] as const
    })
    yield* store.appendAll([append("a", "none"), append("b", "any")])
    const refused = yield* Effect.result(store.appendAll([append("b", 1), append("a", 7)]))
    yield* expect(refused._tag === "Failure", "a wrong version is refused")
    const { version } = yield* store.streamState(StreamName.make("Several", "b"))
    yield* expect(version === 1, "nothing of the refused is there")
    yield* store.appendAll([append("b", 1), append("a", "exists")])
  }).pipe(Effect.provide(stage.library))

export const crossing = (stage: Stage) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const own = yield* session.open(stage.url)
    const waiting = (count: number) =>
      Effect.map(
        session.number(
          own,
          "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ),
        (waits) => waits >= count
      )
    const all = (...names: ReadonlyArray<string>) =>
      store.appendAll(
        names.map((name) => ({ stream: StreamName.make("Crossing", name), expected: "any", events: [noted(0)] }))
      )
    yield* own.query("begin")
    yield* session.append(own, "Crossing-k")
    const one = yield* Effect.forkChild(all("x", "k", "y"))
    yield* soon(waiting(1), "the one waits")
    const other = yield* Effect.forkChild(all("y", "x"))
    // Until it is done, or waits too.
    yield* soon(
      Effect.map(waiting(2), (isSo) => isSo || other.pollUnsafe() !== undefined),
      "the other is done"
    )
    yield* own.query("commit")
    yield* Fiber.join(one)
    yield* Fiber.join(other)
  }).pipe(Effect.provide(stage.library))

export const ended = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.bare)
    yield* session.append(own, "Ended")
    yield* own.query("select written from es.tombstone('default', 'Ended', -1)")
    yield* written(own, "Ended", {}, false)
  })

export const named = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.bare)
    const first = yield* session.append(own, "Named", { id: "one", count: 2 })
    yield* session.append(own, "Named")
    const again = yield* session.append(own, "Named", { id: "one", count: 2 })
    yield* expect(again.written && again.version === 2, "it answers as it did")
    yield* expect(again.position === first.position, "with where it was written")
    const after = yield* session.append(own, "Named", { id: "two" })
    yield* expect(after.version === 4, "nothing was written twice")
  })

/** Two sessions, of which one has appended and not committed when the other asks for something that this excludes. */
const beside = (stage: Stage, stream: string, first: session.AppendOptions, second: session.AppendOptions) =>
  Effect.gen(function* () {
    const one = yield* session.open(stage.bare)
    const other = yield* session.open(stage.bare)
    yield* one.query("begin")
    yield* written(one, `${stream}-one`, first, true)
    const asked = yield* Effect.forkChild(session.append(other, `${stream}-other`, second))
    const monitor = yield* session.open(stage.bare)
    yield* soon(
      Effect.map(session.isWaiting(monitor, other), (isSo) => isSo || asked.pollUnsafe() !== undefined),
      "it waits"
    )
    yield* one.query("commit")
    const answer = yield* Fiber.join(asked)
    yield* expect(!answer.written, "what it depends on is there by now")
  })

export const tagged = (stage: Stage) =>
  Effect.gen(function* () {
    yield* beside(stage, "Tagged", { tag: "seat", unless: "seat" }, { tag: "seat", unless: "seat" })
    // Who has no condition appends what another depends on.
    yield* beside(stage, "Plain", { tag: "chair" }, { unless: "chair" })
  })

export const typed = (stage: Stage) => beside(stage, "Typed", { tenant: "typed" }, { tenant: "typed", unless: "" })

export const isolated = (stage: Stage) =>
  Effect.gen(function* () {
    const own = yield* session.open(stage.bare)
    yield* own.query("begin isolation level repeatable read")
    const answer = yield* Effect.result(session.append(own, "Isolated", { unless: "nothing" }))
    yield* Effect.ignore(own.query("rollback"))
    yield* expect(answer._tag === "Failure", "it is refused")
  })
