/**
 * A query cache in Memcached. It never owns the truth: a program that loses it is slower, and right.
 *
 * @since 0.1.0
 */
export * as MemcachedQueryCache from "./MemcachedQueryCache.ts"
