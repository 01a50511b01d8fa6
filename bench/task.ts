/**
 * The same work for all contenders.
 */
import * as Schema from "effect/Schema"

/** What an event carries. */
export const fields = { taskId: Schema.String, title: Schema.String }

/** Events in a stream that is long, and in one that is short. */
export const long = 1000
export const short = 10

class Payload extends Schema.Class<Payload>("Payload")(fields) {}

const codec = Schema.toCodecJson(Payload)
const encodeFields = Schema.encodeUnknownSync(codec)
const decodeFields = Schema.decodeUnknownSync(codec)

/** For stores that keep the objects they are given: what a database would keep, checked on its way in and out. */
export const encode = (taskId: string): string => JSON.stringify(encodeFields(new Payload({ taskId, title: "Write" })))
export const decode = (text: string): Payload => decodeFields(JSON.parse(text))
