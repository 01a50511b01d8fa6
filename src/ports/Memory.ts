/**
 * All ports in memory, as one layer: for tests, for trying things out, and for programs that keep nothing.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import * as CheckpointStore from "./CheckpointStore.ts"
import * as ConsumerStore from "./ConsumerStore.ts"
import * as EventBus from "./EventBus.ts"
import * as EventGroups from "./EventGroups.ts"
import * as EventImport from "./EventImport.ts"
import * as EventStore from "./EventStore.ts"
import * as FlowStore from "./FlowStore.ts"
import type { ForwardTarget } from "./ForwardTarget.ts"
import * as Inbox from "./Inbox.ts"
import * as Lease from "./Lease.ts"
import * as Outbox from "./Outbox.ts"
import * as ParkedStore from "./ParkedStore.ts"
import * as ProjectionStore from "./ProjectionStore.ts"
import * as QueryCache from "./QueryCache.ts"
import * as ReadModelStore from "./ReadModelStore.ts"
import * as SnapshotStore from "./SnapshotStore.ts"
import * as StreamAdmin from "./StreamAdmin.ts"
import * as UnitOfWork from "./UnitOfWork.ts"

/**
 * All ports that a program can have in memory over one journal: what one transaction writes to several of them commits
 * together.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
  | EventStore.EventStore
  | StreamAdmin.StreamAdmin
  | EventImport.EventImport
  | CheckpointStore.CheckpointStore
  | ConsumerStore.ConsumerStore
  | ParkedStore.ParkedStore
  | Outbox.Outbox
  | Inbox.Inbox
  | Inbox.ClaimingInbox
  | Lease.Lease
  | Lease.BestEffortLease
  | FlowStore.FlowStore
  | QueryCache.QueryCache
  | ReadModelStore.ReadModelStore
  | ProjectionStore.ProjectionStore
  | SnapshotStore.SnapshotStore
  | EventBus.EventBus
  | EventBus.EventBusHistory
  | EventBus.Transactional
  | EventGroups.EventGroups
  | ForwardTarget
  | UnitOfWork.UnitOfWork
> = Layer.mergeAll(
  EventStore.layerMemory,
  StreamAdmin.layerMemory,
  EventImport.layerMemory,
  CheckpointStore.layerMemory,
  ConsumerStore.layerMemory,
  ParkedStore.layerMemory,
  Outbox.layerMemory,
  Inbox.layerMemory,
  Inbox.layerMemoryClaiming(),
  Lease.layerMemory,
  FlowStore.layerMemory,
  QueryCache.layerMemory,
  ReadModelStore.layerMemory,
  ProjectionStore.layerMemory,
  SnapshotStore.layerMemory,
  EventBus.layerMemory,
  EventGroups.layerMemory,
  UnitOfWork.layerMemory
)
