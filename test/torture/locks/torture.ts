/**
 * Holders of one lease that are paused for longer than it lasts, and whose sessions are ended, write what only the newest of
 * them may write.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as SqlClient from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import * as Lease from "../../../src/ports/Lease.ts"
import { LeaseError } from "../../../src/ports/LeaseError.ts"
import * as TenantContext from "../../../src/ports/TenantContext.ts"
import { UnitOfWork } from "../../../src/ports/UnitOfWork.ts"
import * as support from "../../adapters/postgres/support.ts"
import * as database from "../../services/database.ts"
import * as session from "../session.ts"
import { type Options, type Torture, unless, type Verdict } from "../Torture.ts"

const processes = 3
const workersEach = 2
const ttl = 60

interface Counts {
  written: number
  fenced: number
  lost: number
  cut: number
}

/** Takes the lease, is paused now and then, and writes its token: with the guard in the same transaction, or without. */
const working = (name: string, counts: Counts, isGuarded: boolean) =>
  Effect.gen(function* () {
    const leases = yield* Lease.Lease
    const unit = yield* UnitOfWork
    const sql = yield* SqlClient.SqlClient
    const { id: tenant } = yield* TenantContext.TenantContext
    const holder = randomUUID()
    const write = (token: number) => {
      const row = sql`insert into ${sql(name)} (token) values (${token})`
      const slowly = Effect.andThen(Effect.sleep("3 millis"), row)
      return unit.transaction(isGuarded ? Effect.andThen(Lease.guard({ name, token }), slowly) : slowly)
    }
    const turn = Effect.gen(function* () {
      const got = yield* leases.acquire(tenant, name, holder, ttl)
      if (got._tag === "Held") return yield* Effect.sleep(yield* Random.nextIntBetween(1, 20))
      for (let n = yield* Random.nextIntBetween(1, 6); n > 0; n--) {
        // As a collector or a machine would, and it does not know of it.
        const isPaused = (yield* Random.nextIntBetween(0, 5)) === 0
        yield* Effect.sleep(isPaused ? ttl * 2 : 2)
        yield* write(got.token)
        counts.written++
        if (!isPaused && !(yield* leases.renew(tenant, name, got.token, ttl))) counts.lost++
      }
      // Half of them end as if they were killed.
      if ((yield* Random.nextIntBetween(0, 2)) === 0) yield* leases.release(tenant, name, got.token)
    })
    while (true) {
      yield* turn.pipe(
        Effect.catch((error) =>
          Effect.sync(() => {
            if (error instanceof LeaseError && error.reason._tag === "Fenced") counts.fenced++
            else counts.cut++
          })
        )
      )
    }
  })

const run = ({ seconds, seed, server }: Options) =>
  Effect.gen(function* () {
    const url = yield* database.make(yield* server)
    const own = yield* session.open(url)
    for (const name of ["guarded", "unguarded"]) {
      yield* own.query(`create table ${name} (n bigint generated always as identity, token bigint not null)`)
      // Whoever commits while a greater token is there was late: the row locks decide the order.
      yield* own.query(`create table ${name}_newest (one int primary key, token bigint not null, late int not null)`)
      yield* own.query(`insert into ${name}_newest values (1, 0, 0)`)
      yield* own.query(`create function ${name}_note() returns trigger language plpgsql as $$ begin
        update ${name}_newest set late = late + (new.token < token)::int, token = greatest(token, new.token);
        return new; end $$`)
      yield* own.query(`create trigger note after insert on ${name} for each row execute function ${name}_note()`)
    }
    const counts: Record<"guarded" | "unguarded", Counts> = {
      guarded: { written: 0, fenced: 0, lost: 0, cut: 0 },
      unguarded: { written: 0, fenced: 0, lost: 0, cut: 0 }
    }
    const contexts = yield* Effect.forEach(Array.from({ length: processes }), () =>
      Layer.build(Layer.fresh(support.process(url)))
    )
    const workers = contexts.map((context) =>
      Effect.all(
        Array.from({ length: workersEach }, () => [
          working("guarded", counts.guarded, true),
          working("unguarded", counts.unguarded, false)
        ]).flat(),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.provide(context), TenantContext.provide("torture"))
    )
    const cutting = Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep(yield* Random.nextIntBetween(150, 500))
        yield* own.query(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and random() < 0.3`)
      }
    })
    const running = yield* Effect.forkChild(
      Effect.all([...workers, cutting], { concurrency: "unbounded", discard: true })
    )
    yield* Effect.raceFirst(Fiber.join(running), Effect.sleep(seconds * 1000))
    yield* Fiber.interrupt(running)
    const late = (name: string) => session.number(own, `select late from ${name}_newest`)
    const [guarded, unguarded] = [yield* late("guarded"), yield* late("unguarded")]
    const newest = yield* session.number(own, "select token from es.lease where name = 'guarded'")
    const verdict: Verdict = {
      problems: unless({
        "no smaller token was written after a greater one": guarded === 0,
        "without the guard it is seen that some were": unguarded > 0,
        "holders that were paused were fenced": counts.guarded.fenced > 0,
        "there were many holders": newest > seconds
      }),
      counters: {
        workers: processes * workersEach,
        "tokens granted": newest,
        written: counts.guarded.written,
        fenced: counts.guarded.fenced,
        "sessions lost on the way": counts.guarded.cut,
        "late writes with the guard": guarded,
        "late writes without it": unguarded
      }
    }
    return verdict
  }).pipe(Random.withSeed(seed))

export const torture: Torture = {
  promise: "whoever holds a lease for longer than it lasts writes nothing after a newer holder has",
  run
}
