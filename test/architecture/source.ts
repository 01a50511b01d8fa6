/**
 * A source file as the rules see it: what it imports and the constructs it uses, with their lines.
 */
import * as path from "node:path/posix"
import { parseSync, Visitor } from "oxc-parser"

export interface Import {
  readonly specifier: string
  /** The source below `src` it leads to; `undefined` for a package. */
  readonly target: string | undefined
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface Source {
  /** Relative to `src`. */
  readonly file: string
  readonly lineCount: number
  readonly imports: ReadonlyArray<Import>
  /** The modules it exports again, whole and under a name. */
  readonly namespaces: ReadonlyArray<string>
  /** The constructs that no source may use. */
  readonly banned: ReadonlyArray<{ readonly what: string; readonly line: number }>
}

const isCrypto = (specifier: string) => /^(node:)?crypto$/.test(specifier)

export const parse = (file: string, text: string): Source => {
  const { comments, errors, module, program } = parseSync(file, text)
  if (errors[0] !== undefined) throw new Error(`${file}: ${errors[0].message}`)
  const imports: Array<Import> = []
  const namespaces: Array<string> = []
  const banned: Array<Source["banned"][number]> = []

  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length
  const resolve = (specifier: string) =>
    specifier.startsWith(".") ? path.join(path.dirname(file), specifier) : undefined
  const imported = (specifier: string, typeOnly: boolean, start: number) =>
    imports.push({ specifier, target: resolve(specifier), typeOnly, line: lineAt(start) })
  // A `type` at each name is not enough: the statement that is left still loads the module.
  const isType = (start: number) => /^(import|export)\s+type\b/.test(text.slice(start))

  for (const { entries, moduleRequest, start } of module.staticImports) {
    imported(moduleRequest.value, isType(start), start)
    // A hash draws nothing: the same goes in and out.
    const isHash = entries.length > 0 && entries.every(({ importName }) => importName.name === "createHash")
    if (isCrypto(moduleRequest.value) && !isHash) banned.push({ what: "crypto", line: lineAt(start) })
  }
  for (const { entries, start } of module.staticExports) {
    const request = entries[0]?.moduleRequest
    if (request === null || request === undefined) continue
    imported(request.value, isType(start), start)
    const target = resolve(request.value)
    if (target !== undefined && /^export\s+\*\s+as\b/.test(text.slice(start))) namespaces.push(target)
  }

  const ban = (what: string, start: number) => banned.push({ what, line: lineAt(start) })
  const hiddenInputs = new Set(["Date.now", "Math.random"])
  new Visitor({
    ImportExpression: ({ source, start }) => {
      if (source.type !== "Literal" || typeof source.value !== "string") return
      imported(source.value, false, start)
      if (isCrypto(source.value)) ban("crypto", start)
    },
    TSImportType: ({ source, start }) => {
      imported(source.value, true, start)
    },
    TSAnyKeyword: ({ start }) => {
      ban("any", start)
    },
    MemberExpression: ({ object, property, start }) => {
      if (object.type !== "Identifier" || property.type !== "Identifier") return
      const name = `${object.name}.${property.name}`
      if (hiddenInputs.has(name)) ban(name, start)
      if (object.name === "crypto" || name === "globalThis.crypto") ban("crypto", start)
    },
    NewExpression: ({ arguments: args, callee, start }) => {
      if (callee.type === "Identifier" && callee.name === "Date" && args.length === 0) ban("new Date()", start)
    }
  }).visit(program)
  for (const { start, value } of comments) {
    for (const [directive] of value.matchAll(/@ts-(ignore|nocheck)\b/g)) ban(directive, start)
  }

  return { file, lineCount: text.trimEnd().split("\n").length, imports, namespaces, banned }
}
