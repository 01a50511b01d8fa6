/**
 * Commands and queries over a network: `CommandBus` and `QueryBus` in one process, their handlers in another.
 *
 * @since 0.1.0
 */
export * as BusClient from "./BusClient.ts"
export * as BusServer from "./BusServer.ts"
export * as MessageGroup from "./MessageGroup.ts"
