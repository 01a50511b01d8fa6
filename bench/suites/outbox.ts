/**
 * Jobs that wait in PostgreSQL: put there before, the time is that of doing them, which is nothing.
 */
import { Outbox, OutboxMessage, Relay, SystemContext } from "effect-cqrs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type Contender, perSecond, type Suite } from "../harness.ts"
import * as Jobs from "../peers/jobs.ts"
import * as Task from "../task.ts"
import * as Ours from "./store/ours.ts"

export const needsDatabase = true

class Job extends OutboxMessage.Class<Job>()("Job", Task.fields) {}

const job = new Job({ taskId: "t-1", title: "Write" })

const jobs = 5000

/** Enqueues so many, a thousand in a statement. */
const fill = (keys: number) =>
  Effect.forEach(
    Array.from({ length: jobs / 1000 }),
    (_, part) =>
      Outbox.enqueueAll(
        Array.from({ length: 1000 }, (_, n) => ({
          message: job,
          ...(keys > 0 && { key: `k-${(part * 1000 + n) % keys}` })
        }))
      ),
    { discard: true }
  )

const relayed =
  (keys: number): Contender =>
  async ({ database }) => {
    const runtime = Ours.start(database)
    await runtime.runPromise(Outbox.Outbox)
    return Jobs.jobsPerSecond(
      jobs,
      () => runtime.runPromise(fill(keys)),
      () =>
        runtime.runPromise(
          Effect.gen(function* () {
            const all = yield* Deferred.make<void>()
            let done = 0
            const relay = Relay.make("default", {
              messages: [Job],
              on: {
                Job: () => {
                  done++
                  return done === jobs ? Deferred.succeed(all, undefined) : Effect.void
                }
              },
              prefetch: 400
            })
            // Noted as well: who stops it has it note what was done.
            yield* Effect.raceFirst(Relay.run(relay), Deferred.await(all))
            const { inFlight, pending } = yield* Effect.flatMap(Outbox.Outbox, (outbox) => outbox.counts("default"))
            return done - inFlight - pending
          }).pipe(SystemContext.provide("the bench"))
        )
    )
  }

const enqueued: Contender = async ({ database }) => {
  const runtime = Ours.start(database)
  await runtime.runPromise(Outbox.Outbox)
  const hundred = Outbox.enqueueAll(Array.from({ length: 100 }, () => ({ message: job })))
  return perSecond(async (times) => {
    for (let n = 0; n < times; n++) await runtime.runPromise(hundred)
  }, 100)
}

const suite: Suite = [
  {
    name: "jobs without order, in batches",
    unit: "jobs/s",
    target: { value: 30_000, ratio: 0.5 },
    ours: relayed(0),
    peers: { pg: Jobs.byHand(jobs), "pg-boss": Jobs.pgBoss(jobs), "graphile-worker": Jobs.graphileWorker(jobs) }
  },
  {
    name: "jobs in the order of 100 keys",
    unit: "jobs/s",
    ours: relayed(100),
    peers: { pg: Jobs.byHand(jobs) }
  },
  {
    name: "enqueue 100 at a time",
    unit: "messages/s",
    ours: enqueued,
    peers: {}
  }
]

export default suite
