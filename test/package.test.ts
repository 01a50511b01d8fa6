import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { pack } from "../scripts/pack.ts"
import * as tree from "../scripts/tree.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-consumer-"))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const { exports, name, peerDependencies } = tree.packageJson()
const specifiers = Object.keys(exports)
  .filter((subpath) => subpath !== "./package.json")
  .map((subpath) => name + subpath.slice(1))
/** Those that no driver may be needed for. */
const core = specifiers.filter((specifier) => {
  const target = exports[`.${specifier.slice(name.length)}`]
  return typeof target === "object" && !/^\.\/dist\/(adapters|interfaces)\//.test(target.default)
})

const start = (command: string, ...args: ReadonlyArray<string>) =>
  spawnSync(command, args, { cwd: folder, encoding: "utf8" })
const run = (command: string, ...args: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = start(command, ...args)
  expect(status, `${error?.message ?? ""}${stdout}${stderr}`).toBe(0)
  return stdout.trim()
}

// Linked from here, so that it takes no network; npm still refuses versions that do not fit together.
const install = (...packages: ReadonlyArray<string>) =>
  run(
    "npm",
    "install",
    "--offline",
    "--install-links=false",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    ...packages
  )
const ours = (dependency: string) => path.join(tree.root, "node_modules", dependency)

beforeAll(() => {
  fs.cpSync(path.join(import.meta.dirname, "fixtures/consumer"), folder, { recursive: true })
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  install(pack(folder), ours("effect"))
}, 120_000)

describe("the package", () => {
  it("holds what users need and no more", () => {
    const installed = fs.readdirSync(path.join(folder, "node_modules", name))
    const published = ["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json", "src"]
    expect(installed.filter((entry) => !published.includes(entry))).toEqual([])
  })

  it("has a core that imports without any driver", () => {
    const drivers = Object.keys(peerDependencies).filter((peer) => peer !== "effect")
    expect(drivers.filter((driver) => fs.existsSync(path.join(folder, "node_modules", driver)))).toEqual([])
    expect(run(process.execPath, "imports.ts", ...core).split("\n")).toHaveLength(core.length)
  })

  it("runs a user's program without any driver", () => {
    expect(run(process.execPath, "main.ts")).toBe("true")
  })

  it("has a command that says what it lacks", () => {
    const { status, stderr } = start("node_modules/.bin/effect-cqrs", "--version")
    expect([status, stderr.includes("npm install --save-dev @effect/platform-node")]).toEqual([2, true])
  })

  describe("with its drivers", () => {
    beforeAll(() => {
      install(...Object.keys(peerDependencies).map(ours))
    }, 60_000)

    it("imports whole", () => {
      expect(run(process.execPath, "imports.ts", ...specifiers).split("\n")).toHaveLength(specifiers.length)
    })

    it("has a command that runs on a user's configuration", () => {
      const config = `import { defineConfig } from "effect-cqrs/cli"\nexport default defineConfig({ events: [] })\n`
      fs.writeFileSync(path.join(folder, "effect-cqrs.config.ts"), config)
      expect(run("node_modules/.bin/effect-cqrs", "schema", "lock")).toBe("Wrote events.lock.json: 0 types of events")
      expect(run("node_modules/.bin/effect-cqrs", "schema", "check")).toBe("events.lock.json is up to date")
    })

    it("has types that a strict user's compiler accepts", () => {
      const everything = specifiers.map((specifier, index) => `export * as m${index} from "${specifier}"`).join("\n")
      fs.writeFileSync(path.join(folder, "everything.ts"), everything)
      fs.writeFileSync(
        path.join(folder, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            target: "es2024",
            module: "nodenext",
            strict: true,
            exactOptionalPropertyTypes: true,
            noUncheckedIndexedAccess: true,
            skipLibCheck: false,
            declaration: true,
            outDir: "out",
            types: ["node"],
            typeRoots: [ours("@types")]
          },
          include: ["*.ts"]
        })
      )
      const { stdout } = start(process.execPath, ours("typescript/bin/tsc"), "--pretty", "false")
      // A driver's own declarations may not be as strict.
      const foreign = new RegExp(`node_modules/(?!${name}/)`)
      expect(stdout.split("\n").filter((line) => line !== "" && !foreign.test(line))).toEqual([])
    })
  })
})
