/**
 * Why a request is refused before any handler has it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The request is not one: a body that is no JSON object, or a header that does not say what it must. A 400 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Malformed extends Schema.TaggedError<Malformed>("effect-cqrs/http/Malformed")("Malformed", {
  /** The part of the request, like `body` or the name of a header. */
  part: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `The ${this.part} must be ${this.expected}`
  }
}

/**
 * Nothing is served at this path. A 404 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NoRoute extends Schema.TaggedError<NoRoute>("effect-cqrs/http/NoRoute")("NoRoute", {}) {
  override get message(): string {
    return "Nothing is served at this path"
  }
}

/**
 * The request was not sent to its end in the time that the server allows. A 408 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooSlow extends Schema.TaggedError<TooSlow>("effect-cqrs/http/TooSlow")("TooSlow", {
  afterMillis: Schema.Number
}) {
  override get message(): string {
    return `The request was not sent to its end within ${this.afterMillis} ms`
  }
}

/**
 * The path is served by other methods, which `allow` lists. A 405 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>("effect-cqrs/http/MethodNotAllowed")(
  "MethodNotAllowed",
  { allow: Schema.Array(Schema.String) }
) {
  override get message(): string {
    return `This path takes ${this.allow.join(", ")}`
  }
}

/**
 * The answer would be JSON, which the client does not accept. A 406 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotAcceptable extends Schema.TaggedError<NotAcceptable>("effect-cqrs/http/NotAcceptable")(
  "NotAcceptable",
  {}
) {
  override get message(): string {
    return "The answer is application/json"
  }
}

/**
 * The stream is not at the version that `If-Match` or `If-None-Match` names. A 412 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PreconditionFailed extends Schema.TaggedError<PreconditionFailed>("effect-cqrs/http/PreconditionFailed")(
  "PreconditionFailed",
  {}
) {
  override get message(): string {
    return "It has changed since: read it again"
  }
}

/**
 * The body takes more bytes than the server reads. A 413 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>("effect-cqrs/http/BodyTooLarge")("BodyTooLarge", {
  limit: Schema.Natural
}) {
  override get message(): string {
    return `The body may take ${this.limit} bytes`
  }
}

/**
 * The body is not JSON, does not say that it is, or is compressed. A 415 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class UnsupportedMediaType extends Schema.TaggedError<UnsupportedMediaType>(
  "effect-cqrs/http/UnsupportedMediaType"
)("UnsupportedMediaType", {}) {
  override get message(): string {
    return "The body must be application/json, not compressed, and its content-type must say so"
  }
}

/**
 * The headers take more bytes than the server takes. A 431 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class HeadersTooLarge extends Schema.TaggedError<HeadersTooLarge>("effect-cqrs/http/HeadersTooLarge")(
  "HeadersTooLarge",
  { limit: Schema.Natural }
) {
  override get message(): string {
    return `The headers may take ${this.limit} bytes`
  }
}

/**
 * A page of another origin asks a browser to change something here, and that origin is not allowed. A 403 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class CrossOrigin extends Schema.TaggedError<CrossOrigin>("effect-cqrs/http/CrossOrigin")("CrossOrigin", {}) {
  override get message(): string {
    return "Requests from pages of this origin are not allowed"
  }
}

/**
 * There was no answer in the time that the server or the client allows; whether the request has changed something is not
 * known. A 504 says so.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TimedOut extends Schema.TaggedError<TimedOut>("effect-cqrs/http/TimedOut")("TimedOut", {
  afterMillis: Schema.Number
}) {
  override get message(): string {
    return `No answer within ${this.afterMillis} ms`
  }
}

/**
 * The one error of requests; its cases are in `reason`.
 *
 * @category errors
 * @since 0.1.0
 */
export class HttpError extends Schema.TaggedError<HttpError>("effect-cqrs/http/HttpError")("HttpError", {
  reason: Schema.Union([
    Malformed,
    NoRoute,
    MethodNotAllowed,
    NotAcceptable,
    PreconditionFailed,
    BodyTooLarge,
    UnsupportedMediaType,
    HeadersTooLarge,
    CrossOrigin,
    TooSlow,
    TimedOut
  ])
}) {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (reason: HttpError["reason"]): HttpError => new HttpError({ reason })
