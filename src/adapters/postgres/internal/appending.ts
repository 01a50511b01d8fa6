/**
 * The statements that append.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import type { Metadata } from "../../../domain/Metadata.ts"
import type { StreamName } from "../../../domain/StreamName.ts"
import type { TenantId } from "../../../domain/TenantId.ts"
import type { PreparedAppend, PreparedEvent } from "../../../ports/EventStoreDriver.ts"
import type { ExpectedVersion } from "../../../ports/EventStoreError.ts"

/** What became of one append: what it wrote, or how the stream stands. */
export interface Outcome {
  readonly written: boolean
  readonly version: number
  readonly position: number | null
  readonly deleted: boolean
}

/** One outcome of several; `append` counts from 1. */
export interface NumberedOutcome extends Outcome {
  readonly append: number
}

const outcome = "written, version::float8 as version, last_position::float8 as position, deleted"

const oneText = `select ${outcome} from es.append($1::text, $2::text, $3::int8, $4::text[], $5::text[], $6::int4[], $7::text[], $8::text[], $9::text[])`

const manyText = `select append, ${outcome} from es.append_all($1::bool, $2::text, $3::text[], $4::int8[], $5::int4[], $6::int4[], $7::int4[], $8::text[], $9::text[], $10::int4[], $11::text[], $12::text[], $13::text[])`

const tombstoneText = `select written, version::float8 as version, null as position, deleted from es.tombstone($1::text, $2::text, $3::int8)`

/** Appends to one stream, in one statement that needs no transaction around it. */
export const one = (sql: SqlClient.SqlClient, tenant: TenantId, append: PreparedAppend): Statement<Outcome> => {
  const columns = columnsOf(append.events)
  return sql.unsafe(oneText, [tenant, append.stream, PgTypes.int8(encodeExpected(append.expected)), ...columns])
}

/** Appends to several streams; atomic, all of them or none. */
export const many = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  appends: ReadonlyArray<PreparedAppend>,
  atomic: boolean
): Statement<NumberedOutcome> => {
  const owners: Array<number> = []
  const numbers: Array<number> = []
  const events: Array<PreparedEvent> = []
  for (let index = 0; index < appends.length; index++) {
    let number = 0
    for (const event of appends[index]?.events ?? []) {
      owners.push(index + 1)
      numbers.push(++number)
      events.push(event)
    }
  }
  return sql.unsafe(manyText, [
    atomic,
    tenant,
    appends.map(({ stream }) => stream),
    appends.map(({ expected }) => encodeExpected(expected)),
    appends.map((append) => append.events.length),
    owners,
    numbers,
    ...columnsOf(events)
  ])
}

export const tombstone = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  expected: ExpectedVersion
): Statement<Outcome> => sql.unsafe(tombstoneText, [tenant, stream, PgTypes.int8(encodeExpected(expected))])

const encodeExpected = (expected: ExpectedVersion): bigint => {
  switch (expected) {
    case "any":
      return -1n
    case "none":
      return 0n
    case "exists":
      return -2n
    default:
      return BigInt(expected)
  }
}

/** The events column by column, as arrays of one length. */
const columnsOf = (events: ReadonlyArray<PreparedEvent>): ReadonlyArray<ReadonlyArray<unknown>> => {
  const ids: Array<string> = []
  const types: Array<string> = []
  const versions: Array<number> = []
  const data: Array<string> = []
  const metadata: Array<string> = []
  const tags: Array<string> = []
  let last: Metadata | undefined
  let text = ""
  for (const event of events) {
    ids.push(event.id)
    types.push(event.type)
    versions.push(event.schemaVersion)
    data.push(event.data)
    // The events of one append share their metadata.
    if (event.metadata !== last) text = JSON.stringify((last = event.metadata))
    metadata.push(text)
    tags.push(event.tags.length === 0 ? "{}" : arrayLiteral(event.tags))
  }
  return [ids, types, versions, data, metadata, tags]
}

/** A text array as the one text that an element of another array can be. */
const arrayLiteral = (values: ReadonlyArray<string>): string =>
  `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`
