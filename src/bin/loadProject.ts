/** The user's configuration file: found, run, and checked. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as fs from "node:fs"
import * as path from "node:path"
import * as url from "node:url"
import * as CommandError from "../interfaces/cli/CommandError.ts"
import * as Project from "../interfaces/cli/Project.ts"

const names = ["ts", "mts", "js", "mjs"].map((extension) => `effect-cqrs.config.${extension}`)

const example = `
  import { defineConfig } from "effect-cqrs/cli"
  import { OrderPlaced } from "./src/events.ts"

  export default defineConfig({ events: [OrderPlaced] })
`

/** The project described by a file, or by the first in the working directory that has one of the usual names. */
export const loadProject = Effect.fnUntraced(function* (given: Option.Option<string>) {
  const folder = process.cwd()
  const named = Option.getOrUndefined(given)
  const file = named ?? names.find((name) => fs.existsSync(path.join(folder, name)))
  if (file === undefined) {
    return yield* CommandError.unable(`There is no ${names[0]} in ${folder}. It says what to look at:\n${example}`)
  }
  const full = path.resolve(folder, file)
  if (!fs.existsSync(full)) return yield* CommandError.unable(`There is no ${full}`)
  const loaded: unknown = yield* Effect.tryPromise({
    try: () => import(url.pathToFileURL(full).href),
    catch: (cause) => CommandError.unable(`Cannot load ${full}: ${reason(cause)}`)
  })
  const exported = typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined
  return yield* Effect.fromResult(
    Result.mapError(Project.fromUnknown(exported, path.dirname(full)), (problem) =>
      CommandError.unable(`${full} ${problem}`)
    )
  )
})

const reason = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  if ("code" in cause && cause.code === "ERR_UNKNOWN_FILE_EXTENSION") {
    return `Node ${process.version} does not run it. Use Node 22.19 or later, or write it in JavaScript (.mjs)`
  }
  // Where in the user's code it went wrong, without the way there.
  return (cause.stack ?? cause.message).replace(/\n *at .*(node:internal|effect-cqrs\/(src|dist)\/bin).*/g, "")
}
