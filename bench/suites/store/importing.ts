/**
 * Bulk import: events that were recorded elsewhere, with their ids, versions and times, a hundred in each stream.
 */
import { EventImport, type EventLine, StreamName } from "effect-cqrs"
import * as Stream from "effect/Stream"
import { type Contender, perSecond, type Suite } from "../../harness.ts"
import * as Pg from "../../peers/pgCopy.ts"
import * as Task from "../../task.ts"
import * as Ours from "./ours.ts"

const importing: Contender = ({ database }) => {
  const runtime = Ours.start(database)
  const once = (round: number) => {
    const events = Task.imported(round).map(
      ({ stream, ...event }): EventLine.ImportedEvent => ({ ...event, stream: StreamName.fromString(stream) })
    )
    return Stream.runDrain(EventImport.run(`import ${round}`, Stream.fromIterable(events)))
  }
  let round = 0
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) await runtime.runPromise(once(round++))
  }, Task.imports)
}

const suite: Suite = [
  {
    name: "import events",
    unit: "events/s",
    target: { ratio: 0.8 },
    ours: importing,
    peers: { "pg, COPY": Pg.copy }
  }
]

export default suite
