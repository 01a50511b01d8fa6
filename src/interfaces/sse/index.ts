/**
 * Events to browsers and other services as server-sent events, and a typed client that reads them.
 *
 * @since 0.1.0
 */
export * as Sse from "./Sse.ts"
export * as SseClient from "./SseClient.ts"
export * as SseError from "./SseError.ts"
