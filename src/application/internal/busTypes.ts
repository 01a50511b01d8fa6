/** What the compiler checks of the handlers that a bus is given. */
import type { Scope } from "effect/Scope"
import type * as Message from "../../domain/Message.ts"
import type { Allowed, AnyEntry, EntriesOf, Entry, Handlers } from "../../middleware/Handler.ts"
import type { TenantContext } from "../../ports/TenantContext.ts"

/** Services that come with every call, and are therefore no requirement of a layer. */
export type PerCall = TenantContext

/** What the layer of these handlers requires. */
export type Requires<Groups extends ReadonlyArray<Handlers<AnyEntry>>> = Exclude<
  RequiresOf<EntriesOf<Groups[number]>>,
  PerCall
>

type RequiresOf<E> = E extends Entry<infer _M, infer _E, infer R> ? R : never

/** The tags that these handlers are for. */
export type Tags<Groups extends ReadonlyArray<Handlers<AnyEntry>>> = TagOf<EntriesOf<Groups[number]>>

type TagOf<E> = E extends Entry<infer M, infer _E, infer _R> ? M["_tag"] : never

/** The groups as they are, or in place of a wrong one the sentence that says what is wrong with it. */
export type Checked<Kind extends Message.Kind, Groups extends ReadonlyArray<Handlers<AnyEntry>>> = {
  readonly [K in keyof Groups]: [Complaint<Kind, EntriesOf<Groups[K]>>] extends [never]
    ? Groups[K]
    : Complaint<Kind, EntriesOf<Groups[K]>>
}

type Complaint<Kind extends Message.Kind, E> =
  E extends Entry<infer M, infer Failure, infer R>
    ? M[Message.TypeId]["kind"] extends Kind
      ? [Exclude<Failure, Allowed<M>>] extends [never]
        ? Scope extends R
          ? `The handler of ${M["_tag"]} requires a Scope: close it inside the handler with Effect.scoped`
          : never
        : `The handler of ${M["_tag"]} may fail with ${Named<Exclude<Failure, Allowed<M>>>}: declare it as the ${Kind}'s error, or handle it`
      : `${M["_tag"]} is a ${M[Message.TypeId]["kind"]}, not a ${Kind}`
    : never

type Named<E> = E extends { readonly _tag: infer Tag extends string } ? Tag : "an error without a _tag"
