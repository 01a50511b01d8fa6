/**
 * What clients keep for the server: where they are in the log, and for a short time who they are.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Mac from "effect/crypto/Mac"
import type { CryptoError } from "effect/crypto/CryptoError"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Actor from "../domain/Actor.ts"
import * as Position from "../domain/Position.ts"
import * as TenantId from "../domain/TenantId.ts"
import type { Principal } from "../ports/Authenticator.ts"
import { InvalidCursor, InvalidTicket, LiveError, SigningFailed } from "./LiveError.ts"

/**
 * Writes and reads cursors and tickets.
 *
 * **Details**
 *
 * - `cursor` is a position as a tenant's clients get it.
 * - `position` is what was a cursor of this tenant, or `undefined` when it is one of another epoch of the log; what is none fails
 *   with `InvalidCursor`.
 * - `ticket` names a principal for so long: for the URL of an `EventSource` or a `WebSocket`, which send no headers of one's own.
 * - `principal` is whom a ticket names; it fails with `InvalidTicket`.
 *
 * @category models
 * @since 0.1.0
 */
export interface LiveTokens {
  readonly cursor: (tenant: TenantId.TenantId, position: Position.Position) => Effect.Effect<string, LiveError>
  readonly position: (
    tenant: TenantId.TenantId,
    cursor: string
  ) => Effect.Effect<Position.Position | undefined, LiveError>
  readonly ticket: (principal: Principal, lifetime?: Duration.Input) => Effect.Effect<string, LiveError>
  readonly principal: (ticket: string) => Effect.Effect<Principal, LiveError>
}

type Sign = (text: string) => Effect.Effect<string, LiveError>

const refuse = (reason: LiveError["reason"]) => Effect.fail(new LiveError({ reason }))

const Claims = Schema.fromJsonString(
  Schema.Struct({ tenant: TenantId.TenantId, actor: Actor.Actor, until: Schema.Finite })
)
const encodeClaims = Schema.encodeSync(Claims)
const decodeClaims = Schema.decodeUnknownResult(Claims)

// Compared in the same time wherever they differ.
const isSame = (one: string, other: string): boolean => {
  const encoder = new TextEncoder()
  return Mac.timingSafeEqual(encoder.encode(one), encoder.encode(other))
}

const make = (epoch: string, sign: Sign | undefined): LiveTokens => {
  const unsigned = epoch === "" ? "" : `.${epoch}`
  return {
    cursor: (tenant, position) => {
      if (sign === undefined) return Effect.succeed(`${position}${unsigned}`)
      const signature = sign(JSON.stringify(["cursor", tenant, epoch, position]))
      return Effect.map(signature, (tag) => `${position}.${epoch}.${tag}`)
    },
    position: (tenant, cursor) => {
      const invalid = refuse(new InvalidCursor({ cursor: cursor.slice(0, 100) }))
      const [digits = "", of = "", tag, ...rest] = cursor.length > 300 ? [] : cursor.split(".")
      const position = Number(digits)
      if (!/^(0|[1-9]\d{0,15})$/.test(digits) || !Number.isSafeInteger(position) || rest.length > 0) return invalid
      const found = of === epoch ? Position.make(position) : undefined
      if (sign === undefined) {
        return cursor === (of === "" ? digits : `${digits}.${of}`) ? Effect.succeed(found) : invalid
      }
      if (tag === undefined) return invalid
      const expected = sign(JSON.stringify(["cursor", tenant, of, position]))
      return Effect.flatMap(expected, (right) => (isSame(right, tag) ? Effect.succeed(found) : invalid))
    },
    ticket: ({ actor, tenant }, lifetime = "1 minute") => {
      if (sign === undefined) return refuse(new SigningFailed({ why: "there is no secret" }))
      return Effect.gen(function* () {
        const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(lifetime)
        const claims = Base64Url.encode(encodeClaims({ tenant, actor, until }))
        return `${claims}.${yield* sign(JSON.stringify(["ticket", claims]))}`
      })
    },
    principal: (ticket) => {
      const forged = refuse(new InvalidTicket({ expired: false }))
      const [claims = "", tag = "", ...rest] = ticket.length > 2_000 ? [] : ticket.split(".")
      if (sign === undefined || tag === "" || rest.length > 0) return forged
      return Effect.gen(function* () {
        if (!isSame(yield* sign(JSON.stringify(["ticket", claims])), tag)) return yield* forged
        const read = Result.flatMap(Base64Url.decodeString(claims), decodeClaims)
        if (Result.isFailure(read)) return yield* forged
        const { actor, tenant, until } = read.success
        if (until <= (yield* Clock.currentTimeMillis)) return yield* refuse(new InvalidTicket({ expired: true }))
        return { actor, tenant }
      })
    }
  }
}

