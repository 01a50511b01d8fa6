/**
 * A hot standby of a throwaway server, which streams from it.
 *
 * The programs that come with the package have no `pg_basebackup`, so the copy is made by the server's own functions for
 * backups.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as path from "node:path"
import * as proc from "./proc.ts"
import type { Server } from "./servers.ts"

export interface Standby {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Copies a running server's data, and follows it; `settings` are the standby's. */
export const standby = async (primary: Server, settings: Readonly<Record<string, string>> = {}): Promise<Standby> => {
  const owner = proc.unprivileged()
  const folder = proc.temporaryFolder("standby", owner)
  const data = path.join(folder, "data")
  const port = await proc.freePort()
  const own: Record<string, string> = {
    // At least the primary's, or it does not start.
    max_connections: "200",
    max_prepared_transactions: "20",
    fsync: "off",
    hot_standby: "on",
    unix_socket_directories: "",
    primary_conninfo: `host=127.0.0.1 port=${new URL(primary.url).port} user=postgres`,
    ...settings
  }
  try {
    await copy(primary, data)
    if (owner !== undefined) {
      for (const entry of ["", ...fs.readdirSync(data, { recursive: true, encoding: "utf8" })]) {
        fs.lchownSync(path.join(data, entry), owner.uid, owner.gid)
      }
    }
    const running = await proc.start({
      command: path.join(primary.programs, "postgres"),
      args: ["-D", data, "-h", "127.0.0.1", "-p", String(port)].concat(
        Object.entries(own).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      ),
      folder,
      owner,
      signal: "SIGINT",
      ready: /ready to accept read-only connections/
    })
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, stop: running.stop }
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

const copy = (primary: Server, data: string): Promise<void> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url: Redacted.make(primary.url) })
    // As text: the driver reads types it does not know, such as pg_lsn, as UTF-8.
    yield* connection.query("select pg_backup_start('standby', true)::text")
    // Files that go while they are copied are made again from the log.
    fs.cpSync(primary.data, data, {
      recursive: true,
      filter: (file) => !/postmaster\.(pid|opts)$|pg_replslot\/|pg_internal\.init|pgsql_tmp/.test(file)
    })
    const { rows } = yield* connection.query("select labelfile from pg_backup_stop(false)")
    fs.writeFileSync(path.join(data, "backup_label"), String(rows[0]?.["labelfile"]))
    fs.writeFileSync(path.join(data, "standby.signal"), "")
    fs.chmodSync(data, 0o700)
  }).pipe(Effect.scoped, Effect.runPromise)
