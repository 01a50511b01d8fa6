/**
 * Events, messages, commands and queries over WebSockets, and a typed client that connects again by itself.
 *
 * @since 0.1.0
 */
export * as LiveSocket from "./LiveSocket.ts"
export * as LiveSocketClient from "./LiveSocketClient.ts"
export * as LiveSocketError from "./LiveSocketError.ts"
