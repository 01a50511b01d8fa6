/**
 * The event store on PostgreSQL, beside what does the same on the same server. Each contender has a database of its own, and a
 * pool of ten connections; every commit is flushed.
 */
import type { Suite } from "../harness.ts"
import appending from "./store/appending.ts"
import conditional from "./store/conditional.ts"
import importing from "./store/importing.ts"
import readable from "./store/readable.ts"
import reading from "./store/reading.ts"

export const needsDatabase = true

// So that all of them take less than four minutes on two cores.
export const seconds = 0.2

const suite: Suite = [...appending, ...conditional, ...importing, ...reading, ...readable]

export default suite
