/**
 * Where the groups write to, and what must be there in the end.
 */
import * as Effect from "effect/Effect"
import * as session from "../session.ts"
import { unless } from "../Torture.ts"

/** How long a worker that gives no sign of life keeps its segments, in milliseconds. */
export const lease = 1200

export const log = "torture"
export const groups = ["first", "second"] as const

export const prepare = (own: session.Session) =>
  Effect.forEach(
    [
      "create table effect (seq bigserial primary key, name text, key text, position bigint)",
      "create table newest (name text, segment int, token bigint, primary key (name, segment))",
      "create table refused (name text, position bigint)",
      "create table poison as select false as repaired",
      // The row of the segment decides who comes first, and refuses a smaller token than the newest.
      `create function happen(n text, s int, t bigint, k text, p bigint) returns boolean language plpgsql as $$ begin
        insert into newest values (n, s, t) on conflict (name, segment)
          do update set token = excluded.token where newest.token <= excluded.token;
        if found then insert into effect (name, key, position) values (n, k, p); return true; end if;
        insert into refused values (n, p); return false; end $$`
    ],
    (text) => own.query(text),
    { discard: true }
  )

/** How many events each group has not handled. */
export const missing = (own: session.Session) =>
  Effect.forEach(groups, (name) =>
    session.number(
      own,
      `select count(*) from es.event e where not exists (select from effect f where f.name = '${name}' and f.position = e.position)`
    )
  )

/** Compares what was handled with the log. */
export const judge = (own: session.Session) =>
  Effect.gen(function* () {
    const events = yield* session.number(own, "select count(*) from es.event")
    const missed = yield* missing(own)
    const effects = yield* session.number(own, "select count(*) from effect")
    // The first time that each event is there, a later one of its key must not be there before it.
    const inverted = yield* session.number(
      own,
      `select count(*) from (select position, max(position) over (partition by name, key order by seq
          rows between unbounded preceding and 1 preceding) as before
        from (select name, key, position, min(seq) as seq from effect group by name, key, position) f) o
      where position < before`
    )
    const refused = yield* session.number(own, "select count(*) from refused")
    const sum = missed.reduce((total, count) => total + count, 0)
    return {
      counters: {
        events,
        missed: sum,
        "out of order": inverted,
        "handled again": effects - (events * groups.length - sum),
        "refused of a former owner": refused
      },
      problems: unless({
        "something was written": events > 0,
        "every group has handled every event": sum === 0,
        "keys are handled in their order": inverted === 0
      })
    }
  })
