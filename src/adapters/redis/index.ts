/**
 * What Redis makes faster. It never owns the truth: a program that loses it is slower, and right.
 *
 * @since 0.1.0
 */
export * as RedisCheckpointStore from "./RedisCheckpointStore.ts"
export * as RedisConnection from "./RedisConnection.ts"
export * as RedisError from "./RedisError.ts"
export * as RedisEventBus from "./RedisEventBus.ts"
export * as RedisEventGroups from "./RedisEventGroups.ts"
export * as RedisInbox from "./RedisInbox.ts"
export * as RedisLease from "./RedisLease.ts"
export * as RedisQueryCache from "./RedisQueryCache.ts"
export * as RedisSnapshotStore from "./RedisSnapshotStore.ts"
export * as RedisStreamBus from "./RedisStreamBus.ts"
