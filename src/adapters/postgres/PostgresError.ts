/**
 * How the storage on PostgreSQL fails to be there.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"

/**
 * The database could not be reached.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("effect-cqrs/postgres/Unavailable")("Unavailable", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `The database could not be reached: ${describe(this.cause)}`
  }
}

/**
 * A migration did not succeed. Nothing of it was kept, and those before it were.
 *
 * @category errors
 * @since 0.1.0
 */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>("effect-cqrs/postgres/MigrationFailed")(
  "MigrationFailed",
  { id: Schema.Int, name: Schema.String, cause: Schema.Defect() }
) {
  override get message(): string {
    return `The migration ${this.id} (${this.name}) failed: ${describe(this.cause)}`
  }
}

/**
 * The limits of a role could not be set: it is not there, the right to do so is missing, or the server does not know a limit.
 *
 * @category errors
 * @since 0.1.0
 */
export class RoleNotLimited extends Schema.TaggedError<RoleNotLimited>("effect-cqrs/postgres/RoleNotLimited")(
  "RoleNotLimited",
  { role: Schema.UndefinedOr(Schema.String), cause: Schema.Defect() }
) {
  override get message(): string {
    return `The limits of the role${this.role === undefined ? "" : ` ${this.role}`} could not be set: ${describe(this.cause)}`
  }
}

/**
 * The one error of this adapter's layers; handle a case with `Effect.catchReason("PostgresError", "Unavailable", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class PostgresError extends Schema.TaggedError<PostgresError>("effect-cqrs/postgres/PostgresError")(
  "PostgresError",
  { reason: Schema.Union([Unavailable, MigrationFailed, RoleNotLimited]) }
) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * A database that did not answer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unavailable = (cause: SqlError): PostgresError => new PostgresError({ reason: new Unavailable({ cause }) })

/**
 * A migration that did not succeed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const migrationFailed = (options: {
  readonly id: number
  readonly name: string
  readonly cause: SqlError
}): PostgresError => new PostgresError({ reason: new MigrationFailed(options) })

/**
 * A role whose limits could not be set.
 *
 * @category constructors
 * @since 0.1.0
 */
export const roleNotLimited = (options: {
  readonly role: string | undefined
  readonly cause: SqlError
}): PostgresError => new PostgresError({ reason: new RoleNotLimited(options) })

// The driver says where it failed; what says why is the innermost cause.
const describe = (cause: unknown): string => {
  let inner = cause
  while (inner instanceof Error && inner.cause instanceof Error && inner.cause.message !== "") inner = inner.cause
  return inner instanceof Error ? inner.message : String(inner)
}
