import * as Pglite from "../../../src/adapters/postgres/pglite.ts"
import * as CheckpointStoreLaws from "../../../src/testing/CheckpointStoreLaws.ts"
import * as EventStoreLaws from "../../../src/testing/EventStoreLaws.ts"
import * as ReadModelStoreLaws from "../../../src/testing/ReadModelStoreLaws.ts"
import * as UnitOfWorkLaws from "../../../src/testing/UnitOfWorkLaws.ts"
import { checkLaws } from "../../laws/checkLaws.ts"
import { freshStore } from "./support.ts"

const suites = {
  EventStore: EventStoreLaws.laws,
  CheckpointStore: CheckpointStoreLaws.laws,
  ReadModelStore: ReadModelStoreLaws.laws,
  UnitOfWork: UnitOfWorkLaws.laws
}

checkLaws("Postgres.layer", suites, freshStore, { sessions: 10 })
checkLaws("Pglite.layer", suites, Pglite.layer(), { sessions: 1 })
