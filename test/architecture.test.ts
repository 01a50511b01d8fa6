import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "../scripts/tree.ts"
import { rules, type Tree } from "./architecture/rules.ts"
import { parse } from "./architecture/source.ts"

const actual: Tree = {
  sources: tree.sources().map((file) => parse(file, fs.readFileSync(path.join(tree.root, "src", file), "utf8"))),
  packageJson: tree.packageJson()
}

describe("the sources", () => {
  it.each(Object.entries(rules))("%s", (_, rule) => {
    expect(rule(actual)).toEqual([])
  })
})

/** A tree of these files, correct in all that is not about them. */
const sample = (files: Record<string, string>): Tree => ({
  sources: Object.entries(files).map(([file, text]) => parse(file, text)),
  packageJson: { exports: tree.exportsOf(Object.keys(files)), peerDependencies: { "@effect/sql-pg": "*" } }
})

const wrong = (rule: keyof typeof rules, files: Record<string, string>) => rules[rule](sample(files))

describe("folders", () => {
  it.each([
    ["domain/A.ts", `import * as Effect from "effect/Effect"`],
    ["domain/A.ts", `import { type Effect } from "effect/Effect"`],
    ["domain/A.ts", `import type * as Context from "effect/Context"`],
    ["domain/A.ts", `type T = import("effect/Layer").Layer<never>`],
    ["domain/A.ts", `import type { P } from "../ports/P.ts"`],
    ["domain/A.ts", `const later = () => import("effect/Stream")`],
    ["ports/A.ts", `import * as SqlClient from "effect/sql/SqlClient"`],
    ["ports/A.ts", `import type * as Http from "effect/http/HttpClient"`],
    ["ports/A.ts", `export * as Pg from "../adapters/postgres/Pg.ts"`],
    ["ports/A.ts", `import * as fs from "node:fs"`],
    ["middleware/A.ts", `import type * as Bus from "../application/Bus.ts"`],
    ["middleware/A.ts", `import * as Workflow from "effect/workflow/Workflow"`],
    ["application/A.ts", `import * as PgClient from "@effect/sql-pg/PgClient"`],
    ["application/A.ts", `import * as Rpc from "../interfaces/rpc/Rpc.ts"`],
    ["adapters/a/A.ts", `import * as B from "../b/B.ts"`],
    ["adapters/a/A.ts", `import * as Retry from "../../middleware/Retry.ts"`],
    ["adapters/a/A.ts", `import * as other from "not-a-peer"`],
    ["interfaces/rpc/A.ts", `import * as Entity from "effect/cluster/Entity"`],
    ["interfaces/rpc/A.ts", `import * as Pg from "../../adapters/postgres/Pg.ts"`],
    ["testing/A.ts", `import { it } from "vitest"`],
    ["testing/A.ts", `import * as Pg from "../adapters/postgres/Pg.ts"`],
    ["domain/A.ts", `import * as support from "../../test/support.ts"`],
    ["other/A.ts", `import * as Schema from "effect/Schema"`],
    ["index.ts", `export * as Pg from "./adapters/postgres/Pg.ts"`]
  ])("refuses in %s: %s", (file, text) => {
    expect(wrong("folders", { [file]: text })).toEqual([expect.stringContaining(`src/${file}:1: may not import`)])
  })

  it.each([
    ["domain/A.ts", `import type * as Effect from "effect/Effect"`],
    ["domain/A.ts", `import * as Schema from "effect/Schema"`],
    ["ports/A.ts", `import * as Layer from "effect/Layer"`],
    ["ports/A.ts", `import * as Thing from "../domain/Thing.ts"`],
    ["middleware/A.ts", `import * as CircuitBreaker from "effect/persistence/CircuitBreaker"`],
    ["application/A.ts", `import * as Workflow from "effect/workflow/Workflow"`],
    ["adapters/a/A.ts", `import * as PgClient from "@effect/sql-pg/PgClient"`],
    ["adapters/a/A.ts", `import * as fs from "node:fs"`],
    ["adapters/a/b.ts", `import * as B from "../b/B.ts"`],
    ["interfaces/cluster/A.ts", `import * as Entity from "effect/cluster/Entity"`],
    ["testing/A.ts", `import * as TestClock from "effect/testing/TestClock"`],
    ["domain/A.ts", `// import * as Effect from "effect/Effect"`]
  ])("allows in %s: %s", (file, text) => {
    expect(wrong("folders", { [file]: text })).toEqual([])
  })
})

