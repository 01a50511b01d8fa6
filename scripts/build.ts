/**
 * Builds `dist` anew and checks that all that package.json promises is in it.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "./tree.ts"

fs.rmSync(path.join(tree.root, "dist"), { recursive: true, force: true })

const tsc = path.join(tree.root, "node_modules/typescript/bin/tsc")
const built = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: tree.root, stdio: "inherit" })
if (built.status !== 0) process.exit(1)

const { bin, exports } = tree.packageJson()
const missing = Object.values(exports)
  .flatMap((target) => (typeof target === "string" ? [target] : [target.types, target.default]))
  .concat(Object.values(bin))
  .filter((target) => !fs.existsSync(path.join(tree.root, target)))
if (missing.length > 0) {
  console.error(["package.json names what the build did not make:", ...missing].join("\n  "))
  process.exit(1)
}
