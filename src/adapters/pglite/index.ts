/**
 * An embedded PostgreSQL, for programs that start without a server.
 *
 * @since 0.1.0
 */
export * as PgliteClient from "./PgliteClient.ts"
export * as PgliteDatabase from "./PgliteDatabase.ts"
export * as PgliteError from "./PgliteError.ts"
