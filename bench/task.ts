/**
 * The same work for all contenders.
 */
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"

/** What an event carries. */
export const fields = { taskId: Schema.String, title: Schema.String }

/** Events in a stream that is long, and in one that is short. */
export const long = 1000
export const short = 10

/** Connections of everybody's pool: what all of them have by default. */
export const connections = 10

/** Streams to read, all as long as the row says. */
export const streams = 20

/** Events in a log to catch up with, and in one of its pages. */
export const log = 20_000
export const page = 500

/** Where one worker appends: so many events to a stream, and then to a new one. */
export const walk = (worker: number, length = short) => {
  let n = 0
  return () => {
    const version = n % length
    return { id: `${worker}-${(n++ - version) / length}`, version }
  }
}

class Payload extends Schema.Class<Payload>("Payload")(fields) {}

const codec = Schema.toCodecJson(Payload)
const encodeFields = Schema.encodeUnknownSync(codec)
const decodeFields = Schema.decodeUnknownSync(codec)

/** For stores that keep the objects they are given: what a database would keep, checked on its way in and out. */
export const encode = (taskId: string): string => JSON.stringify(encodeFields(new Payload({ taskId, title: "Write" })))
export const decodeObject = decodeFields
export const decode = (text: string): Payload => decodeFields(JSON.parse(text))

/** Events of an import. */
export const imports = 10_000

/** The events of one import, of a hundred streams side by side, as they were recorded elsewhere. */
export const imported = (round: number) =>
  Array.from({ length: imports }, (_, n) => ({
    tenant: "default",
    stream: `Task-import-${round}-${n % 100}`,
    version: Math.floor(n / 100) + 1,
    id: randomUUID(),
    type: "TaskCreated",
    schemaVersion: 1,
    tags: [],
    metadata: { correlationId: randomUUID(), occurredAt: 1_795_000_000_000 + n },
    recordedAt: 1_795_000_000_000 + n,
    data: { taskId: `t-${n}`, title: "Write" }
  }))

/** Answers that caches keep: as many as they all have room for by default. */
export const answers = 1000
export const answer = (n: number): { readonly taskId: string; readonly title: string; readonly done: boolean } => ({
  taskId: `t-${n}`,
  title: "Write",
  done: n % 2 === 0
})
export type Answer = ReturnType<typeof answer>

/** What makes an answer wrong: as many tags for everybody who has tags. */
export const tagsOf = (taskId: string): Array<string> => ["query:FindTask", `task:${taskId}`]

/** How long the work takes that many miss at the same time, in milliseconds, and how many they are. */
export const making = 20
export const missing = 1000
