/**
 * Writes the `exports` of package.json from the tree of `src`; with `--check`, fails when they are stale.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "./tree.ts"

const file = path.join(tree.root, "package.json")
const before = tree.packageJson()
const after = { ...before, exports: tree.exportsOf(tree.sources()) }

// Compared with their order, which is what Node goes by.
if (JSON.stringify(before.exports) !== JSON.stringify(after.exports)) {
  if (process.argv.includes("--check")) {
    console.error("The exports of package.json are not those of src. Run: node scripts/exports.ts")
    for (const name in after.exports) if (!(name in before.exports)) console.error(`  missing ${name}`)
    for (const name in before.exports) if (!(name in after.exports)) console.error(`  gone    ${name}`)
    process.exitCode = 1
  } else {
    fs.writeFileSync(file, `${JSON.stringify(after, null, 2)}\n`)
  }
}
