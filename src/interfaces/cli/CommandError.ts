/**
 * How a command ends when not all is well: what the user reads, and the exit code of the process.
 *
 * @since 0.1.0
 */
import * as CliError from "effect/cli/CliError"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * A command that did not succeed.
 *
 * **Details**
 *
 * The exit code is 1 when the command has found what it looks for (a change that breaks, an event that cannot be read), and
 * 2 when it could not look. `effect/cli` prints the message, and `runMain` takes the exit code from the error.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandError extends Schema.TaggedError<CommandError>("effect-cqrs/cli/CommandError")("CommandError", {
  message: Schema.String,
  exitCode: Schema.Literals([1, 2])
}) {
  override get [CliError.userMessage](): string {
    return this.message
  }
  override get [Runtime.errorExitCode](): number {
    return this.exitCode
  }
  override readonly [Runtime.errorReported] = false
}

/**
 * What the command looks for was found.
 *
 * @category constructors
 * @since 0.1.0
 */
export const found = (message: string): CommandError => new CommandError({ message, exitCode: 1 })

/**
 * The command could not do its work.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unable = (message: string): CommandError => new CommandError({ message, exitCode: 2 })

/**
 * What somebody failed with, in words.
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
