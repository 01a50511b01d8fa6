/**
 * The library's sources with some lines changed.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import type * as FenceModule from "../../../src/adapters/postgres/internal/fence.ts"
import type * as PostgresModule from "../../../src/adapters/postgres/Postgres.ts"
import * as tree from "../../../scripts/tree.ts"
import { changed, type Outdated } from "../patch.ts"
import type { Mutant } from "./mutants.ts"

export interface Library {
  readonly Postgres: typeof PostgresModule
  readonly Fence: typeof FenceModule
}

/** The library as a mutant has it, loaded beside the one that runs here. */
export const load = ({ source }: Mutant): Effect.Effect<Library, Outdated, Scope.Scope> =>
  Effect.gen(function* () {
    if (source === undefined) return yield* modules(path.join(tree.root, "src"))
    // In the repository, where its packages are found.
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(tree.root, ".torture-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const copy = path.join(folder, "src")
    fs.cpSync(path.join(tree.root, "src"), copy, { recursive: true })
    fs.writeFileSync(path.join(copy, source.file), yield* text({ source }))
    return yield* modules(copy)
  })

/** What a mutant makes of its source. */
export const text = ({ source }: Pick<Mutant, "source">): Effect.Effect<string, Outdated> =>
  source === undefined
    ? Effect.succeed("")
    : Effect.reduce(
        source.changes,
        () => fs.readFileSync(path.join(tree.root, "src", source.file), "utf8"),
        (before, change) => changed(source.file, before, change)
      )

const modules = (folder: string): Effect.Effect<Library> =>
  Effect.promise(async () => {
    const load = (file: string) => import(pathToFileURL(path.join(folder, "adapters/postgres", file)).href)
    const Postgres: typeof PostgresModule = await load("Postgres.ts")
    const Fence: typeof FenceModule = await load("internal/fence.ts")
    return { Postgres, Fence }
  })
