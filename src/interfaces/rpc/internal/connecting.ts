/** How clients reach a server. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Socket from "effect/socket/Socket"

export type Headers = Readonly<Record<string, string>> | Effect.Effect<Readonly<Record<string, string>>>

export const current = (headers: Headers): Effect.Effect<Readonly<Record<string, string>>> =>
  Effect.isEffect(headers) ? headers : Effect.succeed(headers)

/** A request for each call, with these headers. */
export const overHttp = ({
  headers = {},
  url
}: {
  readonly url: string
  readonly headers?: Headers | undefined
}): Layer.Layer<RpcClient.Protocol, never, HttpClient.HttpClient> => {
  const protocol = Effect.flatMap(HttpClient.HttpClient, (client) =>
    RpcClient.makeProtocolHttp(
      client.pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl(url)),
        HttpClient.mapRequestEffect((request) =>
          Effect.map(current(headers), (pairs) => HttpClientRequest.setHeaders(request, pairs))
        ),
        HttpClient.filterStatusOk
      )
    )
  )
  return Layer.provide(Layer.effect(RpcClient.Protocol, protocol), RpcSerialization.layerNdjson)
}

/** One connection for all calls. */
export const overWebSocket = (url: string): Layer.Layer<RpcClient.Protocol, never, Socket.WebSocketConstructor> =>
  RpcClient.layerProtocolSocket().pipe(
    Layer.provide([Layer.effect(Socket.Socket, Socket.makeWebSocket(url)), RpcSerialization.layerNdjson])
  )
