/**
 * Why a message was not handled, apart from its handler's own reasons: the same in process and over a network.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as FieldIssue from "./FieldIssue.ts"

/**
 * The message, or something it carries, is not valid; every bad field is listed.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Invalid extends Schema.TaggedError<Invalid>("effect-cqrs/Invalid")("Invalid", {
  issues: Schema.Array(FieldIssue.FieldIssue)
}) {
  override get message(): string {
    return FieldIssue.format(this.issues)
  }
}

/**
 * Nobody handles this message here.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotHandled extends Schema.TaggedError<NotHandled>("effect-cqrs/NotHandled")("NotHandled", {
  kind: Schema.Literals(["command", "query"])
}) {
  override get message(): string {
    return `No handler for this ${this.kind} is provided`
  }
}

/**
 * Others changed the same thing, and deciding again did not help: the caller may try again.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Conflict extends Schema.TaggedError<Conflict>("effect-cqrs/Conflict")("Conflict", {
  stream: Schema.String,
  expected: Schema.Union([Schema.String, Schema.Int]),
  actual: Schema.Int
}) {
  override get message(): string {
    return `${this.stream} is at ${this.actual}, expected ${this.expected}`
  }
}

/**
 * What the message is about was ended for good.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Gone extends Schema.TaggedError<Gone>("effect-cqrs/Gone")("Gone", { stream: Schema.String }) {
  override get message(): string {
    return `${this.stream} is gone`
  }
}

/**
 * Storage failed; `retryable` tells whether the same message may succeed later.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Storage extends Schema.TaggedError<Storage>("effect-cqrs/Storage")("Storage", {
  operation: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    return `The storage failed in ${this.operation}`
  }
}

/**
 * Something the handler needs cannot be reached now.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Unreachable extends Schema.TaggedError<Unreachable>("effect-cqrs/Unreachable")("Unreachable", {
  service: Schema.String
}) {
  override get message(): string {
    return `${this.service} cannot be reached`
  }
}

/**
 * The handler took too long, or what it waited for did not come in time; `afterMillis` is absent where only the handler
 * knew how long it waited.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Timeout extends Schema.TaggedError<Timeout>("effect-cqrs/Timeout")("Timeout", {
  afterMillis: Schema.optionalKey(Schema.Number),
  waitingFor: Schema.String
}) {
  override get message(): string {
    return this.afterMillis === undefined
      ? `No answer in time from ${this.waitingFor}`
      : `No answer after ${this.afterMillis} ms of waiting for ${this.waitingFor}`
  }
}

/**
 * What is read of a projection does not yet hold what was asked for; positions are those of the log.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Behind extends Schema.TaggedError<Behind>("effect-cqrs/Behind")("Behind", {
  projection: Schema.String,
  wanted: Schema.Natural,
  reached: Schema.Natural,
  afterMillis: Schema.Number
}) {
  override get message(): string {
    const { afterMillis, projection, reached, wanted } = this
    return `The projection ${projection} has come to ${reached} after ${afterMillis} ms, not to ${wanted}`
  }
}

/**
 * Inside a unit of work it was asked to wait for a projection, which handles only what is committed.
 *
 * @category reasons
 * @since 0.1.0
 */
export class WaitsForItself extends Schema.TaggedError<WaitsForItself>("effect-cqrs/WaitsForItself")("WaitsForItself", {
  projection: Schema.String,
  wanted: Schema.Natural
}) {
  override get message(): string {
    return `Inside a unit of work, the projection ${this.projection} cannot be waited for: it handles what is committed`
  }
}

/**
 * What the handler calls has failed too often, so it is not called for a while.
 *
 * @category reasons
 * @since 0.1.0
 */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>("effect-cqrs/CircuitOpen")("CircuitOpen", {
  breaker: Schema.String,
  retryAfterMillis: Schema.Number
}) {
  override get message(): string {
    return `${this.breaker} has failed too often: not called again for ${this.retryAfterMillis} ms`
  }
}

/**
 * As much as may be at the same time is running, and as much as may wait is waiting.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Overloaded extends Schema.TaggedError<Overloaded>("effect-cqrs/Overloaded")("Overloaded", {
  bulkhead: Schema.String,
  running: Schema.Int,
  waiting: Schema.Int
}) {
  override get message(): string {
    return `${this.bulkhead} is full: ${this.running} are running and ${this.waiting} are waiting`
  }
}

/**
 * The caller has sent as many messages as it may for now.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RateLimited extends Schema.TaggedError<RateLimited>("effect-cqrs/RateLimited")("RateLimited", {
  limit: Schema.Int,
  remaining: Schema.Int,
  retryAfterMillis: Schema.Number
}) {
  override get message(): string {
    return `More than ${this.limit} messages: the next in ${this.retryAfterMillis} ms`
  }
}

/**
 * The message does not prove who sends it: it carries no proof, or one that is wrong or too old.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("effect-cqrs/Unauthenticated")(
  "Unauthenticated",
  {}
) {
  override get message(): string {
    return "The message does not prove who sends it"
  }
}

/**
 * Who sends the message is known, and may not.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Denied extends Schema.TaggedError<Denied>("effect-cqrs/Denied")("Denied", {}) {
  override get message(): string {
    return "Who sends the message may not"
  }
}

/**
 * The handler has a bug. What happened stays where it runs: its log has it under `id`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Defect extends Schema.TaggedError<Defect>("effect-cqrs/Defect")("Defect", { id: Schema.String }) {
  override get message(): string {
    return `Internal error ${this.id}`
  }
}

/**
 * All reasons.
 *
 * @category reasons
 * @since 0.1.0
 */
export const Reason = Schema.Union([
  Invalid,
  NotHandled,
  Conflict,
  Gone,
  Storage,
  Unreachable,
  Timeout,
  Behind,
  WaitsForItself,
  CircuitOpen,
  Overloaded,
  RateLimited,
  Unauthenticated,
  Denied,
  Defect
])

/**
 * @category reasons
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

/**
 * The one error that dispatching adds to a message's own; handle a case with
 * `Effect.catchReason("DispatchError", "Conflict", …)`.
 *
 * **Details**
 *
 * `of` is the tag of the dispatched message. It is serializable; the cause of a storage failure stays in the process, for logs.
 *
 * @category errors
 * @since 0.1.0
 */
export class DispatchError extends Schema.TaggedError<DispatchError>("effect-cqrs/DispatchError")("DispatchError", {
  /** The tag of the message that was dispatched. */
  of: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `${this.of}: ${this.reason.message}`
  }
}

/**
 * A dispatch error that keeps for logs what it came from.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (of: string, reason: Reason, cause?: unknown): DispatchError => {
  const error = new DispatchError({ of, reason })
  if (cause !== undefined) Object.defineProperty(error, "cause", { value: cause, enumerable: false })
  return error
}
