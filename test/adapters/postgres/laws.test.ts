import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import * as CheckpointStoreLaws from "../../../src/testing/CheckpointStoreLaws.ts"
import * as ConsumerStoreLaws from "../../../src/testing/ConsumerStoreLaws.ts"
import * as EventImportLaws from "../../../src/testing/EventImportLaws.ts"
import * as EventStoreLaws from "../../../src/testing/EventStoreLaws.ts"
import * as FlowStoreLaws from "../../../src/testing/FlowStoreLaws.ts"
import * as InboxLaws from "../../../src/testing/InboxLaws.ts"
import * as LeaseLaws from "../../../src/testing/LeaseLaws.ts"
import * as OutboxLaws from "../../../src/testing/OutboxLaws.ts"
import * as ParkedStoreLaws from "../../../src/testing/ParkedStoreLaws.ts"
import * as ProjectionLaws from "../../../src/testing/ProjectionLaws.ts"
import * as ProjectionStoreLaws from "../../../src/testing/ProjectionStoreLaws.ts"
import * as ReadModelStoreLaws from "../../../src/testing/ReadModelStoreLaws.ts"
import * as SnapshotStoreLaws from "../../../src/testing/SnapshotStoreLaws.ts"
import * as StreamAdminLaws from "../../../src/testing/StreamAdminLaws.ts"
import * as UnitOfWorkLaws from "../../../src/testing/UnitOfWorkLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { freshStore } from "./support.ts"

const suites = {
  EventStore: EventStoreLaws.laws,
  CheckpointStore: CheckpointStoreLaws.laws,
  ConsumerStore: ConsumerStoreLaws.laws,
  ParkedStore: ParkedStoreLaws.laws,
  Outbox: OutboxLaws.laws,
  Inbox: InboxLaws.laws,
  Lease: LeaseLaws.laws,
  "Lease in a UnitOfWork": LeaseLaws.transactional,
  FlowStore: FlowStoreLaws.laws,
  ReadModelStore: ReadModelStoreLaws.laws,
  ProjectionStore: ProjectionStoreLaws.laws,
  Projection: ProjectionLaws.laws,
  SnapshotStore: SnapshotStoreLaws.laws,
  "SnapshotStore in a UnitOfWork": SnapshotStoreLaws.transactional,
  "SnapshotStore beside StreamAdmin": SnapshotStoreLaws.administered,
  UnitOfWork: UnitOfWorkLaws.laws,
  StreamAdmin: StreamAdminLaws.laws,
  EventImport: EventImportLaws.laws,
  "StreamAdmin in a UnitOfWork": StreamAdminLaws.transactional
}

checkLaws("Postgres.layer", suites, freshStore, { sessions: 10 })
checkLaws("Pglite.layer", suites, Pglite.layer(), { sessions: 1 })
