/**
 * Ways to bring a database to another server while it is written to.
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as path from "node:path"
import * as session from "../session.ts"

/** From one database into another, which is empty. */
export type Transfer = (from: string, to: string) => Effect.Effect<void, unknown>

/** `pg_dump | psql`, by the programs in this folder. */
export const dump =
  (programs: string): Transfer =>
  (from, to) =>
    Effect.promise(async () => {
      const source = spawn(path.join(programs, "pg_dump"), ["--no-owner", from], { stdio: ["ignore", "pipe", "pipe"] })
      const target = spawn(path.join(programs, "psql"), ["-q", "-X", "-v", "ON_ERROR_STOP=1", to], {
        stdio: ["pipe", "ignore", "pipe"]
      })
      source.stdout.pipe(target.stdin)
      let complaints = ""
      source.stderr.on("data", (chunk: Buffer) => void (complaints += chunk.toString()))
      target.stderr.on("data", (chunk: Buffer) => void (complaints += chunk.toString()))
      const codes = await Promise.all(
        [source, target].map(
          (child) =>
            new Promise<number | null>((resolve, reject) => {
              child.once("error", reject)
              child.once("close", resolve)
            })
        )
      )
      if (codes.some((code) => code !== 0)) throw new Error(`pg_dump | psql: ${complaints}`)
    })

/**
 * All rows of all tables in one snapshot, as logical replication brings them. That leaves the sequences where they were;
 * `sequence` brings them along, as who replicates has to.
 */
export const rows =
  ({ sequence }: { readonly sequence: boolean }): Transfer =>
  (from, to) =>
    Effect.gen(function* () {
      const source = yield* session.open(from)
      const target = yield* session.open(to)
      // The schema alone was made by the migrations; what they have put in gives way to what there was.
      yield* source.query("begin isolation level repeatable read")
      yield* target.query("begin")
      yield* target.query("set local session_replication_role = replica")
      // What is generated is generated there.
      const tables = yield* session.rows(
        source,
        `select c.oid::regclass::text as name, string_agg(quote_ident(a.attname), ', ') as columns
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        where c.relnamespace = 'es'::regnamespace and c.relkind = 'r' group by 1`
      )
      for (const row of tables) {
        const name = String(row["name"])
        const columns = String(row["columns"])
        const [all] = yield* session.rows(source, `select coalesce(json_agg(t), '[]')::text as text from ${name} t`)
        yield* target.query(`delete from ${name}`)
        yield* target.query(
          `insert into ${name} (${columns}) overriding system value
          select ${columns} from json_populate_recordset(null::${name}, $1::text::json)`,
          [all?.["text"]]
        )
      }
      if (sequence) {
        // As the guide on operating says.
        const settings = yield* session.rows(
          source,
          `select format('select setval(%L, %s)', 'es.' || sequencename, last_value) as text
          from pg_sequences where schemaname = 'es' and last_value is not null`
        )
        for (const { text } of settings) yield* target.query(String(text))
      }
      yield* target.query("commit")
      yield* source.query("commit")
    }).pipe(Effect.scoped)
