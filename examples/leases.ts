// Leases: one holder at a time, a token that tells an old holder from the new one, and a leader of many.
import { Effect, Layer, Schema } from "effect"
import { Lease, Memory, ReadModelStore, TenantContext, UnitOfWork } from "effect-cqrs"

const Reports = ReadModelStore.collection("reports", Schema.String)

const program = Effect.gen(function* () {
  const unit = yield* UnitOfWork.UnitOfWork
  const nightly = Lease.hold("nightly report", { holder: "ada", ttl: "30 seconds" })

  yield* nightly((grant) =>
    Effect.gen(function* () {
      const second = yield* Effect.flip(Lease.hold("nightly report")(() => Effect.void))
      console.log(second.reason._tag === "LeaseTaken" ? `taken by ${second.reason.holder}` : second.message)
      // What is written with the guard is never written after a newer holder's.
      yield* unit.transaction(Effect.andThen(Lease.guard(grant), Reports.set("today", "by ada")))
    })
  )

  // A holder that was paused for too long: another was granted it meanwhile.
  const leases = yield* Lease.Lease
  const { id } = yield* TenantContext.TenantContext
  const paused = yield* leases.acquire(id, "nightly report", "paused", 5)
  yield* Effect.sleep("10 millis")
  yield* leases.acquire(id, "nightly report", "bob", 30_000)
  const late = { name: "nightly report", token: paused.token }
  const refused = yield* Effect.flip(unit.transaction(Effect.andThen(Lease.guard(late), Reports.set("today", "late"))))
  console.log(refused.message)
  console.log(String(yield* Reports.get("today")))

  const workers = ["w1", "w2", "w3"].map((holder) =>
    Lease.leading("sweeper", { holder })((grant) => Effect.sync(() => console.log(`leader ${grant.token}`)))
  )
  yield* Effect.all(workers, { concurrency: "unbounded" })
})

await Effect.runPromise(program.pipe(Effect.provide(Layer.merge(Memory.layer, TenantContext.layerSingle))))

// prints:
// taken by ada
// Token 2 of the lease nightly report is not accepted any more: the newest is 3
// some("by ada")
// leader 1
// leader 2
// leader 3
