import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Actor from "../../src/domain/Actor.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as Authenticator from "../../src/ports/Authenticator.ts"
import { MessageContext } from "../../src/ports/MessageContext.ts"
import { TenantContext } from "../../src/ports/TenantContext.ts"

it.effect("runs what it is asked as the principal, in place of who ran it before", () =>
  Effect.gen(function* () {
    const seen = Effect.all([
      Effect.map(TenantContext, ({ id }) => id),
      Effect.map(MessageContext, ({ actor }) => actor)
    ])
    const ada = { tenant: TenantId.make("acme"), actor: Actor.user("ada") }
    const bob = { tenant: TenantId.make("globex"), actor: Actor.service("bob") }
    expect(yield* seen.pipe(Authenticator.provide(ada), Authenticator.provide(bob))).toEqual([
      "acme",
      Actor.user("ada")
    ])
  })
)

it.effect("refuses by its one error", () =>
  Effect.gen(function* () {
    const authenticate = Effect.flatMap(Authenticator.Authenticator, (one) =>
      one.authenticate({ headers: {}, url: "/" })
    ).pipe(Effect.flip)
    const none = yield* Effect.provide(
      authenticate,
      Authenticator.layer(() => Authenticator.unauthenticated)
    )
    expect(none.reason._tag).toBe("Unauthenticated")
    const known = yield* Effect.provide(
      authenticate,
      Authenticator.layer(() => Authenticator.denied)
    )
    expect(known.reason._tag).toBe("Denied")
  })
)
