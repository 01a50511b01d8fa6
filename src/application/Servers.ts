/**
 * Where a service is, and which of its servers a call goes to.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Dns from "effect/net/Dns"
import { Choosing, type Server, type Strategy } from "./internal/choosing.ts"

/**
 * The servers of one service, for the `url` of a client.
 *
 * **Details**
 *
 * Calls are spread over all of them. One that cannot be reached is left alone for a second, for twice that with each failure
 * that follows, and for half a minute at last; then one call tries it again. When all of them are left alone, the next call
 * tries the one whose time comes first. A call that no server has seen, because the connection was refused, goes to another
 * server at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Servers<out R = never> {
  readonly name: string
  readonly strategy: Strategy
  readonly find: Effect.Effect<ReadonlyArray<string>, unknown, R>
  /** For how long what was found is used, in milliseconds; for ever when absent. */
  readonly freshMillis: number | undefined
}

/**
 * How calls are spread.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** In turns, or to whom the fewest calls are open; `"round-robin"` when absent. */
  readonly strategy?: Strategy | undefined
}

/**
 * No server of a service is known.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoServer extends Schema.TaggedError<NoServer>("effect-cqrs/NoServer")("NoServer", {
  service: Schema.String,
  cause: Schema.optional(Schema.Unknown)
}) {
  override get message(): string {
    return `No server of ${this.service} is known`
  }
}

/**
 * Servers by their URLs.
 *
 * **Example** (Two of them)
 *
 * ```ts
 * import { Servers } from "effect-cqrs"
 *
 * const tasks = Servers.list(["http://10.0.0.1:8080", "http://10.0.0.2:8080"], { strategy: "least-pending" })
 * tasks.name // => "http://10.0.0.1:8080, http://10.0.0.2:8080"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const list = (
  urls: readonly [string, ...ReadonlyArray<string>],
  { strategy = "round-robin" }: Options = {}
): Servers => ({ name: urls.join(", "), strategy, find: Effect.succeed(urls), freshMillis: undefined })

/**
 * Every address that DNS has for the host of a URL.
 *
 * **Details**
 *
 * It is asked again when what it said is older than `every`, 5 seconds when absent: by one call, while others go to the
 * servers of before. When it says nothing, those stay.
 *
 * **Gotchas**
 *
 * Requests go to addresses, not to the name: that is for plain HTTP within a network. A server of HTTPS proves a name, and
 * one that has several sites on one address cannot tell them apart.
 *
 * **Example** (Of a service in a network)
 *
 * ```ts
 * import { Servers } from "effect-cqrs"
 *
 * const tasks = Servers.dns("http://tasks.internal:8080", { every: "10 seconds" })
 * tasks.freshMillis // => 10000
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const dns = (
  url: string,
  { every = "5 seconds", strategy = "round-robin" }: Options & { readonly every?: Duration.Input | undefined } = {}
): Servers<Dns.Dns> => ({
  name: url,
  strategy,
  find: Effect.gen(function* () {
    const resolver = yield* Dns.Dns
    const at = URL.parse(url)
    if (at === null) return yield* Effect.fail(`${url} is no URL`)
    return Array.from(yield* resolver.lookup(at.hostname), (address) => {
      const host = String(address)
      const found = new URL(at)
      found.hostname = host.includes(":") ? `[${host}]` : host
      return found.href.replace(/\/$/, "")
    })
  }),
  freshMillis: Duration.toMillis(every)
})

/**
 * What a failed call says of its server: that it has not seen the call, that it is out of reach, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = "unseen" | "lost" | undefined

/**
 * Sends calls to servers: for whoever writes a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pool {
  readonly use: <A, E, R>(
    call: (url: string) => Effect.Effect<A, E, R>,
    verdict: (error: E) => Verdict
  ) => Effect.Effect<A, E | NoServer, R>
  /** A server for a connection that stays. */
  readonly next: Effect.Effect<string, NoServer>
}

/**
 * What errors call a service.
 *
 * @category models
 * @since 0.1.0
 */
export const nameOf = <R>(url: string | Servers<R>): string => (typeof url === "string" ? url : url.name)

