/** Commands and queries that come over a socket. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as CommandBus from "../../../application/CommandBus.ts"
import * as QueryBus from "../../../application/QueryBus.ts"
import type * as Command from "../../../domain/Command.ts"
import * as DispatchError from "../../../domain/DispatchError.ts"
import type * as Message from "../../../domain/Message.ts"
import type { Position } from "../../../domain/Position.ts"
import type * as Query from "../../../domain/Query.ts"
import * as IdGenerator from "../../../ports/IdGenerator.ts"
import type { TenantContext } from "../../../ports/TenantContext.ts"
import * as Protocol from "./protocol.ts"

export interface Sent {
  readonly messageId?: string | undefined
  readonly after?: { readonly position: Position } | undefined
}

type Handlers = CommandBus.Handler<string> | QueryBus.Handler<string> | TenantContext

/** Sends a message to its handler, and answers with the text of the reply. */
export type Call = (id: string, input: unknown, sent: Sent) => Effect.Effect<string, never, Handlers>

const encodeDispatch = Schema.encodeUnknownSync(Schema.toCodecJson(DispatchError.DispatchError))

const isCommand = (message: Message.AnyClass<Message.Any>): message is Message.AnyClass<Command.Any> =>
  message.kind === "command"
const isQuery = (message: Message.AnyClass<Message.Any>): message is Message.AnyClass<Query.Any> =>
  message.kind === "query"

interface Answered {
  readonly value: unknown
  readonly receipt?: CommandBus.Dispatched<unknown>["receipt"]
}

/** The messages that may be sent, by kind and tag. */
export const make = (classes: ReadonlyArray<Message.AnyClass<Message.Any>>): ReadonlyMap<string, Call> =>
  new Map(classes.map((self) => [`${self.kind} ${self.tag}`, call(self)]))

/** The reply to a message that is not served here. */
export const notHandled = (id: string, kind: Message.Kind, tag: string): string =>
  refused(id, DispatchError.make(tag, new DispatchError.NotHandled({ kind })))

const refused = (id: string, error: DispatchError.DispatchError): string =>
  Protocol.text({ type: "failed", id, of: "dispatch", error: encodeDispatch(error) })

const call = (self: Message.AnyClass<Message.Any>): Call => {
  const encodeSuccess = Schema.encodeUnknownResult(Schema.toCodecJson(self.success))
  const encodeFailure = Schema.encodeUnknownResult(Schema.toCodecJson(self.error))
  const isVoid = self.success === Schema.Void
  const dispatch = (input: unknown, sent: Sent): Effect.Effect<Answered, unknown, Handlers> => {
    if (isCommand(self)) {
      return Effect.flatMap(CommandBus.parse(self, input), (command) => CommandBus.dispatch(command, sent))
    }
    return isQuery(self)
      ? Effect.flatMap(QueryBus.parse(self, input), (query) =>
          Effect.map(QueryBus.ask(query, sent), (value) => ({ value }))
        )
      : Effect.die(`${self.tag} is neither a command nor a query`)
  }
  const fail = (id: string, error: unknown): Effect.Effect<string> => {
    if (error instanceof DispatchError.DispatchError) return Effect.succeed(refused(id, error))
    const encoded = encodeFailure(error)
    return Result.isFailure(encoded)
      ? Effect.die(encoded.failure)
      : Effect.succeed(Protocol.text({ type: "failed", id, of: "message", error: encoded.success }))
  }
  return (id, input, sent) =>
    dispatch(input, sent).pipe(
      Effect.matchEffect({
        onFailure: (error) => fail(id, error),
        onSuccess: ({ receipt, value }) => {
          const encoded = isVoid ? Result.succeed(undefined) : encodeSuccess(value)
          if (Result.isFailure(encoded)) return Effect.die(encoded.failure)
          return Effect.succeed(
            Protocol.text({ type: "answer", id, value: encoded.success, ...(receipt === undefined ? {} : { receipt }) })
          )
        }
      }),
      Effect.catchCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.interrupt : bug(id, self.tag, cause)))
    )
}

// What a bug is, is for the log alone.
const bug = (id: string, tag: string, cause: Cause.Cause<unknown>): Effect.Effect<string> =>
  Effect.flatMap(IdGenerator.next, (name) =>
    Effect.logError(`${tag} failed with a defect`, cause).pipe(
      Effect.annotateLogs({ defect: name }),
      Effect.as(refused(id, DispatchError.make(tag, new DispatchError.Defect({ id: name }))))
    )
  )
