import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/services/global-setup.ts"],
    pool: "threads",
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Time for PostgreSQL to end its sessions.
    teardownTimeout: 15_000
  }
})
