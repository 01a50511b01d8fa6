// A decision over facts of several streams: a course has so many seats, and a student a limit too.
import { Effect, Layer, Result, Schema } from "effect"
import { Boundary, BoundaryRepository, Command, CommandBus, Event, Memory, on, TenantContext } from "effect-cqrs"

// Events say by tags what they are about.
class CourseOpened extends Event.Class<CourseOpened>()(
  "CourseOpened",
  { course: Schema.String, seats: Schema.Int },
  { tags: ({ course }) => [`course:${course}`] }
) {}
class Enrolled extends Event.Class<Enrolled>()(
  "Enrolled",
  { course: Schema.String, student: Schema.String },
  { tags: ({ course, student }) => [`course:${course}`, `student:${student}`] }
) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

class OpenCourse extends Command.Class<OpenCourse>()("OpenCourse", {
  payload: { course: Schema.String, seats: Schema.Int }
}) {}
class Enrol extends Command.Class<Enrol>()("Enrol", {
  payload: { course: Schema.String, student: Schema.String },
  error: Refused
}) {}

// What is decided over: the seats of the courses, and who sits where.
interface State {
  readonly seats: number
  readonly enrolled: ReadonlyArray<{ readonly course: string; readonly student: string }>
}
const initial: State = { seats: 0, enrolled: [] }
const Enrolment = Boundary.make("Enrolment", { events: [CourseOpened, Enrolled], initial }).evolve({
  CourseOpened: (state, { seats }) => ({ ...state, seats }),
  Enrolled: (state, { course, student }) => ({ ...state, enrolled: [...state.enrolled, { course, student }] })
})

const enrol = ({ course, student }: Enrol, { enrolled, seats }: State) => {
  if (enrolled.filter((one) => one.course === course).length >= seats) return Result.fail(new Refused({ why: "full" }))
  const courses = enrolled.filter((one) => one.student === student).length
  return courses >= 2
    ? Result.fail(new Refused({ why: "too many courses" }))
    : Result.succeed([new Enrolled({ course, student })])
}

// Read by tags, decide, and append only if nothing else has happened to this course or this student.
const Handlers = CommandBus.handlers(
  on(OpenCourse, ({ course, seats }) =>
    BoundaryRepository.execute(Enrolment, [`course:${course}`], undefined, () =>
      Result.succeed([new CourseOpened({ course, seats })])
    )
  ),
  on(Enrol, (command) =>
    BoundaryRepository.execute(Enrolment, [`course:${command.course}`, `student:${command.student}`], command, enrol)
  )
)

const program = Effect.gen(function* () {
  for (const course of ["art", "law", "tax"]) yield* CommandBus.execute(new OpenCourse({ course, seats: 3 }))
  // Ten students race for the three seats of one course.
  const race = Array.from({ length: 10 }, (_, n) => CommandBus.execute(new Enrol({ course: "art", student: `s${n}` })))
  const outcomes = yield* Effect.all(race.map(Effect.result), { concurrency: "unbounded" })
  console.log("seats taken:", outcomes.filter(Result.isSuccess).length)
  // One student races for three courses.
  const greedy = ["law", "tax", "art"].map((course) => CommandBus.execute(new Enrol({ course, student: "greedy" })))
  const courses = yield* Effect.all(greedy.map(Effect.result), { concurrency: "unbounded" })
  console.log("courses of one student:", courses.filter(Result.isSuccess).length)
})

const layer = Handlers.pipe(Layer.provideMerge(Memory.layer), Layer.merge(TenantContext.layerSingle))
await Effect.runPromise(program.pipe(Effect.provide(layer)))

// prints:
// seats taken: 3
// courses of one student: 2
