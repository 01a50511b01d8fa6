/**
 * Keeps a data folder to one database at a time.
 *
 * The lock belongs to the operating system and ends with its process, however that ends: nothing is left behind that
 * somebody would have to judge as stale, so there is no race to take it over, and a process that got the number of a dead
 * one is no danger. SQLite is how Node reaches such a lock on every system: the file it locks has no content.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as timers from "node:timers/promises"
import { Locked, PgliteError, startFailed } from "../PgliteError.ts"

/** Locks a folder for as long as the scope is open. */
export const acquire = Effect.fnUntraced(function* (folder: string): Effect.fn.Return<void, PgliteError, Scope.Scope> {
  const failed = (cause: unknown) => startFailed({ folder, cause, detail: "the folder cannot be locked" })
  // Imported late, because some releases of Node warn of it.
  const { DatabaseSync } = yield* Effect.tryPromise({ try: () => import("node:sqlite"), catch: failed })
  const take = Effect.try({
    try: () => {
      const file = new DatabaseSync(path.join(folder, "lock"))
      try {
        file.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE")
        return file
      } catch (cause) {
        file.close()
        if (isBusy(cause)) return undefined
        throw cause
      }
    },
    catch: failed
  })
  const file = yield* Effect.acquireRelease(take, (file) => Effect.sync(() => file?.close()))
  if (file === undefined) {
    const pid = yield* Effect.promise(() => holder(folder))
    return yield* new PgliteError({ reason: new Locked({ folder, pid }) })
  }
  yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => sign(folder), catch: failed }),
    // The lock is what counts: a name that stays behind misleads nobody once the lock is free.
    () => Effect.promise(() => fs.rm(nameFile(folder), { force: true }).catch(() => undefined))
  )
})

/** `SQLITE_BUSY` in one of its variants. */
const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && "errcode" in cause && typeof cause.errcode === "number" && (cause.errcode & 0xff) === 5

/** Where the holder of the lock says who it is, for others to read. */
const nameFile = (folder: string): string => path.join(folder, "lock.pid")

const sign = async (folder: string): Promise<void> => {
  const draft = `${nameFile(folder)}.new`
  await fs.writeFile(draft, `${process.pid}\n`)
  await fs.rename(draft, nameFile(folder))
}

/** The process that holds the lock. Whoever just took it may not have signed yet, so a dead name is read again. */
const holder = async (folder: string): Promise<number | undefined> => {
  let pid: number | undefined
  for (let attempt = 0; attempt < 20; attempt++) {
    pid = Number.parseInt(await fs.readFile(nameFile(folder), "utf8").catch(() => ""), 10) || undefined
    if (pid !== undefined && isAlive(pid)) return pid
    await timers.setTimeout(10)
  }
  return pid
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    // A process of somebody else may not be signalled, but it is there.
    return cause instanceof Error && "code" in cause && cause.code === "EPERM"
  }
}
