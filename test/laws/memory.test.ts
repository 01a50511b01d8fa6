import * as Layer from "effect/Layer"
import { makeMemory } from "../../src/ports/internal/memoryEventGroups.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as CheckpointStoreLaws from "../../src/testing/CheckpointStoreLaws.ts"
import * as ConsumerStoreLaws from "../../src/testing/ConsumerStoreLaws.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"
import * as EventGroupsLaws from "../../src/testing/EventGroupsLaws.ts"
import * as EventImportLaws from "../../src/testing/EventImportLaws.ts"
import * as EventStoreLaws from "../../src/testing/EventStoreLaws.ts"
import * as FlowStoreLaws from "../../src/testing/FlowStoreLaws.ts"
import * as InboxLaws from "../../src/testing/InboxLaws.ts"
import * as LeaseLaws from "../../src/testing/LeaseLaws.ts"
import * as OutboxLaws from "../../src/testing/OutboxLaws.ts"
import * as ParkedStoreLaws from "../../src/testing/ParkedStoreLaws.ts"
import * as ProjectionLaws from "../../src/testing/ProjectionLaws.ts"
import * as ProjectionStoreLaws from "../../src/testing/ProjectionStoreLaws.ts"
import * as QueryCacheLaws from "../../src/testing/QueryCacheLaws.ts"
import * as ReadModelStoreLaws from "../../src/testing/ReadModelStoreLaws.ts"
import * as SnapshotStoreLaws from "../../src/testing/SnapshotStoreLaws.ts"
import * as StreamAdminLaws from "../../src/testing/StreamAdminLaws.ts"
import * as UnitOfWorkLaws from "../../src/testing/UnitOfWorkLaws.ts"
import { checkLaws } from "./checkLaws.ts"

checkLaws(
  "Memory.layer",
  {
    EventStore: EventStoreLaws.laws,
    CheckpointStore: CheckpointStoreLaws.laws,
    "CheckpointStore beside a UnitOfWork": CheckpointStoreLaws.beside,
    ConsumerStore: ConsumerStoreLaws.laws,
    ParkedStore: ParkedStoreLaws.laws,
    Outbox: OutboxLaws.laws,
    Inbox: InboxLaws.laws,
    ClaimingInbox: InboxLaws.claiming,
    Lease: LeaseLaws.laws,
    "Lease in a UnitOfWork": LeaseLaws.transactional,
    BestEffortLease: LeaseLaws.bestEffort,
    FlowStore: FlowStoreLaws.laws,
    QueryCache: QueryCacheLaws.laws,
    ReadModelStore: ReadModelStoreLaws.laws,
    ProjectionStore: ProjectionStoreLaws.laws,
    Projection: ProjectionLaws.laws,
    SnapshotStore: SnapshotStoreLaws.laws,
    "SnapshotStore in a UnitOfWork": SnapshotStoreLaws.transactional,
    "SnapshotStore beside a UnitOfWork": SnapshotStoreLaws.beside,
    "SnapshotStore beside StreamAdmin": SnapshotStoreLaws.administered,
    UnitOfWork: UnitOfWorkLaws.laws,
    StreamAdmin: StreamAdminLaws.laws,
    EventImport: EventImportLaws.laws,
    "StreamAdmin in a UnitOfWork": StreamAdminLaws.transactional,
    EventGroups: EventGroupsLaws.laws,
    EventBus: EventBusLaws.laws,
    "EventBus in a UnitOfWork": EventBusLaws.transactional,
    EventBusHistory: EventBusLaws.history
  },
  Memory.layer,
  // Many fibers take turns, and none waits for another but within a transaction.
  { sessions: Number.POSITIVE_INFINITY }
)

checkLaws(
  "the driver of EventGroups.layerMemory",
  { EventGroupsDriver: EventGroupsLaws.driver },
  Layer.sync(EventGroupsLaws.Driver, () => makeMemory(16)),
  { sessions: Number.POSITIVE_INFINITY }
)