/**
 * How cursors and tickets are written in this program.
 *
 * **Details**
 *
 * Without a layer, cursors are plain positions and there are no tickets. A client can then go where it likes in what its
 * tenant may see, which is no harm where it may see what is old.
 *
 * @category services
 * @since 0.1.0
 */
export const LiveTokens: Context.Reference<LiveTokens> = Context.Reference<LiveTokens>(
  "effect-cqrs/application/LiveTokens",
  { defaultValue: () => make("", undefined) }
)

/**
 * What cursors and tickets are made with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** At least 16 characters, the same at all instances; what another one signed is refused. */
  readonly secret: Redacted.Redacted
  /**
   * The name of the log's history: letters, digits, `-` and `_`; empty when absent. Give it another after the log was restored
   * from a backup: who comes with a cursor of before is told so by a reset.
   */
  readonly epoch?: string | undefined
}

/**
 * Cursors and tickets signed with HMAC-SHA-256: nobody can make one up, or use another tenant's. It fails with `SigningFailed`
 * where the secret is too short or the epoch is no name.
 *
 * **Example** (A cursor of one tenant is none of another)
 *
 * ```ts
 * import { LiveTokens, Position, TenantId } from "effect-cqrs"
 * import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const Signed = LiveTokens.layer({ secret: Redacted.make("sixteen characters") }).pipe(Layer.provide(NodeCrypto.layerMac))
 *
 * const program = Effect.gen(function* () {
 *   const tokens = yield* LiveTokens.LiveTokens
 *   const cursor = yield* tokens.cursor(TenantId.make("acme"), Position.make(7))
 *   const foreign = yield* Effect.flip(tokens.position(TenantId.make("globex"), cursor))
 *   return [yield* tokens.position(TenantId.make("acme"), cursor), foreign.reason._tag]
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(Signed))) // => [7, "InvalidCursor"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = ({ epoch = "", secret }: Options): Layer.Layer<never, LiveError, Mac.Mac> =>
  Layer.effect(
    LiveTokens,
    Effect.gen(function* () {
      const value = Redacted.value(secret)
      if (value.length < 16) return yield* refuse(new SigningFailed({ why: "the secret has less than 16 characters" }))
      if (!isName(epoch)) return yield* refuse(new SigningFailed({ why: `"${epoch}" is no name of an epoch` }))
      const mac = yield* Mac.Mac
      const encoder = new TextEncoder()
      const key = yield* failing(Mac.key(Mac.hmacSha256, encoder.encode(value)))
      return make(epoch, (text) =>
        Effect.map(failing(mac.sign(key, encoder.encode(text))), (tag) => Base64Url.encode(tag.subarray(0, 16)))
      )
    })
  )

/**
 * Plain cursors that say of which epoch of the log they are; see {@link Options}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUnsigned = (epoch: string): Layer.Layer<never, LiveError> =>
  Layer.effect(
    LiveTokens,
    isName(epoch)
      ? Effect.succeed(make(epoch, undefined))
      : refuse(new SigningFailed({ why: `"${epoch}" is no name of an epoch` }))
  )

const isName = (epoch: string): boolean => /^[\w-]{0,64}$/.test(epoch)

const failing = <A>(self: Effect.Effect<A, CryptoError>): Effect.Effect<A, LiveError> =>
  Effect.mapError(self, ({ message }) => new LiveError({ reason: new SigningFailed({ why: message }) }))
