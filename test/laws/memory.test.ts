import * as Memory from "../../src/ports/Memory.ts"
import * as CheckpointStoreLaws from "../../src/testing/CheckpointStoreLaws.ts"
import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"
import * as EventStoreLaws from "../../src/testing/EventStoreLaws.ts"
import * as ReadModelStoreLaws from "../../src/testing/ReadModelStoreLaws.ts"
import * as UnitOfWorkLaws from "../../src/testing/UnitOfWorkLaws.ts"
import { checkLaws } from "./checkLaws.ts"

checkLaws(
  "Memory.layer",
  {
    EventStore: EventStoreLaws.laws,
    CheckpointStore: CheckpointStoreLaws.laws,
    ReadModelStore: ReadModelStoreLaws.laws,
    UnitOfWork: UnitOfWorkLaws.laws,
    EventBus: EventBusLaws.laws,
    "EventBus in a UnitOfWork": EventBusLaws.transactional,
    EventBusHistory: EventBusLaws.history
  },
  Memory.layer,
  // Many fibers take turns, and none waits for another but within a transaction.
  { sessions: Number.POSITIVE_INFINITY }
)
