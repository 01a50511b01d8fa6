/** Messages as a client sends them, and what it makes of their answers. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DispatchError from "../../../domain/DispatchError.ts"
import * as FieldIssue from "../../../domain/FieldIssue.ts"
import * as Message from "../../../domain/Message.ts"
import type { Receipt } from "../../../ports/Receipt.ts"
import { LiveSocketError, Undecodable } from "../LiveSocketError.ts"
import { liveError } from "./link.ts"
import type * as Protocol from "./protocol.ts"

type Coding = (input: unknown) => Result.Result<unknown, Schema.SchemaError>

export interface Codec {
  readonly encode: Coding
  readonly decodeSuccess: Coding
  readonly decodeFailure: Coding
}

const decodeDispatch = Schema.decodeUnknownResult(Schema.toCodecJson(DispatchError.DispatchError))

export const codecs = (classes: ReadonlyArray<Message.AnyClass>): ReadonlyMap<string, Codec> =>
  new Map(
    classes.map((self) => [
      self.tag,
      {
        encode: Schema.encodeUnknownResult(Schema.toCodecJson(self), { errors: "all" }),
        decodeSuccess:
          self.success === Schema.Void
            ? () => Result.succeed(undefined)
            : Schema.decodeUnknownResult(Schema.toCodecJson(self.success)),
        decodeFailure: Schema.decodeUnknownResult(Schema.toCodecJson(self.error))
      }
    ])
  )

type Answer = Extract<Protocol.Reply, { readonly type: "answer" | "failed" }>
type Sendable = Extract<Protocol.Request, { readonly type: "execute" }>["message"]

export const send = (
  all: ReadonlyMap<string, Codec>,
  message: Message.Any,
  ask: (message: Sendable) => Effect.Effect<Answer, LiveSocketError>
): Effect.Effect<{ readonly value: unknown; readonly receipt?: Receipt }, unknown> => {
  const tag = message._tag
  const codec = all.get(tag)
  if (codec === undefined) {
    const { kind } = message[Message.TypeId]
    return Effect.fail(DispatchError.make(tag, new DispatchError.NotHandled({ kind })))
  }
  const encoded = codec.encode(message)
  if (Result.isFailure(encoded)) return Effect.fail(wrong(tag, encoded.failure))
  return Effect.flatMap(ask({ ...Object(encoded.success), _tag: tag }), (reply) => {
    if (reply.type === "answer") {
      return Result.match(codec.decodeSuccess(reply.value), {
        onFailure: (error) => Effect.fail<unknown>(wrong(`the answer to ${tag}`, error)),
        onSuccess: (value) =>
          Effect.succeed({ value, ...(reply.receipt === undefined ? {} : { receipt: reply.receipt }) })
      })
    }
    if (reply.of === "live") return Effect.fail<unknown>(liveError(reply.error))
    const decode: Coding = reply.of === "dispatch" ? decodeDispatch : codec.decodeFailure
    return Result.match(decode(reply.error), {
      onFailure: (error) => Effect.fail<unknown>(wrong(`the refusal of ${tag}`, error)),
      onSuccess: (error) => Effect.fail(error)
    })
  })
}

const wrong = (of: string, { issue }: Schema.SchemaError) =>
  new LiveSocketError({ reason: new Undecodable({ of, issues: FieldIssue.fromIssue(issue) }) })
