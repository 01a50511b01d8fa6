/**
 * The migrations of the schema `es`, oldest first. One that was released is never edited: a change is a new one.
 */
import { appending } from "./schema/appending.ts"
import { consumers } from "./schema/consumers.ts"
import { flows } from "./schema/flows.ts"
import { grouping } from "./schema/grouping.ts"
import { highWater } from "./schema/highWater.ts"
import { inbox } from "./schema/inbox.ts"
import { locks } from "./schema/locks.ts"
import { outbox } from "./schema/outbox.ts"
import { partitions } from "./schema/partitions.ts"
import { projections } from "./schema/projections.ts"
import { snapshots } from "./schema/snapshots.ts"
import { importing } from "./schema/importing.ts"
import { streams } from "./schema/streams.ts"
import { tables } from "./schema/tables.ts"

/** Statements that run in one transaction, in order. */
export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

/** All migrations, numbered from 1 without holes. */
export const migrations: ReadonlyArray<Migration> = [
  { id: 1, name: "tables", statements: tables },
  { id: 2, name: "appending", statements: appending },
  { id: 3, name: "grouping", statements: grouping },
  { id: 4, name: "high_water", statements: highWater },
  { id: 5, name: "consumers", statements: consumers },
  { id: 6, name: "projections", statements: projections },
  { id: 7, name: "snapshots", statements: snapshots },
  { id: 8, name: "streams", statements: streams },
  { id: 9, name: "importing", statements: importing },
  { id: 10, name: "outbox", statements: [...partitions, ...outbox] },
  { id: 11, name: "inbox", statements: inbox },
  { id: 12, name: "flows", statements: flows },
  { id: 13, name: "locks", statements: locks }
]
