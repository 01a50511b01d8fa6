/** The driver of stream administration over the memory journal. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Skip } from "../../domain/RecordedEvent.ts"
import * as StreamName from "../../domain/StreamName.ts"
import type { TenantId } from "../../domain/TenantId.ts"
import { matches, StreamTombstoned, VersionConflict } from "../EventStoreError.ts"
import type { Driver, SkippedEvent, StreamInfo } from "../StreamAdminDriver.ts"
import { EventNotFound, MetadataConflict, StreamAdminError } from "../StreamAdminError.ts"
import { byBytes } from "./bytes.ts"
import type { Journal, Transaction } from "./Journal.ts"
import type { MemoryLog } from "./memoryLog.ts"
import { keyOf, type Rule, type Skips } from "./memoryStreams.ts"
import * as Rules from "./retention.ts"

const failed = (reason: StreamAdminError["reason"]) => Exit.fail(new StreamAdminError({ reason }))

export const makeMemory = (journal: Journal, log: MemoryLog): Driver => {
  const { streams } = log

  const setRule = (transaction: Transaction | undefined, tenant: TenantId, stream: string, rule: Partial<Rule>) =>
    streams.rules.set(transaction, keyOf(tenant, stream), { ...streams.rule(transaction, tenant, stream), ...rule })

  const setSkips = (transaction: Transaction | undefined, tenant: TenantId, stream: string, skips: Skips) =>
    streams.skips.set(transaction, keyOf(tenant, stream), skips.size === 0 ? undefined : skips)

  const forget = (transaction: Transaction | undefined, tenant: TenantId, stream: string, version: number) => {
    for (const forgets of journal.folding) forgets(transaction, tenant, stream, version)
  }

  const info = (
    transaction: Transaction | undefined,
    tenant: TenantId,
    stream: StreamName.StreamName,
    now: number
  ): StreamInfo => {
    const { tombstoned, version } = log.state(transaction, tenant, stream)
    const events = tombstoned ? [] : log.visible(transaction, tenant, stream, now, false)
    const times = events.map(({ recordedAt }) => recordedAt)
    return {
      stream,
      version,
      count: events.length,
      firstRecordedAt: times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b)),
      lastRecordedAt: times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b)),
      tombstoned,
      archived: streams.rule(transaction, tenant, stream).archived
    }
  }

  const skippedOf = (transaction: Transaction | undefined, tenant: TenantId): ReadonlyArray<SkippedEvent> => {
    const prefix = keyOf(tenant, "")
    const all: Array<SkippedEvent> = []
    for (const [key, skips] of streams.skips.entries(transaction)) {
      if (!key.startsWith(prefix)) continue
      const stream = StreamName.fromString(key.slice(prefix.length))
      for (const [version, skip] of skips) all.push({ stream, version, ...skip })
    }
    return all.sort(byPlace)
  }

  return {
    metadata: (tenant, stream) =>
      journal.read((transaction) => {
        const { data, retention, version } = streams.rule(transaction, tenant, stream)
        return { version, retention, data: data === undefined ? undefined : JSON.parse(data) }
      }),
    setMetadata: (tenant, stream, expected, metadata) =>
      journal.write((transaction) => {
        const { version } = streams.rule(transaction, tenant, stream)
        if (!matches(expected, version)) return failed(new MetadataConflict({ stream, expected, actual: version }))
        setRule(transaction, tenant, stream, { ...metadata, version: version + 1 })
        return Exit.succeed(version + 1)
      }),
    archive: (tenant, stream, expected) =>
      journal.write((transaction) => {
        const { tombstoned, version } = log.state(transaction, tenant, stream)
        if (tombstoned) return failed(new StreamTombstoned({ stream }))
        if (!matches(expected, version)) return failed(new VersionConflict({ stream, expected, actual: version }))
        if (version === 0) return failed(new VersionConflict({ stream, expected: "exists", actual: 0 }))
        setRule(transaction, tenant, stream, { archived: true })
        return Exit.void
      }),
    restore: (tenant, stream) =>
      journal.write((transaction) => {
        if (streams.rule(transaction, tenant, stream).archived)
          setRule(transaction, tenant, stream, { archived: false })
        return Exit.void
      }),
    skip: (tenant, { stream, version }, reason, actor) =>
      journal.write((transaction, fiber) => {
        if (!log.list(transaction, tenant, stream).some((event) => event.version === version)) {
          return failed(new EventNotFound({ stream, version }))
        }
        const skippedAt = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const skip: Skip = actor === undefined ? { reason, skippedAt } : { reason, actor, skippedAt }
        const skips = streams.skipped(transaction, tenant, stream)
        setSkips(transaction, tenant, stream, new Map(skips).set(version, skip))
        forget(transaction, tenant, stream, version)
        return Exit.void
      }),
    unskip: (tenant, { stream, version }) =>
      journal.write((transaction) => {
        const skips = new Map(streams.skipped(transaction, tenant, stream))
        if (skips.delete(version)) setSkips(transaction, tenant, stream, skips)
        forget(transaction, tenant, stream, version)
        return Exit.void
      }),
    skipped: (tenant, { after, limit, stream }) =>
      journal.read((transaction) =>
        skippedOf(transaction, tenant)
          .filter((event) => (stream === undefined || event.stream === stream) && byPlace(event, after) > 0)
          .slice(0, limit)
      ),
    list: (tenant, { after, category, from, limit, to }) =>
      journal.read((transaction, fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        return [...log.names(transaction, tenant)]
          .filter(
            (name) =>
              byBytes(name, after) > 0 &&
              byBytes(name, from) >= 0 &&
              (to === undefined || byBytes(name, to) < 0) &&
              (category === undefined || StreamName.category(name) === category)
          )
          .sort(byBytes)
          .slice(0, limit)
          .map((name) => info(transaction, tenant, name, now))
      }),
    retaining: (tenant, after, limit) =>
      Effect.sync(() => {
        const prefix = keyOf(tenant, "")
        return Array.from(streams.rules.entries(undefined))
          .filter(([key, { retention }]) => key.startsWith(prefix) && Rules.retains(retention))
          .map(([key]) => StreamName.fromString(key.slice(prefix.length)))
          .filter((name) => byBytes(name, after) > 0)
          .sort(byBytes)
          .slice(0, limit)
      }),
    // What is removed is gone whatever becomes of an open transaction, so it must be hidden without it.
    remove: (tenant, stream, limit) =>
      Effect.withFiber((fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const { retention } = streams.rule(undefined, tenant, stream)
        const { version } = log.state(undefined, tenant, stream)
        const hidden = log
          .list(undefined, tenant, stream)
          .filter((event) => Rules.hides(retention, version, now, event))
          .slice(0, limit)
        const versions = new Set(hidden.map((event) => event.version))
        log.remove(tenant, stream, versions)
        const skips = [...streams.skipped(undefined, tenant, stream)].filter(([skipped]) => !versions.has(skipped))
        setSkips(undefined, tenant, stream, new Map(skips))
        return Effect.succeed(hidden.length)
      })
  }
}

interface Place {
  readonly stream: string
  readonly version: number
}

const byPlace = (one: Place, other: Place): number => byBytes(one.stream, other.stream) || one.version - other.version
