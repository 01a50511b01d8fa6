/**
 * What the tree of `src` says of the package: which modules it exports, and under which names.
 */
import * as fs from "node:fs"
import * as path from "node:path"

/** The repository, or a copy of it. */
export const root: string = path.dirname(import.meta.dirname)

/** The sources below `src`, as sorted paths relative to it. */
export const sources = (repository: string = root): ReadonlyArray<string> =>
  fs
    .globSync("**/*.ts", { cwd: path.join(repository, "src") })
    .map((file) => file.replaceAll(path.sep, "/"))
    .sort()

/**
 * The subpath that exports a source file, `undefined` for a private one.
 *
 * A library module goes by its own name whatever its stratum. A technology goes by the name of its folder, and a file
 * beside its index that is named in lower case is a further entry, for what needs one more driver.
 */
export const subpath = (source: string): string | undefined => {
  const [stratum = "", ...rest] = source.replace(/\.ts$/, "").split("/")
  const [first, second] = rest
  if (rest.length === 0) return stratum === "index" ? "." : undefined
  if (rest.includes("internal")) return undefined
  switch (stratum) {
    case "domain":
    case "ports":
    case "middleware":
    case "application":
      return rest.length === 1 ? `./${first}` : undefined
    case "testing":
      return rest.length === 1 && first === "index" ? "./testing" : undefined
    case "adapters":
    case "interfaces":
      if (rest.length !== 2) return undefined
      if (second === "index") return `./${first}`
      return /^[a-z]/.test(second ?? "") ? `./${first}/${second}` : undefined
    default:
      return undefined
  }
}

/** Subpath to source for all that is exported; two sources of one name are an error. */
export const entries = (files: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  for (const file of files) {
    const name = subpath(file)
    if (name === undefined) continue
    const other = found.get(name)
    if (other !== undefined) throw new Error(`${other} and ${file} would both be exported as ${name}`)
    found.set(name, file)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export type Target = string | { readonly types: string; readonly default: string }

/** The `exports` of package.json for these sources. */
/** Under this condition the package's names lead to its source: for the checks, tests and examples of this repository. */
export const sourceCondition = "effect-cqrs-src"

export const exportsOf = (files: ReadonlyArray<string>): Record<string, Target> => ({
  "./package.json": "./package.json",
  ...Object.fromEntries(
    [...entries(files)].map(([name, file]) => {
      const target = `./dist/${file.replace(/\.ts$/, "")}`
      return [name, { [sourceCondition]: `./src/${file}`, types: `${target}.d.ts`, default: `${target}.js` }]
    })
  )
})

export interface PackageJson {
  readonly name: string
  readonly exports: Record<string, Target>
  readonly bin: Record<string, string>
  readonly files: ReadonlyArray<string>
  readonly peerDependencies: Record<string, string>
}

export const packageJson = (repository: string = root): PackageJson =>
  JSON.parse(fs.readFileSync(path.join(repository, "package.json"), "utf8"))
