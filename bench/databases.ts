/**
 * Databases for suites that need them: on a throwaway server that is as durable as one in production, or on that of
 * `DATABASE_URL`.
 */
import { randomUUID } from "node:crypto"
import pg from "pg"
import * as servers from "../test/services/servers.ts"

export interface Server {
  readonly url: string
  /** In words, with the settings that are not its defaults. */
  readonly description: string
  readonly stop: () => Promise<void>
}

export interface Database {
  readonly url: string
  readonly drop: () => Promise<void>
}

// No checkpoint falls into somebody's round and not into another's; the rest is as the server comes.
const settings = {
  wal_level: "replica",
  shared_buffers: "512MB",
  max_wal_size: "8GB",
  checkpoint_timeout: "1h"
}

const query = async <A extends pg.QueryResultRow>(url: string, text: string): Promise<ReadonlyArray<A>> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<A>(text)).rows
  } finally {
    await client.end()
  }
}

export const server = async (): Promise<Server> => {
  const given = process.env["DATABASE_URL"]
  const { stop, url } =
    given === undefined || given === ""
      ? await servers.postgres({ durable: true, settings })
      : { url: given, stop: () => Promise.resolve() }
  const names = ["server_version", "fsync", "synchronous_commit", ...Object.keys(settings)]
  const rows = await query<{ readonly name: string; readonly value: string }>(
    url,
    `select name, current_setting(name) as value from unnest('{${names.join()}}'::text[]) name`
  )
  const [version, ...others] = rows.map(({ name, value }) => (name === "server_version" ? value : `${name} ${value}`))
  return { url, stop, description: `PostgreSQL ${version}: ${others.join(", ")}` }
}

export const create = async (server: string): Promise<Database> => {
  const name = `bench_${randomUUID().replaceAll("-", "")}`
  await query(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = name
  return { url: url.href, drop: async () => void (await query(server, `drop database ${name} with (force)`)) }
}
