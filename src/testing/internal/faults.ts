/**
 * What a service's methods take and fail with, and a service with other methods in their place.
 */
import * as Effect from "effect/Effect"
import type { CheckpointError } from "../../ports/CheckpointStore.ts"
import type { EventBusError } from "../../ports/EventBusError.ts"
import type { EventStoreError } from "../../ports/EventStoreError.ts"
import type { ReadModelError } from "../../ports/ReadModelStore.ts"
import type { SnapshotError } from "../../ports/SnapshotStore.ts"
import type { UnitOfWorkError } from "../../ports/UnitOfWork.ts"

type Answer = Effect.Effect<unknown, unknown, unknown>

export type Methods<Shape> = {
  [Name in keyof Shape]: Shape[Name] extends Answer | ((...args: never) => Answer) ? Name : never
}[keyof Shape]

export type Args<Method> = Method extends Answer
  ? readonly []
  : Method extends (...args: infer Args) => unknown
    ? Args
    : never

/** What a method fails with, whatever it is given. */
export type Failure<Method> =
  Method extends Effect.Effect<infer _A, infer E, infer _R>
    ? E
    : Method extends (...args: never) => Effect.Effect<infer _A, infer E, infer _R>
      ? unknown extends E
        ? Own<Method>
        : E
      : never

type Own<Method> =
  Method extends Taking<PortError>
    ? {
        [Tag in PortError["_tag"]]: Method extends Taking<Exclude<PortError, { readonly _tag: Tag }>>
          ? never
          : Tagged<Tag>
      }[PortError["_tag"]]
    : unknown

/** A method that is given an effect which never fails, and fails with nothing but `E`: so the compiler tells its own errors. */
type Taking<E> = (self: Effect.Effect<never>) => Effect.Effect<unknown, E, unknown>

type PortError = EventStoreError | ReadModelError | CheckpointError | SnapshotError | UnitOfWorkError | EventBusError

type Tagged<Tag> = Extract<PortError, { readonly _tag: Tag }>

/** Runs an effect that is a call with these arguments. */
type Around = (self: Answer, args: ReadonlyArray<unknown>) => Answer

/** The same service, with these around its methods. */
export const intercept = <Shape extends object>(service: Shape, arounds: ReadonlyMap<string | symbol, Around>): Shape =>
  new Proxy(service, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      const around = arounds.get(name)
      if (around !== undefined && Effect.isEffect(member)) return around(member, [])
      if (typeof member !== "function") return member
      // A method finds its service where it was, with all that is private to it.
      const method = (...args: ReadonlyArray<unknown>) => Reflect.apply(member, target, args)
      return around === undefined
        ? method
        : (...args: ReadonlyArray<unknown>) =>
            around(
              Effect.suspend(() => method(...args)),
              args
            )
    }
  })
