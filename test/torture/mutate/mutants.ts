/**
 * The lines that the order of the log and the versions of streams rest on, each of them taken away.
 *
 * A mutant changes the functions in the database as all migrations have left them, or the sources. Text that is not found
 * any more, or more than once, fails the run: whoever changes such a line says here what it has become.
 */
import type { Change, Patch } from "../patch.ts"
import type { checks } from "./battery.ts"

export interface Mutant {
  readonly name: string
  /** The check that has to see it, if any is to. */
  readonly by: keyof typeof checks | undefined
  /** Changes of functions. */
  readonly patches?: ReadonlyArray<Patch>
  /** A statement that changes something else, and the question that must be true before it. */
  readonly statement?: { readonly text: string; readonly before: string }
  /** Changes of a source below `src`. */
  readonly source?: { readonly file: string; readonly changes: ReadonlyArray<Change> }
}

const drawn = "coalesce(pg_sequence_last_value('es.position'::regclass), 0)"
const postgres = "adapters/postgres/"

/** Changes that are none of what is promised: all checks stay green. */
export const harmless: ReadonlyArray<Mutant> = [
  { name: "nothing", by: undefined },
  {
    name: "a look takes its time between the sequence and the locks",
    by: undefined,
    patches: [
      {
        name: "es.look",
        find: "select coalesce(array_agg(l.virtualtransaction",
        replace: "perform pg_sleep(0.05); select coalesce(array_agg(l.virtualtransaction"
      }
    ]
  },
  {
    name: "the agent looks more often",
    by: undefined,
    source: {
      file: `${postgres}internal/agent.ts`,
      changes: [{ find: "const longestPause = 250", replace: "const longestPause = 100" }]
    }
  }
]

