/** What a response says of a message: its answer, or why there is none. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DispatchError from "../../../domain/DispatchError.ts"
import type * as Message from "../../../domain/Message.ts"
import * as Receipt from "../../../ports/Receipt.ts"
import { Problem } from "../Problem.ts"

export interface Answer {
  readonly value: unknown
  readonly receipt: Receipt.Receipt | undefined
}

export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/** Reads the responses to one message; `service` is who answers, `absent` what stands for a thing that it has not. */
export const reader = (
  self: Message.AnyClass,
  service: string,
  absent?: () => unknown
): ((response: Response) => Effect.Effect<Answer, unknown>) => {
  const isEmpty = self.success === Schema.Void
  const success = Schema.decodeUnknownResult(Schema.toCodecJson(self.success))
  const declared = Schema.decodeUnknownResult(Schema.toCodecJson(self.error))
  const refuse = (reason: DispatchError.Reason, cause?: unknown) =>
    Effect.fail(DispatchError.make(self.tag, reason, cause))
  const strange = (cause: unknown) => refuse(new DispatchError.Unreachable({ service }), cause)

  const answer = (json: unknown): Effect.Effect<Answer, unknown> => {
    const sent = self.kind === "command" ? decodeCommand(json) : Result.succeed({ value: json, receipt: undefined })
    if (Result.isFailure(sent)) return strange(sent.failure)
    const { receipt, value } = sent.success
    if (isEmpty) return Effect.succeed({ value: undefined, receipt })
    const decoded = success(value)
    return Result.isSuccess(decoded) ? Effect.succeed({ value: decoded.success, receipt }) : strange(decoded.failure)
  }

  return ({ headers, status, text }) => {
    const json = parse(text)
    if (status >= 200 && status < 300) return text !== "" && json === undefined ? strange(text) : answer(json)
    const problem = decodeProblem(json)
    // That there is no such route is said of the API, not of a thing.
    if (status === 404 && absent !== undefined && !(Result.isSuccess(problem) && problem.success.code === "NoRoute")) {
      return Effect.sync(() => ({ value: absent(), receipt: undefined }))
    }
    if (Result.isFailure(problem)) return refuse(ofStatus(status, service), { status, text: text.slice(0, 1_000) })
    const { error } = problem.success
    const own = error === undefined ? undefined : declared(error)
    if (own !== undefined && Result.isSuccess(own)) return Effect.fail(own.success)
    return refuse(ofProblem(self, service, problem.success, headers), problem.success)
  }
}

const Command = Schema.Struct({ value: Schema.optionalKey(Schema.Unknown), receipt: Receipt.Receipt })
const decodeAny = Schema.decodeUnknownResult(Schema.UndefinedOr(Schema.toCodecJson(Command)))

const decodeCommand = (json: unknown) =>
  Result.map(decodeAny(json), (sent) => ({ value: sent?.value, receipt: sent?.receipt }))

const decodeProblem = Schema.decodeUnknownResult(Problem)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Of what has no problem in its body: something stands between us and the server. */
const ofStatus = (status: number, service: string): DispatchError.Reason => {
  if (status === 401) return new DispatchError.Unauthenticated()
  return status === 403 ? new DispatchError.Denied() : new DispatchError.Unreachable({ service })
}

const ofProblem = (
  self: Message.AnyClass,
  service: string,
  { code, errors = [], id = "unknown" }: Problem,
  headers: Response["headers"]
): DispatchError.Reason => {
  const number = (name: string): number => Number(headers[name]) || 0
  const retryAfterMillis = number("retry-after") * 1_000
  switch (code) {
    case "Invalid":
      return new DispatchError.Invalid({ issues: errors })
    case "Unauthenticated":
      return new DispatchError.Unauthenticated()
    case "Denied":
    case "CrossOrigin":
      return new DispatchError.Denied()
    case "Conflict":
    case "PreconditionFailed":
      return new DispatchError.Conflict({
        stream: `the aggregate of ${self.tag}`,
        expected: "another version",
        actual: 0
      })
    case "Gone":
      return new DispatchError.Gone({ stream: `the aggregate of ${self.tag}` })
    case "RateLimited": {
      const [limit, remaining] = [number("ratelimit-limit"), number("ratelimit-remaining")]
      return new DispatchError.RateLimited({ limit, remaining, retryAfterMillis })
    }
    case "CircuitOpen":
      return new DispatchError.CircuitOpen({ breaker: service, retryAfterMillis })
    case "Timeout":
    case "TimedOut":
      return new DispatchError.Timeout({ waitingFor: service })
    case "Internal":
      return new DispatchError.Defect({ id })
    case "NoRoute":
    case "MethodNotAllowed":
      return new DispatchError.NotHandled({ kind: self.kind })
    default:
      return new DispatchError.Unreachable({ service })
  }
}
