/** The driver's clients, made from one description of where Redis is. */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import { Cluster, Redis, type RedisOptions } from "ioredis"
import type { ConnectionOptions } from "node:tls"

/** A server's address. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** One server by its URL, the primary that sentinels know by a name, or a cluster. */
export type Target =
  | { readonly url: Redacted.Redacted<string> }
  | { readonly sentinels: ReadonlyArray<Address>; readonly name: string }
  | { readonly cluster: ReadonlyArray<Address> }

export interface Options {
  readonly target: Target
  readonly username: string | undefined
  readonly password: Redacted.Redacted<string> | undefined
  readonly tls: boolean | ConnectionOptions | undefined
  readonly connectTimeout: Duration.Duration
  readonly commandTimeout: Duration.Duration
  readonly connectionName: string
}

export type Client = Redis | Cluster

/** The driver's options, with replies as they are in Redis 6. */
type Settings = RedisOptions & { replyMapping: "legacy" }

const common = (options: Options): Settings => ({
  replyMapping: "legacy",
  connectionName: options.connectionName,
  connectTimeout: Duration.toMillis(options.connectTimeout),
  ...(options.username === undefined ? {} : { username: options.username }),
  ...(options.password === undefined ? {} : { password: Redacted.value(options.password) }),
  ...(options.tls === undefined || options.tls === false ? {} : { tls: options.tls === true ? {} : options.tls }),
  // What was on its way is refused, not sent again: whoever asked decides.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  // A primary that became a replica: the name may point elsewhere by now.
  reconnectOnError: (error) => error.message.startsWith("READONLY"),
  retryStrategy: (times) => pause(times)
})

/** Milliseconds before another attempt: from 100 ms, doubled each time, up to 2 s. */
const pause = (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2000)

const single = (target: Exclude<Target, { readonly cluster: unknown }>, options: Settings): Redis =>
  "url" in target
    ? new Redis(Redacted.value(target.url), options)
    : new Redis({
        ...options,
        sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
        name: target.name,
        sentinelRetryStrategy: pause,
        failoverDetector: true
      })

/** The shared connection for commands that are answered soon; it comes back by itself. */
export const shared = (options: Options): Client => {
  const limited = { ...common(options), commandTimeout: Duration.toMillis(options.commandTimeout) }
  return "cluster" in options.target ? cluster(options.target.cluster, limited) : single(options.target, limited)
}

/** A connection for commands that wait. */
export const blocking = (options: Options): Client =>
  "cluster" in options.target
    ? cluster(options.target.cluster, common(options))
    : single(options.target, { ...common(options), enableOfflineQueue: true, retryStrategy: null })

/**
 * A connection to listen on, which ends when it is lost. In a cluster each server hears what is published on any, so it is
 * one of them: another with each attempt, or the one at `address`.
 */
export const listening = (options: Options, attempt: number, address?: Address): Redis => {
  const limited: Settings = {
    ...common(options),
    commandTimeout: Duration.toMillis(options.commandTimeout),
    lazyConnect: true,
    retryStrategy: null
  }
  if (!("cluster" in options.target)) return single(options.target, limited)
  const { cluster } = options.target
  const node = address ?? cluster[attempt % cluster.length] ?? { host: "127.0.0.1", port: 6379 }
  return new Redis({ ...limited, ...node })
}

const cluster = (nodes: ReadonlyArray<Address>, options: Settings): Cluster => {
  const { connectionName, connectTimeout, commandTimeout, password, tls, username } = options
  return new Cluster(
    nodes.map(({ host, port }) => ({ host, port })),
    {
      enableOfflineQueue: false,
      clusterRetryStrategy: pause,
      clusterNodeRetryStrategy: pause,
      maxRedirections: 4,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
      slotsRefreshTimeout: connectTimeout ?? 2000,
      redisOptions: {
        connectionName,
        connectTimeout,
        commandTimeout,
        username,
        password,
        ...(tls === undefined ? {} : { tls }),
        maxRetriesPerRequest: 0,
        autoResendUnfulfilledCommands: false
      }
    }
  )
}

/**
 * What is sent in one turn of the event loop leaves in one write: of short commands sent side by side, writing each by itself is
 * most of what they cost. Call the result before each command.
 */
export const gathering = (client: Client): (() => void) => {
  if (!("stream" in client)) return () => undefined
  let isGathering = false
  return () => {
    const stream: typeof client.stream | undefined = client.stream
    if (isGathering || stream === undefined) return
    isGathering = true
    stream.cork()
    process.nextTick(() => {
      isGathering = false
      stream.uncork()
    })
  }
}

/** Where Redis is, without a password. */
export const describe = (target: Target): string => {
  const list = (addresses: ReadonlyArray<Address>) => addresses.map(({ host, port }) => `${host}:${port}`).join(", ")
  if ("cluster" in target) return `the cluster at ${list(target.cluster)}`
  if ("sentinels" in target) return `${target.name} of the sentinels at ${list(target.sentinels)}`
  const url = URL.parse(Redacted.value(target.url))
  return url === null ? "the given address" : url.host
}
