/**
 * The same work for all contenders.
 */
import * as Schema from "effect/Schema"

/** What an event carries. */
export const fields = { taskId: Schema.String, title: Schema.String }

/** Events in a stream that is long, and in one that is short. */
export const long = 1000
export const short = 10

/** Decodes what was stored, for stores that leave this to their users. */
export const decode = Schema.decodeUnknownSync(Schema.toCodecJson(Schema.Struct(fields)))
