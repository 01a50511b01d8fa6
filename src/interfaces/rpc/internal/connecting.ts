/** How clients reach a server. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Socket from "effect/socket/Socket"
import * as Servers from "../../../application/Servers.ts"

export type Headers = Readonly<Record<string, string>> | Effect.Effect<Readonly<Record<string, string>>>

export const current = (headers: Headers): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.isEffect(headers) ? headers : Effect.succeed(headers)

/** A request for each call, with these headers. */
export const overHttp = <R>({
  headers = {},
  url
}: {
  readonly url: string | Servers.Servers<R>
  readonly headers?: Headers | undefined
}): Layer.Layer<RpcClient.Protocol, never, HttpClient.HttpClient | R> => {
  const protocol = Effect.flatMap(Effect.all([HttpClient.HttpClient, Servers.pool(url)]), ([client, pool]) =>
    RpcClient.makeProtocolHttp(
      spread(client, pool).pipe(
        HttpClient.mapRequestEffect((request) =>
          Effect.map(current(headers), (pairs) => HttpClientRequest.setHeaders(request, pairs))
        ),
        HttpClient.filterStatusOk
      )
    )
  )
  return Layer.provide(Layer.effect(RpcClient.Protocol, protocol), RpcSerialization.layerNdjson)
}

/** Each request goes to a server of the pool. */
const spread = (client: HttpClient.HttpClient, pool: Servers.Pool): HttpClient.HttpClient =>
  HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap((request) =>
      pool
        .use((url) => client.execute(HttpClientRequest.prependUrl(request, url)), verdictOf)
        .pipe(Effect.catchTag("NoServer", (cause) => Effect.fail(unsent(request, cause))))
    ),
    Effect.succeed
  )

const verdictOf = (error: HttpClientError.HttpClientError): Servers.Verdict => {
  if (error.reason._tag !== "TransportError") return undefined
  return Servers.isUnseen(error) ? "unseen" : "lost"
}

const unsent = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

/** One connection for all calls; to another server whenever it is made again. */
export const overWebSocket = <R>(
  url: string | Servers.Servers<R>
): Layer.Layer<RpcClient.Protocol, never, Socket.WebSocketConstructor | R> => {
  const socket = Effect.flatMap(Servers.pool(url), ({ next }) =>
    Socket.makeWebSocket(Effect.orDie(Effect.retry(next, Schedule.spaced("1 second"))))
  )
  return RpcClient.layerProtocolSocket().pipe(
    Layer.provide([Layer.effect(Socket.Socket, socket), RpcSerialization.layerNdjson])
  )
}
