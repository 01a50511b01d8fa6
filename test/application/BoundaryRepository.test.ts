import { describe, expect, it, layer } from "@effect/vitest"
import { Effect, Layer, Result, Schema } from "effect"
import {
  Boundary,
  BoundaryRepository,
  Event,
  EventStore,
  type EventStoreError,
  Memory,
  StreamName,
  TenantContext
} from "../../src/index.ts"
import { freshStore } from "../adapters/postgres/support.ts"

class Opened extends Event.Class<Opened>()(
  "Opened",
  { course: Schema.String, seats: Schema.Int },
  { tags: ({ course }) => [`course:${course}`] }
) {}
class Enrolled extends Event.Class<Enrolled>()(
  "Enrolled",
  { course: Schema.String, student: Schema.String },
  { tags: ({ course, student }) => [`course:${course}`, `student:${student}`] }
) {}
class Full extends Schema.TaggedError<Full>()("Full", {}) {}
class TooMany extends Schema.TaggedError<TooMany>()("TooMany", {}) {}

interface Enrol {
  readonly course: string
  readonly student: string
}
interface State {
  readonly seats: number
  readonly enrolled: ReadonlyArray<Enrol>
}
const initial: State = { seats: 0, enrolled: [] }

const Enrolment = Boundary.make("Enrolment", { events: [Opened, Enrolled], initial }).evolve({
  Opened: (state, { seats }) => ({ ...state, seats }),
  Enrolled: (state, { course, student }) => ({ ...state, enrolled: [...state.enrolled, { course, student }] })
})

/** A course has so many seats, and a student two courses at most: facts of two kinds of streams in one decision. */
const enrol = ({ course, student }: Enrol, { enrolled, seats }: State) => {
  if (enrolled.filter((one) => one.course === course).length >= seats) return Result.fail(new Full())
  if (enrolled.filter((one) => one.student === student).length >= 2) return Result.fail(new TooMany())
  return Result.succeed([new Enrolled({ course, student })])
}

const execute = (course: string, student: string, options?: BoundaryRepository.Options) =>
  BoundaryRepository.execute(Enrolment, [`course:${course}`, `student:${student}`], { course, student }, enrol, options)

const open = (course: string, seats: number) =>
  BoundaryRepository.execute(Enrolment, [`course:${course}`], seats, (seats, state) =>
    Result.succeed(state.seats === seats ? [] : [new Opened({ course, seats })])
  )

const times = (count: number) => Array.from({ length: count }, (_, n) => n)

const races = Effect.gen(function* () {
  const courses = ["a", "b", "c", "d"]
  yield* Effect.forEach(courses, (course) => open(course, 5))
  const pairs = times(12).flatMap((student) => courses.map((course) => [course, `s${student}`] as const))
  const results = yield* Effect.forEach(
    pairs,
    ([course, student]) => Effect.result(execute(course, student, { retries: 200 })),
    { concurrency: "unbounded" }
  )
  const enrolled = results.flatMap((result, index) => (Result.isSuccess(result) ? [pairs[index]] : []))
  for (const result of results) {
    if (Result.isFailure(result)) expect(["Full", "TooMany"]).toContain(result.failure._tag)
  }
  // Twelve students with two courses each would fill 24 seats: all 20 are taken.
  expect(enrolled).toHaveLength(20)
  for (const course of courses) expect(enrolled.filter((pair) => pair?.[0] === course)).toHaveLength(5)
  for (const student of times(12)) {
    expect(enrolled.filter((pair) => pair?.[1] === `s${student}`).length).toBeLessThanOrEqual(2)
  }
  const { state } = yield* BoundaryRepository.load(Enrolment, ["course:a"])
  expect(state.enrolled).toHaveLength(5)
})

const Live = Memory.layer.pipe(Layer.merge(TenantContext.layerSingle))

describe("BoundaryRepository", () => {
  it.effect("decides over the facts of several streams, and tells what followed", () =>
    Effect.gen(function* () {
      expect(yield* open("a", 1)).toMatchObject({ state: { seats: 1 }, stream: "Enrolment-course:a", version: 1 })
      const { events, position, state, stream, version } = yield* execute("a", "x")
      expect(events).toEqual([new Enrolled({ course: "a", student: "x" })])
      expect(state).toEqual({ seats: 1, enrolled: [{ course: "a", student: "x" }] })
      expect({ stream, version, position }).toEqual({ stream: "Enrolment-course:a+student:x", version: 1, position: 2 })
      expect(yield* Effect.flip(execute("a", "y"))).toEqual(new Full())
      expect(yield* open("a", 1)).toMatchObject({ events: [], version: 0, position: 0 })
    }).pipe(Effect.provide(Live))
  )

  it.effect("reads by criteria, and writes where it is told", () =>
    Effect.gen(function* () {
      yield* open("a", 1)
      const stream = StreamName.make("Elsewhere", "1")
      const scope = [{ types: ["Enrolled"], tags: ["course:a", "student:x"] }]
      const result = yield* BoundaryRepository.execute(
        Enrolment,
        scope,
        undefined,
        (_, state) => {
          expect(state).toEqual(initial)
          return Result.succeed([new Enrolled({ course: "a", student: "x" })])
        },
        { stream }
      )
      expect(result.stream).toBe(stream)
      const { state } = yield* BoundaryRepository.load(Enrolment, scope)
      expect(state.enrolled).toHaveLength(1)
    }).pipe(Effect.provide(Live))
  )

  it.effect("decides again over what happened in between, and gives up when it is told to", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const disturbed = (retries: number) =>
        Effect.gen(function* () {
          const store = yield* EventStore.EventStore
          let appends = 0
          return yield* BoundaryRepository.execute(
            Enrolment,
            ["course:a"],
            undefined,
            (_, { enrolled }) => {
              asked.push(enrolled.length)
              return Result.succeed([new Enrolled({ course: "a", student: "mine" })])
            },
            { retries }
          ).pipe(
            Effect.provideService(EventStore.EventStore, {
              ...store,
              append: (append) =>
                ++appends > 2
                  ? store.append(append)
                  : Effect.andThen(
                      store.append({
                        stream: StreamName.make("Other", "1"),
                        expected: "any",
                        events: [new Enrolled({ course: "a", student: "other" })]
                      }),
                      store.append(append)
                    )
            })
          )
        })
      const { state } = yield* disturbed(2)
      expect(asked).toEqual([0, 1, 2])
      expect(state.enrolled.map(({ student }) => student)).toEqual(["other", "other", "mine"])
      const error: EventStoreError.EventStoreError = yield* Effect.flip(disturbed(0))
      expect(error.reason._tag).toBe("AppendConditionFailed")
    }).pipe(Effect.provide(Live))
  )

  it.live("never decides over half of what happened, in memory", () => races.pipe(Effect.provide(Live)))
})

layer(freshStore, { excludeTestServices: true })("BoundaryRepository on Postgres", (it) => {
  it.effect("never decides over half of what happened", () => races, 30_000)
})

it("refuses names that no category can have", () => {
  for (const name of ["", "a-b"])
    expect(() => Boundary.make(name, { events: [Opened], initial })).toThrow(/boundary name/)
})
