/**
 * A copy of an empty database, kept in the user's cache folder.
 *
 * Creating a database takes PGlite 1.5 s and more, most of it to fill the system catalogues; unpacking a copy and starting
 * on it takes 0.45 s. A copy fits exactly one version of PGlite, so it is made by the installed one and not shipped: the
 * package with ready-made files lags behind PGlite's releases, and is no faster. Zstd at its lowest level is as fast to
 * start from as the plain 40 MB, at a tenth of their size.
 *
 * A cache may be missing, forbidden or broken at any time; that costs time and is never an error.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as zlib from "node:zlib"

/** The seed for a version of PGlite as a tarball, if there is a sound one. */
export const read = (version: string): Effect.Effect<Uint8Array<ArrayBuffer> | undefined> =>
  inCache((folder) => {
    const tarball = zlib.zstdDecompressSync(fs.readFileSync(path.join(owned(folder), fileName(version))))
    // PGlite would take anything else for a compressed file, and end the process when it is not.
    if (tarball.toString("latin1", 257, 262) !== "ustar") throw new Error("A seed must be a tarball")
    return tarball
  })

/** Keeps a seed for later starts. */
export const write = (version: string, tarball: Uint8Array): Effect.Effect<void> =>
  inCache((folder) => {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const draft = fs.mkdtempSync(path.join(owned(folder), "draft-"))
    try {
      const file = path.join(draft, fileName(version))
      fs.writeFileSync(file, zlib.zstdCompressSync(tarball, { params }))
      // In one step, so that nobody reads half a seed.
      fs.renameSync(file, path.join(folder, fileName(version)))
    } finally {
      fs.rmSync(draft, { recursive: true, force: true })
    }
  })

/** Forgets a seed that proved useless. */
export const remove = (version: string): Effect.Effect<void> =>
  inCache((folder) => fs.rmSync(path.join(owned(folder), fileName(version))))

const params = {
  [zlib.constants.ZSTD_c_compressionLevel]: 1,
  // Without it, a flipped bit would be noticed by the database, much later.
  [zlib.constants.ZSTD_c_checksumFlag]: 1
}

const fileName = (version: string): string => `pglite-${version}.tar.zst`

/** What succeeds in the first folder that can hold the cache, if anything does. */
const inCache = <A>(f: (folder: string) => A): Effect.Effect<A | undefined> =>
  Effect.map(folders, (folders) => {
    for (const folder of folders) {
      try {
        return f(folder)
      } catch {
        // The next folder, or none.
      }
    }
    return undefined
  })

const folders: Effect.Effect<ReadonlyArray<string>> = Effect.gen(function* () {
  const cacheHome = yield* Effect.orElseSucceed(Config.String("XDG_CACHE_HOME"), () => "")
  return [
    path.join(path.isAbsolute(cacheHome) ? cacheHome : path.join(os.homedir(), ".cache"), "effect-cqrs"),
    path.join(os.tmpdir(), `effect-cqrs-${process.getuid?.() ?? ""}`)
  ]
})

/** The folder, if only this user can write to it: others could plant a database in the shared temporary folder. */
const owned = (folder: string): string => {
  const { mode, uid } = fs.lstatSync(folder)
  if (process.getuid === undefined) return folder
  if (uid !== process.getuid() || (mode & 0o022) !== 0) throw new Error(`${folder} is open to others`)
  return folder
}
