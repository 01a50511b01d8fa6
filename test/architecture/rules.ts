/**
 * The architecture as checks: each takes the tree of sources and answers with what is wrong in it.
 */
import * as path from "node:path/posix"
import { exportsOf, type PackageJson, subpath } from "../../scripts/tree.ts"
import type { Import, Source } from "./source.ts"

export interface Tree {
  readonly sources: ReadonlyArray<Source>
  readonly packageJson: Pick<PackageJson, "exports" | "peerDependencies">
}

export type Rule = (tree: Tree) => ReadonlyArray<string>

/** The modules of Effect that only compute. */
const pure = new Set(
  [
    "Array BigDecimal BigInt Boolean Brand ByteSize Bytes Chunk Combiner Cron Data DateTime Differ Duration Equal",
    "Equivalence Filter Formatter Function Graph HKT Hash HashMap HashRing HashSet Inspectable Iterable JsonPatch",
    "JsonPointer JsonSchema Match Newtype NonEmptyIterable Number Optic Option Order Ordering Pipeable Predicate",
    "PrimaryKey Record Redactable Redacted Reducer RegExp Result Schema SchemaAST SchemaGetter SchemaIssue SchemaParser",
    "SchemaRepresentation SchemaTransformation SemVer SemVerRange StandardSchema String Struct Symbol TextDiff Trie Tuple",
    "Types UndefinedOr Unify Utils encoding/Base64 encoding/Base64Url encoding/Hex"
  ].flatMap((line) => line.split(" "))
)

interface Stratum {
  /** The other strata it may import. */
  readonly below: ReadonlyArray<string>
  /** Whether it may import a module of Effect, named like `Schema` or `sql/SqlClient`. */
  readonly effect: (module: string, typeOnly: boolean, folder: string) => boolean
  /** Whether it may import Node's modules and the package's optional peers. */
  readonly drivers: boolean
  /** Whether each of its folders stands alone. */
  readonly folders: boolean
}

const groups =
  (...allowed: ReadonlyArray<string>) =>
  (module: string) =>
    !module.includes("/") || allowed.includes(path.dirname(module))

const core = ["crypto", "encoding"]
const library = ["domain", "ports", "middleware", "application"]

const strata: Record<string, Stratum> = {
  domain: {
    below: [],
    effect: (module, typeOnly) => pure.has(module) || (typeOnly && module === "Effect"),
    drivers: false,
    folders: false
  },
  ports: { below: ["domain"], effect: groups(...core), drivers: false, folders: false },
  middleware: {
    below: ["domain", "ports"],
    effect: groups(...core, "persistence"),
    drivers: false,
    folders: false
  },
  application: {
    below: ["domain", "ports", "middleware"],
    effect: groups(...core, "net", "persistence", "workflow"),
    drivers: false,
    folders: false
  },
  adapters: {
    below: ["domain", "ports"],
    effect: (module) => !/^(cluster|http-api|rpc|testing|workflow)\//.test(module),
    drivers: true,
    folders: true
  },
  interfaces: {
    below: library,
    effect: (module, _, folder) =>
      !module.startsWith("testing/") && (!module.startsWith("cluster/") || folder === "interfaces/cluster"),
    drivers: true,
    folders: true
  },
  testing: {
    below: ["domain", "ports", "application"],
    effect: groups(...core, "testing"),
    drivers: false,
    folders: false
  },
  bin: { below: [...library, "adapters", "interfaces", "testing"], effect: () => true, drivers: true, folders: false },
  // The root's own index is a stratum of one file.
  index: { below: library, effect: () => false, drivers: false, folders: false }
}

const stratumOf = (file: string) => file.split("/")[0]?.replace(/\.ts$/, "") ?? ""
const folderOf = (file: string) => file.split("/").slice(0, 2).join("/")
const packageOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier

