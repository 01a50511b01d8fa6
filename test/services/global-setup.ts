/**
 * Starts what the whole test run shares, and tells the tests where it is.
 */
import type { TestProject } from "vitest/node"
import * as servers from "./servers.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The URL of each server, by name. */
    readonly services: { readonly postgres: string }
    /** What every random choice of this run starts from. */
    readonly seed: number
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed} (SEED=${seed} repeats this run)`)
  project.provide("seed", seed)

  const postgres = await servers.postgres()
  project.provide("services", { postgres: postgres.url })
  return postgres.stop
}
