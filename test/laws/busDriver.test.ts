import * as EventBusLaws from "../../src/testing/EventBusLaws.ts"
import { layer } from "./busDriver.ts"
import { checkLaws } from "./checkLaws.ts"

checkLaws(
  "EventBus.layerDriver",
  {
    EventBus: EventBusLaws.laws,
    "EventBus in a UnitOfWork": EventBusLaws.transactional,
    "EventBus across processes": EventBusLaws.acrossProcesses
  },
  layer(),
  { sessions: Number.POSITIVE_INFINITY }
)
