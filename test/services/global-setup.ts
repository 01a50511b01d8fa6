/**
 * Starts what the whole test run shares, and tells the tests where it is.
 */
import type { TestProject } from "vitest/node"
import * as servers from "./servers.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The URL of each server, by name; undefined where this machine has none. */
    readonly services: { readonly postgres: string; readonly redis: string | undefined }
    /** What every random choice of this run starts from. */
    readonly seed: number
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed} (SEED=${seed} repeats this run)`)
  project.provide("seed", seed)

  if (servers.redisProgram() === undefined) console.log(`The Redis tests are skipped: ${servers.withoutRedis}`)
  const [postgres, redis] = await Promise.all([
    servers.postgres(),
    servers.redisProgram() === undefined ? undefined : servers.redis()
  ])
  project.provide("services", { postgres: postgres.url, redis: redis?.url })
  return async () => {
    await Promise.all([postgres.stop(), redis?.stop()])
  }
}