const mayImport = (tree: Tree, file: string, { specifier, target, typeOnly }: Import): boolean => {
  const name = stratumOf(file)
  const stratum = strata[name]
  if (stratum === undefined) return false
  if (target !== undefined) {
    if (target.startsWith("..")) return false
    if (stratumOf(target) !== name) return stratum.below.includes(stratumOf(target))
    if (!stratum.folders || folderOf(target) === folderOf(file)) return true
    // An entry named for another adapter is where the two are composed.
    return path.basename(file, ".ts") === path.basename(folderOf(target))
  }
  if (packageOf(specifier) === "effect") {
    return stratum.effect(specifier.slice("effect/".length), typeOnly, folderOf(file))
  }
  return stratum.drivers && (specifier.startsWith("node:") || packageOf(specifier) in tree.packageJson.peerDependencies)
}

const importRule =
  (isWrong: (tree: Tree, source: Source, entry: Import) => boolean, say: (entry: Import) => string): Rule =>
  (tree) =>
    tree.sources.flatMap((source) =>
      source.imports
        .filter((entry) => isWrong(tree, source, entry))
        .map((entry) => `src/${source.file}:${entry.line}: ${say(entry)}`)
    )

/** A path says what a file may import. */
const folders: Rule = importRule(
  (tree, { file }, entry) => !mayImport(tree, file, entry),
  ({ specifier, typeOnly }) => `may not import ${typeOnly ? "even types of " : ""}${specifier}`
)

/** Modules are imported one by one. */
const barrels: Rule = importRule(
  (_, __, { specifier }) =>
    /(^|\/)index\.[jt]s$/.test(specifier) ||
    /^(effect|@effect\/[^/]+)(\/[a-z][^/]*)?$/.test(specifier) ||
    packageOf(specifier) === "effect-cqrs",
  ({ specifier }) => `imports the barrel ${specifier}`
)

/** No file depends on itself, types included. */
const cycles: Rule = ({ sources }) => {
  const targets = new Map(
    sources.map(({ file, imports }) => [file, new Set(imports.flatMap(({ target }) => target ?? []))])
  )
  const done = new Set<string>()
  const found: Array<string> = []
  const visit = (file: string, trail: ReadonlyArray<string>) => {
    const at = trail.indexOf(file)
    if (at >= 0) found.push(`src: import cycle ${[...trail.slice(at), file].join(" -> ")}`)
    if (at >= 0 || done.has(file)) return
    for (const target of targets.get(file) ?? []) visit(target, [...trail, file])
    done.add(file)
  }
  for (const { file } of sources) visit(file, [])
  return found
}

/** Every module can be reached by users, through the index of its folder or by a subpath of its own. */
const exported: Rule = ({ packageJson, sources }) => {
  const indexes = new Map(
    sources.filter(({ file }) => path.basename(file) === "index.ts").map((index) => [index.file, index.namespaces])
  )
  const hidden = sources.flatMap(({ file }) => {
    if (file.includes("/internal/") || stratumOf(file) === "bin" || indexes.has(file)) return []
    const index = library.includes(stratumOf(file)) ? "index.ts" : `${path.dirname(file)}/index.ts`
    if (indexes.get(index)?.includes(file) || (index !== "index.ts" && subpath(file) !== undefined)) return []
    return [`src/${file}: is not exported by src/${index}`]
  })
  const expected = JSON.stringify(exportsOf(sources.map(({ file }) => file)))
  const stale = JSON.stringify(packageJson.exports) !== expected
  return stale ? [...hidden, "package.json: exports are stale, run node scripts/exports.ts"] : hidden
}

/** Time, chance and keys are given, not taken; types are not escaped. */
const constructs: Rule = ({ sources }) =>
  sources.flatMap(({ banned, file }) => banned.map(({ line, what }) => `src/${file}:${line}: uses ${what}`))

/** A file holds one concept. */
const lengths: Rule = ({ sources }) =>
  sources
    .filter(({ lineCount }) => lineCount > 400)
    .map(({ file, lineCount }) => `src/${file}: has ${lineCount} lines; past 400 it is two concepts`)

export const rules = { folders, barrels, cycles, exported, constructs, lengths } satisfies Record<string, Rule>