describe("barrels", () => {
  it.each([
    `import { Effect } from "effect"`,
    `import type { SqlClient } from "effect/sql"`,
    `import { PgClient } from "@effect/sql-pg"`,
    `import * as postgres from "../postgres/index.ts"`,
    `import * as Thing from "effect-cqrs/Thing"`
  ])("refuses %s", (text) => {
    expect(wrong("barrels", { "adapters/a/A.ts": text })).toHaveLength(1)
  })
})

describe("cycles", () => {
  it("finds one made of types", () => {
    const found = wrong("cycles", {
      "ports/A.ts": `import type { B } from "./B.ts"`,
      "ports/B.ts": `import * as C from "./C.ts"`,
      "ports/C.ts": `export type { A } from "./A.ts"`,
      "ports/D.ts": `import * as A from "./A.ts"\nimport * as C from "./C.ts"`
    })
    expect(found).toEqual(["src: import cycle ports/A.ts -> ports/B.ts -> ports/C.ts -> ports/A.ts"])
  })
})

describe("exported", () => {
  const files = {
    "index.ts": `export * as A from "./ports/A.ts"`,
    "ports/A.ts": "",
    "ports/internal/b.ts": "",
    "adapters/x/index.ts": `export * as X from "./X.ts"`,
    "adapters/x/X.ts": "",
    "adapters/x/further.ts": "",
    "testing/index.ts": ""
  }

  it("accepts indexes, further entries and private files", () => {
    expect(wrong("exported", files)).toEqual([])
  })

  it.each(["ports/B.ts", "adapters/x/Y.ts", "adapters/y/Y.ts", "testing/Law.ts"])("finds %s in no index", (file) => {
    expect(wrong("exported", { ...files, [file]: "" })).toEqual([expect.stringContaining(`src/${file}: is not`)])
  })

  it("finds stale exports of the package", () => {
    const stale = { ...sample(files), packageJson: sample({}).packageJson }
    expect(rules.exported(stale)).toEqual([expect.stringContaining("package.json")])
  })

  it("refuses two modules of one name", () => {
    expect(() => sample({ "domain/A.ts": "", "ports/A.ts": "" })).toThrow("would both be exported as ./A")
  })
})

describe("constructs", () => {
  it.each([
    ["Date.now", "const t = Date.now()"],
    ["new Date()", "const t = new Date()"],
    ["Math.random", "const n = Math.random()"],
    ["crypto", "const id = crypto.randomUUID()"],
    ["crypto", `import { randomUUID } from "node:crypto"`],
    ["crypto", `import { createHash, randomUUID } from "node:crypto"`],
    ["crypto", `import * as crypto from "node:crypto"`],
    ["crypto", `const loaded = import("crypto")`],
    ["any", "const x = 1 as any"],
    ["any", "const f = (x: Array<any>) => x"],
    ["@ts-ignore", "// @ts-ignore\nconst x = 1"]
  ])("finds %s in: %s", (what, text) => {
    expect(wrong("constructs", { "ports/A.ts": text })).toEqual([`src/ports/A.ts:1: uses ${what}`])
  })

  it("lets sources make a hash", () => {
    expect(wrong("constructs", { "ports/A.ts": `import { createHash } from "node:crypto"` })).toEqual([])
  })

  it("looks at code, not at words", () => {
    expect(wrong("constructs", { "ports/A.ts": `// any Date.now\nconst s = "Math.random()", any = 1` })).toEqual([])
  })
})

describe("lengths", () => {
  it("finds a file of 401 lines", () => {
    expect(wrong("lengths", { "ports/A.ts": "\n".repeat(400) + "const x = 1\n" })).toHaveLength(1)
    expect(wrong("lengths", { "ports/A.ts": "\n".repeat(399) + "const x = 1\n" })).toEqual([])
  })
})
