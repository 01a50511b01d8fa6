/**
 * Starts PGlite in memory or on a folder, from a seed where there is one.
 *
 * A data folder holds `pgdata`, the database's own files; `lock`; and `creating` while `pgdata` is being filled for the
 * first time, so that what a process left half made is not taken for a database. They are side by side so that a dump or a
 * copy of `pgdata` carries no lock.
 */
import type * as Pglite from "@electric-sql/pglite"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { Missing, PgliteError, startFailed } from "../PgliteError.ts"
import * as folderLock from "./folderLock.ts"
import * as seeds from "./seed.ts"
import type { Backend } from "./session.ts"

export interface Options {
  readonly dataDir?: string | undefined
  readonly seed?: boolean | undefined
  readonly extensions?: Pglite.Extensions | undefined
}

interface Started extends Backend {
  readonly pglite: Pglite.PGlite
}

/** Opens a database until the scope closes. */
export const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Started, PgliteError, Scope.Scope> {
  const pglite = yield* load
  const { extensions = {} } = options
  const version = options.seed === false ? undefined : installedVersion()

  if (options.dataDir === undefined) {
    return yield* create((loadDataDir) => start(pglite, undefined, { extensions, ...loadDataDir }), version)
  }

  const folder = path.resolve(options.dataDir)
  const files = path.join(folder, "pgdata")
  const creating = path.join(folder, "creating")
  const disk = <A>(f: () => A) => Effect.try({ try: f, catch: (cause) => startFailed({ folder, cause }) })
  const clear = () => {
    fs.rmSync(files, { recursive: true, force: true })
    fs.mkdirSync(files, { mode: 0o700 })
  }

  yield* disk(() => fs.mkdirSync(folder, { recursive: true }))
  yield* folderLock.acquire(folder)
  if (fs.existsSync(path.join(folder, "PG_VERSION"))) {
    const detail = `it holds the files of a database itself; move them to ${files}`
    return yield* startFailed({ folder, cause: undefined, detail })
  }
  const found = yield* disk(() => (fs.existsSync(files) && !fs.existsSync(creating) ? fs.readdirSync(files) : []))
  if (found.includes("PG_VERSION")) return yield* start(pglite, folder, { extensions, dataDir: files })
  if (found.length > 0) {
    const detail = `${files} is not empty, and not a database`
    return yield* startFailed({ folder, cause: undefined, detail })
  }
  yield* disk(() => fs.writeFileSync(creating, ""))
  const database = yield* create(
    (loadDataDir) => Effect.andThen(disk(clear), start(pglite, folder, { extensions, dataDir: files, ...loadDataDir })),
    version
  )
  yield* disk(() => fs.rmSync(creating))
  return database
})

type Module = typeof Pglite

const load: Effect.Effect<Module, PgliteError> = Effect.tryPromise({
  try: () => import("@electric-sql/pglite"),
  catch: (cause) =>
    isMissing(cause)
      ? new PgliteError({ reason: new Missing({ package: "@electric-sql/pglite" }) })
      : startFailed({ folder: undefined, cause })
})

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error &&
  "code" in cause &&
  cause.code === "ERR_MODULE_NOT_FOUND" &&
  cause.message.includes("'@electric-sql/pglite'")

/** The version of PGlite, which does not tell it. */
const installedVersion = (): string | undefined => {
  try {
    const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite")
    const manifest: unknown = JSON.parse(fs.readFileSync(path.join(entry, "../../package.json"), "utf8"))
    const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest
    return isManifest && typeof manifest.version === "string" ? manifest.version : undefined
  } catch {
    return undefined
  }
}

type Start = (seed: Pick<Pglite.PGliteOptions, "loadDataDir">) => Effect.Effect<Started, PgliteError, Scope.Scope>

/** Starts a new database from the seed of this version, or makes one and keeps it as a seed. */
const create = Effect.fnUntraced(function* (start: Start, version: string | undefined) {
  if (version === undefined) return yield* start({})
  const seed = yield* seeds.read(version)
  if (seed !== undefined) {
    const started = yield* Effect.option(start({ loadDataDir: new Blob([seed]) }))
    if (started._tag === "Some") return started.value
    yield* seeds.remove(version)
  }
  const database = yield* start({})
  yield* Effect.ignore(
    Effect.flatMap(
      Effect.tryPromise(async () => new Uint8Array(await (await database.pglite.dumpDataDir("none")).arrayBuffer())),
      (tarball) => seeds.write(version, tarball)
    )
  )
  return database
})

const start = (
  { PGlite }: Module,
  folder: string | undefined,
  options: Pglite.PGliteOptions
): Effect.Effect<Started, PgliteError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const log: Array<string> = []
      let started: Started | undefined
      const onStderr = (line: string) => {
        if (started === undefined) log.push(line)
        else if (isFatal.test(line)) started.death ??= new Error(`PGlite has ended: ${line}`)
        return false
      }
      return Effect.tryPromise({
        try: () => PGlite.create({ ...options, onStderr }),
        catch: (cause) => startFailed({ folder, cause, detail: complaint(log) })
      }).pipe(Effect.map((pglite): Started => (started = { pglite, death: undefined })))
    }),
    ({ death, pglite }) =>
      Effect.tryPromise(async () => (death === undefined ? pglite.close() : abandon(pglite))).pipe(
        Effect.catch((error) => Effect.logWarning("PGlite did not close cleanly", error.cause))
      )
  )

/** Ends what is left of a dead database: not by closing it, which might write, but so that its timers do not go on. */
const abandon = (pglite: Pglite.PGlite): void => {
  try {
    pglite.Module._emscripten_force_exit(0)
  } catch {
    // This is how it ends.
  }
}

/** What the server itself says about a start that failed. */
const complaint = (log: ReadonlyArray<string>): string | undefined => {
  const said = log.flatMap((line) => /(?:FATAL|PANIC|DETAIL): +(.*)/.exec(line)?.[1] ?? [])
  return said.length === 0 ? undefined : said.join("; ")
}

/** A line of the server's log, from its beginning: statements are logged too, whatever they say. */
const isFatal = /^\S+ \S+ \S+ \[\d+\] (?:FATAL|PANIC): /
