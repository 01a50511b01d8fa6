/**
 * PgBouncer in transaction mode before a throwaway server, where this machine has it: `apt-get install pgbouncer`, or
 * `PGBOUNCER` with the path of the program.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as proc from "./proc.ts"

/** The program, or undefined where there is none. */
export const program = (): string | undefined => process.env["PGBOUNCER"] ?? proc.which("pgbouncer")

export interface Pooler {
  /** The URL of the same database through the pooler. */
  readonly through: (url: string) => string
  readonly stop: () => Promise<void>
}

/** Pools the sessions of a server: each database has at most `sessions`, and whoever has no transaction open has none. */
export const pgbouncer = async (command: string, server: string, sessions = 8): Promise<Pooler> => {
  const owner = proc.unprivileged()
  const folder = proc.temporaryFolder("pgbouncer", owner)
  const port = await proc.freePort()
  const file = path.join(folder, "pgbouncer.ini")
  fs.writeFileSync(
    file,
    [
      "[databases]",
      `* = host=127.0.0.1 port=${new URL(server).port} user=postgres`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = any",
      "pool_mode = transaction",
      "max_client_conn = 200",
      `default_pool_size = ${sessions}`,
      "server_idle_timeout = 5"
    ].join("\n")
  )
  const running = await proc.start({ command, args: [file], folder, owner, signal: "SIGINT", ready: /process up/ })
  return {
    through: (url) => {
      const pooled = new URL(url)
      pooled.port = String(port)
      return pooled.href
    },
    stop: running.stop
  }
}
