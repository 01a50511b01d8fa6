/**
 * What the tests of event streams share: a log, servers over it that come and go, and connections that break.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpRouter from "effect/http/HttpRouter"
import * as TestClock from "effect/testing/TestClock"
import * as LiveConnections from "../../src/application/LiveConnections.ts"
import * as LiveTail from "../../src/application/LiveTail.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Position from "../../src/domain/Position.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as TenantId from "../../src/domain/TenantId.ts"
import * as Sse from "../../src/interfaces/sse/Sse.ts"
import * as SseClient from "../../src/interfaces/sse/SseClient.ts"
import * as Authenticator from "../../src/ports/Authenticator.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

export class Added extends Event.Class<Added>()(
  "Added",
  { n: Schema.Int, text: Schema.String },
  { tags: ({ n }) => [n % 2 === 0 ? "even" : "odd"] }
) {}
class Noted extends Event.Class<Noted>()(
  "Noted",
  { tags: Schema.Array(Schema.String), text: Schema.String },
  { tags: ({ tags }) => tags }
) {}
class Other extends Event.Class<Other>()("Other", {}) {}

export const append = (tenant: string, category: string, ...numbers: ReadonlyArray<number>) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({
      stream: StreamName.make(category, "1"),
      expected: "any",
      events: numbers.flatMap((n) => [new Added({ n, text: "naïve 🙂\nlines" }), new Other()])
    })
  ).pipe(TenantContext.provide(tenant))

/** An event that is sent to some channels. */
export const note = (tenant: string, tags: ReadonlyArray<string>, text = "") =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    store.append({ stream: StreamName.make("Note", "1"), expected: "any", events: [new Noted({ tags, text })] })
  ).pipe(TenantContext.provide(tenant))

export type Handler = (request: Request) => Promise<Response>

export interface Serving {
  readonly tail?: LiveTail.Options | undefined
  readonly limits?: LiveConnections.Options | undefined
  readonly sse?: Sse.Options | undefined
  readonly channels?: Sse.ChannelOptions | undefined
  /** Another tail in place of the right one. */
  readonly over?: ((tail: LiveTail.LiveTail["Service"]) => LiveTail.LiveTail["Service"]) | undefined
  /** A request in place of the one that came. */
  readonly request?: ((request: Request) => Request) | undefined
}

/** Says who sends a request: `Bearer tenant user`. */
export const known = Authenticator.layer(({ headers }) => {
  const [, tenant, user] = /^Bearer (\S+) (\S+)$/.exec(headers["authorization"] ?? "") ?? []
  return tenant === undefined || user === undefined
    ? Authenticator.unauthenticated
    : Effect.succeed({ tenant: TenantId.make(tenant), actor: Actor.user(user) })
})

/** The events of a log to who asks, as their channels or as all of `/tenant`; it ends with its scope. */
export const serve = ({ channels, limits, over, request: change, sse, tail }: Serving = {}) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const services = yield* Layer.build(
      Layer.mergeAll(LiveTail.layer(tail), LiveConnections.layer(limits), known).pipe(
        Layer.provide([Layer.succeed(EventStore.EventStore, store), SystemContext.layer("test")])
      )
    )
    const right = Context.get(services, LiveTail.LiveTail)
    const context = Context.merge(
      // A connection lives as long as its request.
      Context.omit(Scope.Scope)(yield* Effect.context<Scope.Scope>()),
      Context.add(services, LiveTail.LiveTail, over?.(right) ?? right)
    )
    const route = Layer.merge(
      HttpRouter.add("GET", "/", Sse.handle(channels).pipe(Effect.provide(context))),
      HttpRouter.add("GET", "/:tenant", (request) =>
        Sse.respond({ principal: "ada", ...sse }).pipe(
          Effect.catch((error) => Effect.succeed(Sse.respondError(error))),
          TenantContext.provide(new URL(request.url, "http://localhost").pathname.slice(1)),
          Effect.provide(context)
        )
      )
    )
    const { handler } = yield* Effect.acquireRelease(
      Effect.sync(() => HttpRouter.toWebHandler(route, { disableLogger: true })),
      ({ dispose }) => Effect.promise(dispose)
    )
    const connections = Context.get(services, LiveConnections.LiveConnections)
    const handle: Handler = (request) => handler(change?.(request) ?? request)
    return { handler: handle, connections, tail: right }
  })

/** A client whose connections go to whichever server there is, and break as `cut` says. */
export const client = (
  handler: Effect.Effect<Handler>,
  cut: (body: Stream.Stream<Uint8Array, HttpClientError.HttpClientError>) => typeof body = (body) => body
): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.gen(function* () {
      const handle = yield* handler
      const web = new Request(url, { headers: { ...request.headers }, signal })
      const response = HttpClientResponse.fromWeb(request, yield* Effect.promise(() => handle(web)))
      return new Proxy(response, {
        get: (target, key) => (key === "stream" ? cut(target.stream) : Reflect.get(target, key, target))
      })
    })
  )

/** Comes in pieces of so many bytes. */
export const pieces =
  (size: number) =>
  <E>(body: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
    Stream.flatMap(body, (bytes) =>
      Stream.fromIterable(
        Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size)
        )
      )
    )

/** Breaks after some bytes, which come in pieces of any size. */
export const anywhere =
  (most: number) =>
  <E>(body: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
    Stream.unwrap(
      Effect.gen(function* () {
        let left = yield* Random.nextIntBetween(1, most)
        return pieces(yield* Random.nextIntBetween(1, 40))(body).pipe(
          Stream.map((bytes) => {
            const piece = bytes.subarray(0, Math.max(left, 0))
            left -= bytes.length
            return piece
          }),
          Stream.takeUntil(() => left <= 0)
        )
      })
    )

export const read = (tenant: string) =>
  SseClient.events({
    url: `http://localhost/${tenant}?after=0`,
    events: [Added],
    retry: 0,
    longestRetry: 0
  })

/** All of a tenant's numbers, as the log has them. */
export const logged = (tenant: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.map(store.readAll({ after: Position.start, limit: 100_000, types: ["Added"] }), ({ events }) =>
      events.map(({ position }) => position)
    )
  ).pipe(TenantContext.provide(tenant))

export const open = (handler: Handler, path: string, headers: Record<string, string> = {}) =>
  Effect.promise(() => handler(new Request(`http://localhost${path}`, { headers })))

/** What comes over a connection, frame by frame; "" where it has ended. */
export const frames = (response: Response) => {
  const reader = response.body?.getReader()
  const text = new TextDecoder()
  let rest = ""
  const next = async (): Promise<string> => {
    while (true) {
      const end = rest.indexOf("\n\n")
      if (end >= 0) {
        const frame = rest.slice(0, end)
        rest = rest.slice(end + 2)
        return frame
      }
      const read = await reader?.read()
      if (read === undefined || read.done) return ""
      rest += text.decode(read.value, { stream: true })
    }
  }
  return {
    next: Effect.promise(next),
    take: (count: number) => Effect.forEach(Array.from({ length: count }), () => Effect.promise(next)),
    cancel: Effect.promise(async () => reader?.cancel())
  }
}

/** Lets the clock run, second by second, until an effect is done. */
export const elapsing = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(self, { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) {
      // Long enough for an answer over a socket.
      for (let times = 0; times < 10; times++) yield* turn
      yield* TestClock.adjust("1 second")
    }
    return yield* Fiber.join(fiber)
  })

/** Lets what is ready outside of Effect have its turn. */
export const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