/**
 * The pool of a client, which remembers how its servers are.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pool = <R>(servers: string | Servers<R>): Effect.Effect<Pool, never, R> =>
  typeof servers === "string"
    ? Effect.succeed(single(servers))
    : Effect.map(Effect.context<R>(), (context) => {
        const find = Effect.provideContext(servers.find, context)
        return many({ ...servers, find })
      })

/** How long nobody is asked again who did not know, in milliseconds. */
const pause = 1000

const single = (url: string): Pool => ({ use: (call) => call(url), next: Effect.succeed(url) })

const many = (servers: Servers): Pool => {
  const choosing = new Choosing(servers.strategy)
  const lock = Semaphore.makeUnsafe(1)
  const { find, freshMillis, name } = servers
  let freshUntil = 0
  let failure: unknown

  const ask = Effect.gen(function* () {
    const found = yield* Effect.exit(find)
    const fresh = freshMillis ?? Number.POSITIVE_INFINITY
    const isFound = Exit.isSuccess(found) && found.value.length > 0
    freshUntil = (yield* Clock.currentTimeMillis) + (isFound ? fresh : Math.min(fresh, pause))
    if (isFound) return choosing.know(found.value)
    failure = Exit.isFailure(found) ? found.cause : undefined
    yield* Effect.logWarning(`The servers of ${name} could not be found`, failure)
  })
  /** One asks; others wait only where there is nothing to go on with. */
  const known = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (now < freshUntil) return Effect.void
    if (choosing.isEmpty) {
      return lock.withPermit(Effect.suspend(() => (choosing.isEmpty && now >= freshUntil ? ask : Effect.void)))
    }
    return Effect.asVoid(lock.withPermitsIfAvailable(1)(ask))
  })
  const none = Effect.suspend(() => Effect.fail(new NoServer({ service: name, cause: failure })))

  const settle = (server: Server, since: number, verdict: Verdict, error: unknown) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (verdict === undefined) return choosing.well(server) ? Effect.logInfo(`${server.url} is back`) : Effect.void
      return choosing.lost(server, since, now)
        ? Effect.logWarning(`${server.url} is left alone for now`, error)
        : Effect.void
    })

  const attempt = <A, E, R>(
    call: (url: string) => Effect.Effect<A, E, R>,
    verdictOf: (error: E) => Verdict,
    tried: ReadonlySet<Server>,
    otherwise: Effect.Effect<never, E | NoServer>
  ): Effect.Effect<A, E | NoServer, R> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const server = choosing.choose(now, tried)
      if (server === undefined) return otherwise
      server.pending++
      return call(server.url).pipe(
        Effect.ensuring(Effect.sync(() => server.pending--)),
        Effect.tap(() => (server.failures > 0 ? settle(server, now, undefined, undefined) : Effect.void)),
        Effect.catch((error: E): Effect.Effect<A, E | NoServer, R> => {
          const verdict = verdictOf(error)
          const settled = settle(server, now, verdict, error)
          const failed = Effect.fail(error)
          return Effect.andThen(
            settled,
            verdict === "unseen" ? attempt(call, verdictOf, new Set([...tried, server]), failed) : failed
          )
        })
      )
    })

  return {
    use: (call, verdictOf) => Effect.andThen(known, attempt(call, verdictOf, new Set(), none)),
    next: Effect.andThen(
      known,
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const server = choosing.choose(now, new Set())
        return server === undefined ? none : Effect.succeed(server.url)
      })
    )
  }
}

const unseen = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT"
])

/**
 * Whether an error, or what caused it, says that there was no connection to send a call on.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isUnseen = (error: unknown, depth = 8): boolean => {
  if (depth === 0 || typeof error !== "object" || error === null) return false
  if ("code" in error && typeof error.code === "string" && unseen.has(error.code)) return true
  if (error instanceof AggregateError) return error.errors.every((one) => isUnseen(one, depth - 1))
  return ["cause", "reason"].some((name) => name in error && isUnseen(Reflect.get(error, name), depth - 1))
}
