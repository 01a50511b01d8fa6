/**
 * What the tests of event streams share: a log, servers over it that come and go, and connections that break.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpRouter from "effect/http/HttpRouter"
import * as LiveTail from "../../src/application/LiveTail.ts"
import * as Event from "../../src/domain/Event.ts"
import * as Position from "../../src/domain/Position.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as Sse from "../../src/interfaces/sse/Sse.ts"
import * as SseClient from "../../src/interfaces/sse/SseClient.ts"
import * as SseConnections from "../../src/interfaces/sse/SseConnections.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

export class Added extends Event.Class<Added>()(
  "Added",
  { n: Schema.Int, text: Schema.String },
  { tags: ({ n }) => [n % 2 === 0 ? "even" : "odd"] }
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

export type Handler = (request: Request) => Promise<Response>

export interface Serving {
  readonly tail?: LiveTail.Options | undefined
  readonly limits?: SseConnections.Limits | undefined
  readonly sse?: Sse.Options | undefined
  /** Another tail in place of the right one. */
  readonly over?: ((tail: LiveTail.LiveTail["Service"]) => LiveTail.LiveTail["Service"]) | undefined
}

/** A server of `/tenant` over the log; it ends with its scope. */
export const serve = ({ limits, over, sse, tail }: Serving = {}) =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const services = yield* Layer.build(
      Layer.merge(LiveTail.layer(tail), SseConnections.layer(limits)).pipe(
        Layer.provide([Layer.succeed(EventStore.EventStore, store), SystemContext.layer("test")])
      )
    )
    const right = Context.get(services, LiveTail.LiveTail)
    const context = Context.add(services, LiveTail.LiveTail, over?.(right) ?? right)
    const route = HttpRouter.add("GET", "/:tenant", (request) =>
      Sse.respond({ principal: "ada", ...sse }).pipe(
        Effect.catch((error) => Effect.succeed(Sse.respondError(error))),
        TenantContext.provide(new URL(request.url, "http://localhost").pathname.slice(1)),
        Effect.provide(context)
      )
    )
    const { handler } = yield* Effect.acquireRelease(
      Effect.sync(() => HttpRouter.toWebHandler(route, { disableLogger: true })),
      ({ dispose }) => Effect.promise(dispose)
    )
    const connections = Context.get(services, SseConnections.SseConnections)
    return { handler: (request: Request) => handler(request), connections }
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

/** Breaks after some bytes, which come in pieces of any size. */
export const anywhere =
  (most: number) =>
  <E>(body: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const end = yield* Random.nextIntBetween(1, most)
        const size = yield* Random.nextIntBetween(1, 40)
        const pieces = Stream.flatMap(body, (bytes) =>
          Stream.fromIterable(
            Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
              bytes.subarray(index * size, (index + 1) * size)
            )
          )
        )
        let left = end
        return pieces.pipe(
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
    retry: "1 millis",
    longestRetry: "1 millis"
  })

/** All of a tenant's numbers, as the log has them. */
export const logged = (tenant: string) =>
  Effect.flatMap(EventStore.EventStore, (store) =>
    Effect.map(store.readAll({ after: Position.start, limit: 100_000, types: ["Added"] }), ({ events }) =>
      events.map(({ position }) => position)
    )
  ).pipe(TenantContext.provide(tenant))
