/**
 * Commands and queries over a network: `CommandBus` and `QueryBus` in one process, their handlers in another; and the events of
 * a log as typed streams.
 *
 * @since 0.1.0
 */
export * as BusClient from "./BusClient.ts"
export * as BusServer from "./BusServer.ts"
export * as FeedClient from "./FeedClient.ts"
export * as FeedServer from "./FeedServer.ts"
export * as MessageGroup from "./MessageGroup.ts"
