/**
 * How an embedded database fails to be there.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * PGlite is an optional peer of this package, and it is not installed.
 *
 * @category errors
 * @since 0.1.0
 */
export class Missing extends Schema.TaggedError<Missing>("effect-cqrs/pglite/Missing")("Missing", {
  package: Schema.String
}) {
  override get message(): string {
    return `${this.package} is not installed: npm install ${this.package}`
  }
}

/**
 * The data folder is open already, in another process or in this one.
 *
 * **Details**
 *
 * Two databases on one folder would lose each other's writes silently. `pid` names the process that has the folder, as
 * that process sees itself, and is `undefined` when it could not be found out.
 *
 * @category errors
 * @since 0.1.0
 */
export class Locked extends Schema.TaggedError<Locked>("effect-cqrs/pglite/Locked")("Locked", {
  folder: Schema.String,
  pid: Schema.UndefinedOr(Schema.Int)
}) {
  override get message(): string {
    const holder = this.pid === undefined ? "another process" : `process ${this.pid}`
    return `The data folder ${this.folder} is open in ${holder}`
  }
}

/**
 * The database did not start; `folder` is `undefined` for one in memory.
 *
 * @category errors
 * @since 0.1.0
 */
export class StartFailed extends Schema.TaggedError<StartFailed>("effect-cqrs/pglite/StartFailed")("StartFailed", {
  folder: Schema.UndefinedOr(Schema.String),
  detail: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `PGlite did not start ${this.folder === undefined ? "in memory" : `in ${this.folder}`}: ${this.detail}`
  }
}

/**
 * The database could not be dumped.
 *
 * @category errors
 * @since 0.1.0
 */
export class DumpFailed extends Schema.TaggedError<DumpFailed>("effect-cqrs/pglite/DumpFailed")("DumpFailed", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `PGlite did not dump its data folder: ${describe(this.cause)}`
  }
}

/**
 * The one error of this adapter; handle a case with `Effect.catchReason("PgliteError", "Locked", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class PgliteError extends Schema.TaggedError<PgliteError>("effect-cqrs/pglite/PgliteError")("PgliteError", {
  reason: Schema.Union([Missing, Locked, StartFailed, DumpFailed])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * A start that failed, told in the words of its cause.
 *
 * @category constructors
 * @since 0.1.0
 */
export const startFailed = (options: {
  readonly folder: string | undefined
  readonly cause: unknown
  readonly detail?: string | undefined
}): PgliteError =>
  new PgliteError({
    reason: new StartFailed({
      folder: options.folder,
      detail: options.detail ?? describe(options.cause),
      cause: options.cause
    })
  })

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
