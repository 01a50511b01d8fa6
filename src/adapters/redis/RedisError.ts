/**
 * How Redis fails, by meaning.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const detail = { command: Schema.String, cause: Schema.Defect() }

/**
 * Nobody answers: the server is not there, does not let anybody in yet, or the connection was lost. It may be there later;
 * whether a command that was on its way has been done is not known.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unreachable extends Schema.TaggedError<Unreachable>("effect-cqrs/redis/Unreachable")(
  "Unreachable",
  detail
) {
  override get message(): string {
    return `Redis cannot be reached for ${this.command}: ${describe(this.cause)}`
  }
}

/**
 * The server did not answer in time. Whether it has done the command is not known.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoAnswer extends Schema.TaggedError<NoAnswer>("effect-cqrs/redis/NoAnswer")("NoAnswer", detail) {
  override get message(): string {
    return `Redis did not answer ${this.command} in time`
  }
}

/**
 * The user or the password is wrong, or the user may not do this.
 *
 * @category errors
 * @since 0.1.0
 */
export class Denied extends Schema.TaggedError<Denied>("effect-cqrs/redis/Denied")("Denied", detail) {
  override get message(): string {
    return `Redis denies ${this.command}: ${describe(this.cause)}`
  }
}

/**
 * The server takes no writes now: it is a replica, its memory is full, or it cannot save.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotWritable extends Schema.TaggedError<NotWritable>("effect-cqrs/redis/NotWritable")(
  "NotWritable",
  detail
) {
  override get message(): string {
    return `Redis takes no writes: ${describe(this.cause)}`
  }
}

/**
 * The server does not understand the command, or not with these values.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>("effect-cqrs/redis/Refused")("Refused", detail) {
  override get message(): string {
    return `Redis refuses ${this.command}: ${describe(this.cause)}`
  }
}

/**
 * Why something failed.
 *
 * @category errors
 * @since 0.1.0
 */
export type Reason = Unreachable | NoAnswer | Denied | NotWritable | Refused

/**
 * The one error of this adapter; handle a case with `Effect.catchReason("RedisError", "Denied", …)`.
 *
 * @category errors
 * @since 0.1.0
 */
export class RedisError extends Schema.TaggedError<RedisError>("effect-cqrs/redis/RedisError")("RedisError", {
  reason: Schema.Union([Unreachable, NoAnswer, Denied, NotWritable, Refused])
}) {
  override get message(): string {
    return this.reason.message
  }

  /** Whether the same command may succeed later, with nothing changed but time. */
  get retryable(): boolean {
    return this.reason._tag !== "Denied" && this.reason._tag !== "Refused"
  }
}

/**
 * What an error of the client means.
 *
 * **Example** (By the first word of the answer)
 *
 * ```ts
 * import { RedisError } from "effect-cqrs/redis"
 *
 * RedisError.from("SET", new Error("OOM command not allowed when used memory > 'maxmemory'.")).reason._tag // => "NotWritable"
 * RedisError.from("SET", new Error("NOPERM this user has no permissions")).retryable // => false
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const from = (command: string, cause: unknown): RedisError => {
  const options = { command, cause }
  const text = describe(cause)
  if (text === "Command timed out") return new RedisError({ reason: new NoAnswer(options) })
  if (/^(NOAUTH|WRONGPASS|NOPERM)\b|^ERR .*(AUTH|password)/.test(text)) {
    return new RedisError({ reason: new Denied(options) })
  }
  if (/^(READONLY|OOM|MISCONF|NOREPLICAS)\b/.test(text)) return new RedisError({ reason: new NotWritable(options) })
  const isReply = Predicate.hasProperty(cause, "name") && cause.name === "ReplyError"
  return isReply && !passing.test(text)
    ? new RedisError({ reason: new Refused(options) })
    : new RedisError({ reason: new Unreachable(options) })
}

// A server that starts, a cluster that rearranges itself, a primary that was just demoted.
const passing = /^(LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|UNBLOCKED|MOVED|ASK|BUSY)\b/

const describe = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  // A cluster of which no node answers says so of the last one in a field of its own.
  const last = Predicate.hasProperty(cause, "lastNodeError") ? cause.lastNodeError : undefined
  if (last instanceof Error) return describe(last)
  // A refused connection to a name with several addresses has an empty message.
  return cause.message === "" && "code" in cause ? String(cause.code) : cause.message
}
