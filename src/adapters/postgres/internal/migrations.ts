/**
 * The migrations of the schema `es`, oldest first. One that was released is never edited: a change is a new one.
 */
import { appending } from "./schema/appending.ts"
import { highWater } from "./schema/highWater.ts"
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
  { id: 3, name: "high_water", statements: highWater }
]
