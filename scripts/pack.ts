/**
 * Packs the package as it would be published, from a copy of what it is made of, so that neither `dist` here nor a
 * build that runs at the same time is touched.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as tree from "./tree.ts"

/** Packs into an existing folder and gives the path of the tarball, whose name does not tell the version. */
export const pack = (folder: string): string => {
  const copy = path.join(folder, "source")
  for (const entry of fs.readdirSync(tree.root)) {
    const published = /^(src|scripts|package\.json|tsconfig.*\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(entry)
    if (published) fs.cpSync(path.join(tree.root, entry), path.join(copy, entry), { recursive: true })
  }
  fs.symlinkSync(path.join(tree.root, "node_modules"), path.join(copy, "node_modules"), "junction")
  const run = (command: string, ...args: ReadonlyArray<string>) => {
    const done = spawnSync(command, args, { cwd: copy, encoding: "utf8" })
    if (done.status === 0) return done.stdout.trim()
    throw new Error(`${command} ${args.join(" ")}: ${done.error?.message ?? done.stdout + done.stderr}`)
  }
  run(process.execPath, "scripts/build.ts")
  const tarball = run("npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", folder)
  fs.rmSync(copy, { recursive: true })
  const named = path.join(folder, "package.tgz")
  fs.renameSync(path.join(folder, tarball), named)
  return named
}

if (import.meta.main) {
  try {
    console.log(pack(path.resolve(process.argv[2] ?? ".")))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