export const mutants: ReadonlyArray<Mutant> = [
  // Who has drawn a position holds the lock since before.
  {
    name: "positions are cached by sessions",
    by: "appends are read in the order in which they were made",
    statement: {
      text: "alter sequence es.position cache 32",
      before: "select seqcache = 1 from pg_sequence where seqrelid = 'es.position'::regclass"
    }
  },
  {
    name: "the position is drawn before the wait for the stream",
    by: "who waits for a stream neither holds others back nor gets lost",
    patches: [
      {
        name: "es.append",
        find: "n constant int := cardinality(p_ids);",
        replace: "n constant int := cardinality(p_ids); drawn bigint := nextval('es.position');"
      },
      { name: "es.append", find: "values (nextval('es.position'), p_tenant", replace: "values (drawn, p_tenant" }
    ]
  },
  {
    name: "the log is locked before the wait for the stream",
    by: "who waits for a stream neither holds others back nor gets lost",
    patches: [
      {
        name: "es.append",
        find: "if failed is not null then",
        replace: "lock table es.event in row exclusive mode; if failed is not null then"
      }
    ]
  },
  {
    name: "the look asks for the locks before the sequence",
    by: "a look sees as holder whoever has drawn what it calls the last position",
    patches: [
      { name: "es.look", find: `last := ${drawn};`, replace: "last := -1;" },
      {
        name: "es.look",
        find: "if cardinality(holders) = 0 then",
        replace: `perform pg_sleep(0.05); last := ${drawn}; if cardinality(holders) = 0 then`
      }
    ]
  },
  {
    name: "the look asks for another lock",
    by: "what commits late is read",
    patches: [{ name: "es.look", find: "l.mode = 'RowExclusiveLock'", replace: "l.mode = 'ExclusiveLock'" }]
  },
  {
    // They are held as well, and also by who waits.
    name: "the look asks for the locks of another table",
    by: "who waits for a stream neither holds others back nor gets lost",
    patches: [{ name: "es.look", find: "'es.event'::regclass", replace: "'es.stream'::regclass" }]
  },
  {
    name: "the look leaves out who has no process",
    by: "what was prepared is read once it commits",
    patches: [
      {
        name: "es.look",
        find: "and l.virtualtransaction not like '%/0'",
        replace: "and l.virtualtransaction not like '%/0' and l.pid is not null"
      }
    ]
  },
  {
    name: "a fence waits for nobody",
    by: "what commits late is read",
    source: {
      file: `${postgres}internal/fence.ts`,
      changes: [
        { find: "if (members.length === 0 && !nameless) position", replace: "if (members.length >= 0) position" }
      ]
    }
  },
  {
    name: "a fence forgets who has another name since a restart",
    by: "a fence waits for who has another name since a restart",
    source: {
      file: `${postgres}internal/fence.ts`,
      changes: [{ find: "members.length === 0 && !nameless", replace: "members.length === 0" }]
    }
  },
  {
    name: "the newest fence is settled by whoever is gone from an older one",
    by: "what commits late is read",
    source: {
      file: `${postgres}internal/fence.ts`,
      changes: [{ find: "return { position, open }", replace: "return { position: last, open: [] }" }]
    }
  },
  // The mark.
  {
    name: "the mark is moved by who does not know the term",
    by: "the mark is moved by today's term alone",
    patches: [{ name: "es.advance", find: "h.term = p_term and h.position", replace: "h.position" }]
  },
  {
    name: "the mark goes back",
    by: "the mark never goes back",
    patches: [{ name: "es.advance", find: "and h.position < p_position and", replace: "and" }]
  },
  {
    name: "the mark is moved by who has seen another server",
    by: "the mark is moved in today's epoch alone",
    patches: [{ name: "es.advance", find: "and p_epoch = es.epoch()", replace: "" }]
  },
  {
    name: "the mark is moved beyond what is drawn",
    by: "the mark stays below what is drawn",
    patches: [{ name: "es.advance", find: `and p_position <= ${drawn}`, replace: "" }]
  },
  {
    name: "the mark is not flushed",
    by: "the mark is flushed, and what lies below it",
    patches: [
      {
        name: "es.advance",
        find: "set_config('synchronous_commit', 'local', true)",
        replace: "set_config('synchronous_commit', 'off', true)"
      }
    ]
  },
  {
    name: "the lease is taken from who has it",
    by: "a lease is not taken from who has it",
    patches: [
      {
        name: "es.lead",
        find: "h.owner is null or h.owner = p_owner or h.lease_until <= clock_timestamp(), h.term",
        replace: "true, h.term"
      },
      {
        name: "es.lead",
        find: "and (h.owner is null or h.owner = p_owner or h.lease_until <= clock_timestamp())",
        replace: ""
      }
    ]
  },
  // Readers.
  {
    name: "readers read beyond the mark",
    by: "what commits late is read",
    source: {
      file: `${postgres}internal/reading.ts`,
      changes: [{ find: "e.position > $1::int8 and e.position <= m.position", replace: "e.position > $1::int8" }]
    }
  },
  {
    name: "a full page ends at the mark",
    by: "pages are of one log, in its order",
    source: {
      file: `${postgres}PgEventStore.ts`,
      changes: [
        { find: "events.length < options.limit ? undefined : events.at(-1)", replace: "[...events.slice(0, 0)].at(-1)" }
      ]
    }
  },
  {
    name: "a page takes the newest events",
    by: "pages are of one log, in its order",
    source: {
      file: `${postgres}internal/reading.ts`,
      changes: [{ find: "order by e.position limit $2::int8", replace: "order by e.position desc limit $2::int8" }]
    }
  },
  {
    name: "readers of one tenant read all",
    by: "a tenant's readers see no other's events",
    source: {
      file: `${postgres}internal/reading.ts`,
      changes: [{ find: "`e.tenant = ${parameter}::text`", replace: "`${parameter}::text is not null`" }]
    }
  },
  // Versions.
  {
    name: "an exact version is not compared",
    by: "expected versions are compared",
    patches: [
      {
        name: "es.append",
        find: "case p_expected when -2 then s.version > 0 else s.version = p_expected end",
        replace: "true"
      }
    ]
  },
  {
    name: "a stream that is to be new may be there",
    by: "expected versions are compared",
    patches: [{ name: "es.append", find: "and (p_expected = -1 or s.version = 0)", replace: "" }]
  },
  {
    name: "versions of several streams are not compared",
    by: "several appends are written or refused as one",
    patches: [
      {
        name: "es.append_each",
        find: "when -2 then s.version > 0 else s.version = g.expected end",
        replace: "else true end"
      }
    ]
  },
  {
    name: "one refused append of several leaves the others",
    by: "several appends are written or refused as one",
    patches: [{ name: "es.append_all", find: "raise exception using errcode = 'ES001';", replace: "null;" }]
  },
  {
    name: "streams are locked in the order of the appends",
    by: "two that append to the same streams do not deadlock",
    patches: [{ name: "es.append_each", find: 'order by g.stream collate "C"', replace: "order by g.a" }]
  },
  {
    name: "an ended stream takes events",
    by: "an ended stream stays as it is",
    patches: [
      {
        name: "es.append",
        find: "where not s.deleted and (p_expected = -1 or s.version = 0)",
        replace: "where (p_expected = -1 or s.version = 0)"
      }
    ]
  },
  // Conditions and names.
  {
    name: "keys of tags are not taken",
    by: "two that depend on one tag do not both append",
    patches: [
      {
        name: "es.append",
        find: "perform es.claim(p_tenant, p_tags, p_item_tags);",
        replace: "perform pg_advisory_xact_lock_shared(hashtextextended(p_tenant, 1));"
      }
    ]
  },
  {
    name: "keys of tags are shared by who depends on them",
    by: "two that depend on one tag do not both append",
    patches: [
      {
        name: "es.claim",
        find: "perform pg_advisory_xact_lock(keys[i]);",
        replace: "perform pg_advisory_xact_lock_shared(keys[i]);"
      }
    ]
  },
  {
    name: "who depends on a type shares the tenant's key",
    by: "who depends on a type waits for whoever appends",
    patches: [
      {
        name: "es.claim",
        find: "perform pg_advisory_xact_lock(tenant_key);",
        replace: "perform pg_advisory_xact_lock_shared(tenant_key);"
      }
    ]
  },
  {
    name: "plain appends do not take the tenant's key",
    by: "who depends on a type waits for whoever appends",
    patches: [
      {
        name: "es.append",
        find: "if pg_advisory_xact_lock_shared(hashtextextended(p_tenant, 1)) is null then return; end if;",
        replace: "null;"
      }
    ]
  },
  {
    name: "a condition is not looked at",
    by: "two that depend on one tag do not both append",
    patches: [{ name: "es.append", find: "if failed is not null then", replace: "failed := null; if false then" }]
  },
  {
    name: "a condition may be judged by an old snapshot",
    by: "a condition is not judged by an old snapshot",
    patches: [{ name: "es.claim", find: "raise exception using errcode = 'ES002';", replace: "null;" }]
  },
  {
    name: "who has the name of an append before is not asked for",
    by: "an append with a name is written once",
    patches: [{ name: "es.append", find: "if known_version is not null then", replace: "if false then" }]
  },
  {
    name: "names of appends are not kept",
    by: "an append with a name is written once",
    patches: [{ name: "es.append", find: "if written and p_key is not null then", replace: "if false then" }]
  }
]
