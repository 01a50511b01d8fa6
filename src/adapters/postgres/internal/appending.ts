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
import { arrayLiteral, tagsOf, typesOf } from "./criteria.ts"

/** What became of one append: what it wrote, or how the stream stands and which event was not expected. */
export interface Outcome {
  readonly written: boolean
  readonly version: number
  readonly position: number | null
  readonly deleted: boolean
  readonly failed: number | null
  /** Whether it was written before, under its id. */
  readonly repeated: boolean
}

/** One outcome of several; `append` counts from 1. */
export interface NumberedOutcome extends Outcome {
  readonly append: number
}

const outcome =
  "written, version::float8 as version, last_position::float8 as position, deleted, failed::float8 as failed, repeated"

const oneText = `select ${outcome} from es.append($1::text, $2::text, $3::int8, $4::text[], $5::text[], $6::int4[], $7::text[], $8::text[], $9::text[], $10::text, $11::int8, $12::text, $13::text[], $14::text[])`

const manyText = (name: "append_all" | "append_each") =>
  `select append, ${outcome} from es.${name}($1::text, $2::text[], $3::int8[], $4::int4[], $5::int4[], $6::int4[], $7::text[], $8::text[], $9::int4[], $10::text[], $11::text[], $12::text[], $13::text[], $14::int8[], $15::text[], $16::int4[], $17::text[], $18::text[], $19::int4)`

const allText = manyText("append_all")
const eachText = manyText("append_each")

const tombstoneText = `select written, version::float8 as version, null as position, deleted, null as failed, false as repeated from es.tombstone($1::text, $2::text, $3::int8)`

/** Appends to one stream, in one statement that needs no transaction around it. */
export const one = (sql: SqlClient.SqlClient, tenant: TenantId, append: PreparedAppend): Statement<Outcome> =>
  sql.unsafe(oneText, [
    tenant,
    append.stream,
    PgTypes.int8(encodeExpected(append.expected)),
    ...columnsOf(append.events),
    append.id ?? null,
    ...conditionOf(append)
  ])

/** Appends to several streams, all of them or none. */
export const all = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  appends: ReadonlyArray<PreparedAppend>
): Statement<NumberedOutcome> => sql.unsafe(allText, parametersOf(tenant, appends, null))

/** Appends to several streams, each for itself; who waits longer than `patience` milliseconds for a lock fails all. */
export const each = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  appends: ReadonlyArray<PreparedAppend>,
  patience: number | null
): Statement<NumberedOutcome> => sql.unsafe(eachText, parametersOf(tenant, appends, patience))

export const tombstone = (
  sql: SqlClient.SqlClient,
  tenant: TenantId,
  stream: StreamName,
  expected: ExpectedVersion
): Statement<Outcome> => sql.unsafe(tombstoneText, [tenant, stream, PgTypes.int8(encodeExpected(expected))])

const parametersOf = (
  tenant: TenantId,
  appends: ReadonlyArray<PreparedAppend>,
  patience: number | null
): ReadonlyArray<unknown> => {
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
  return [
    tenant,
    appends.map(({ stream }) => stream),
    appends.map(({ expected }) => encodeExpected(expected)),
    appends.map((append) => append.events.length),
    owners,
    numbers,
    ...columnsOf(events),
    appends.some(({ id }) => id !== undefined) ? appends.map(({ id }) => id ?? null) : null,
    ...conditionsOf(appends),
    patience
  ]
}

const none = [null, null, null, null] as const

/** Position and criteria of one condition: nothing at all where there is none, no text for any type. */
const conditionOf = ({ condition }: PreparedAppend): ReadonlyArray<unknown> => {
  if (condition === undefined) return none
  const { after, except, query } = condition
  return [PgTypes.int8(BigInt(after)), exceptOf(except), query.map(typesOf), query.map(tagsOf)]
}

/** The same of all conditions of several appends. */
const conditionsOf = (appends: ReadonlyArray<PreparedAppend>): ReadonlyArray<unknown> => {
  if (appends.every(({ condition }) => condition === undefined)) return [null, ...none]
  const items = appends.flatMap(({ condition }, index) =>
    (condition?.query ?? []).map((criterion) => ({ owner: index + 1, criterion }))
  )
  return [
    appends.map(({ condition }) => BigInt(condition?.after ?? 0)),
    appends.map(({ condition }) => exceptOf(condition?.except)),
    items.map(({ owner }) => owner),
    items.map(({ criterion }) => typesOf(criterion)),
    items.map(({ criterion }) => tagsOf(criterion))
  ]
}

const exceptOf = (positions: ReadonlyArray<number> = []): string => `{${positions.join()}}`

export const encodeExpected = (expected: ExpectedVersion): bigint => {
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
