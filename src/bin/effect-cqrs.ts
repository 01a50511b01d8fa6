#!/usr/bin/env node
/** The `effect-cqrs` executable: says what to install when its platform is missing, and runs the commands. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes("@effect/platform-node")

try {
  await import("./main.ts")
} catch (error) {
  if (!isMissing(error)) throw error
  process.stderr.write(
    "The effect-cqrs command runs on @effect/platform-node, which is not installed. Install it in the version of effect:\n\n  npm install --save-dev @effect/platform-node@~4.1.0\n"
  )
  process.exitCode = 2
}
