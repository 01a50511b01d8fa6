import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/services/global-setup.ts"],
    // A process of its own for each file: what runs in WebAssembly ends with it.
    pool: "forks",
    // Much of their time is waiting: for servers, for clocks, for processes that were killed.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Time for PostgreSQL to end its sessions.
    teardownTimeout: 15_000
  }
})
