/**
 * Commands and queries that are handled in one process and sent from another.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type * as CommandBus from "../../application/CommandBus.ts"
import type * as QueryBus from "../../application/QueryBus.ts"
import type * as DispatchError from "../../domain/DispatchError.ts"
import type * as Message from "../../domain/Message.ts"
import type { Receipt } from "../../ports/Receipt.ts"
import * as Wire from "./internal/wire.ts"

/**
 * Message classes that server and client agree on.
 *
 * @category models
 * @since 0.1.0
 */
export interface MessageGroup<out Classes extends Message.AnyClass<Message.Any>> {
  readonly classes: ReadonlyArray<Classes>
}

/**
 * Any group.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = MessageGroup<Message.AnyClass<Message.Any>>

/**
 * The handlers of a group's messages: what its server requires, and what its client gives.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type HandlersOf<Group extends Any> = HandlerOf<Group["classes"][number]>

type HandlerOf<C> = C extends { readonly kind: infer Kind; readonly tag: infer Tag extends string }
  ? Kind extends "command"
    ? CommandBus.Handler<Tag>
    : QueryBus.Handler<Tag>
  : never

/**
 * The procedure of a message class: named by its kind and tag, with its success and its error.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type RpcOf<C> =
  C extends Message.AnyClass<Message.Any>
    ? Rpc.Rpc<
        `${C["kind"]}/${C["tag"]}`,
        Schema.Unknown,
        Schema.Struct<{ readonly value: C["success"]; readonly receipt: typeof Receipt }>,
        Schema.Union<readonly [C["error"], typeof DispatchError.DispatchError]>
      >
    : never

/**
 * Makes a group of message classes.
 *
 * **Details**
 *
 * Put it where server and client both find it, with the classes and without the handlers. It throws when a class is in it
 * twice.
 *
 * **Example** (A group)
 *
 * ```ts
 * import { Command } from "effect-cqrs"
 * import { MessageGroup } from "effect-cqrs/rpc"
 *
 * class Open extends Command.Class<Open>()("Open", { payload: {} }) {}
 * class Close extends Command.Class<Close>()("Close", { payload: {} }) {}
 *
 * MessageGroup.make(Open, Close).classes.map(({ tag }) => tag) // => ["Open", "Close"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Classes extends ReadonlyArray<Message.AnyClass<Message.Any>>>(
  ...classes: Classes
): MessageGroup<Classes[number]> => {
  const names = classes.map(Wire.nameOf)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`The group has ${twice} twice`)
  return { classes }
}

/**
 * The group as one of Effect's, for whatever works with those.
 *
 * **Details**
 *
 * The payload of a procedure is JSON: `message`, and what travels with it (`messageId`, `correlationId`, `causationId`,
 * `attributes`, `after`, `timeoutMillis`).
 *
 * **Example** (What it consists of)
 *
 * ```ts
 * import { Command, Query } from "effect-cqrs"
 * import { MessageGroup } from "effect-cqrs/rpc"
 * import * as Schema from "effect/Schema"
 *
 * class Rename extends Command.Class<Rename>()("Rename", { payload: { name: Schema.String } }) {}
 * class Name extends Query.Class<Name>()("Name", { payload: {}, success: Schema.String }) {}
 *
 * const rpcs = MessageGroup.toRpcGroup(MessageGroup.make(Rename, Name))
 * Array.from(rpcs.requests.keys()) // => ["command/Rename", "query/Name"]
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export function toRpcGroup<Classes extends Message.AnyClass<Message.Any>>(
  group: MessageGroup<Classes>
): RpcGroup.RpcGroup<RpcOf<Classes>>
export function toRpcGroup(group: Any): unknown {
  return Wire.procedures(group.classes)
}
