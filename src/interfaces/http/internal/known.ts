/** Which paths a server has, and by which methods. */
import * as Context from "effect/Context"
import type { Path } from "../Endpoint.ts"

/** A path with the methods that it is served by. */
export interface Known {
  readonly pattern: RegExp
  readonly method: string
}

/** The paths of the server that is being built; absent where nobody asks. */
export const KnownPaths: Context.Reference<Array<Known> | undefined> = Context.Reference<Array<Known> | undefined>(
  "effect-cqrs/interfaces/http/KnownPaths",
  { defaultValue: () => undefined }
)

export const known = (method: string, path: Path): Known => {
  const parts = path.split(/(:[A-Za-z_$][\w$]*)/)
  const text = parts.map((part) => (part.startsWith(":") ? "[^/]+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
  return { method, pattern: new RegExp(`^${text.join("")}/?$`) }
}

export const methodsOf =
  (all: ReadonlyArray<Known>) =>
  (path: string): ReadonlyArray<string> =>
    Array.from(new Set(all.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)))
