import * as PgClient from "@effect/sql-pg/PgClient"
import { afterAll, assert, describe, expect, it, layer, vi } from "@effect/vitest"
import { PGlite } from "@electric-sql/pglite"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Duplex } from "node:stream"
import * as zlib from "node:zlib"
import * as seeds from "../../../src/adapters/pglite/internal/seed.ts"
import * as PgliteClient from "../../../src/adapters/pglite/PgliteClient.ts"
import * as PgliteDatabase from "../../../src/adapters/pglite/PgliteDatabase.ts"
import type { PgliteError } from "../../../src/adapters/pglite/PgliteError.ts"

// Databases are made here from nothing, and a busy machine takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const home = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cqrs-pglite-"))
// Where the seed goes when it may not go to the cache folder.
vi.stubEnv("TMPDIR", home)
afterAll(() => {
  vi.unstubAllEnvs()
  fs.rmSync(home, { recursive: true, force: true })
})

let folders = 0
const newFolder = () => path.join(home, `folder-${++folders}`)

/** The cache of this file's own; every test but those about it starts from one seed. */
const cacheHome = path.join(home, "cache")
const withCache = (folder: string) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ XDG_CACHE_HOME: folder }))

const client = (options?: PgliteClient.Options) =>
  Layer.provide(
    PgliteClient.layer(options),
    ConfigProvider.layer(ConfigProvider.fromUnknown({ XDG_CACHE_HOME: cacheHome }))
  )

const memory = client()

const start = (fixture: string, ...args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [path.join(import.meta.dirname, "fixtures", fixture), ...args], {
    env: { ...process.env, XDG_CACHE_HOME: cacheHome },
    stdio: ["pipe", "pipe", "inherit"],
    // A fixture that hangs does not outlive the test.
    timeout: 60_000,
    killSignal: "SIGKILL"
  })

/** Everything a fixture says until it ends. */
const outputOf = async (child: ChildProcess): Promise<string> => {
  let text = ""
  child.stdout?.setEncoding("utf8").on("data", (chunk) => (text += chunk))
  await once(child, "close")
  return text
}

/** The first thing a fixture says. */
const answerOf = async (child: ChildProcess): Promise<unknown> => {
  let text = ""
  for await (const chunk of child.stdout?.setEncoding("utf8").iterator({ destroyOnReturn: false }) ?? []) {
    text += chunk
    if (text.includes("\n")) return JSON.parse(text)
  }
  throw new Error(`It ended and said only ${JSON.stringify(text)}`)
}

const end = async (child: ChildProcess, signal?: NodeJS.Signals): Promise<void> => {
  const closed = once(child, "close")
  if (signal === undefined) child.stdin?.end()
  else child.kill(signal)
  await closed
}

const holding = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = start("hold.ts", folder)
      expect(await answerOf(child)).toEqual({ open: true })
      return child
    }),
    (child) => Effect.promise(async () => child.exitCode === null && child.signalCode === null && end(child, "SIGKILL"))
  )

/** Opens a folder, runs the effect on it and closes it. */
const on = <A, E>(folder: string, f: (sql: SqlClient.SqlClient) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.flatMap(SqlClient.SqlClient, f).pipe(Effect.scoped, Effect.provide(client({ dataDir: folder })))

const opened = (folder: string, options?: PgliteClient.Options) => Layer.build(client({ ...options, dataDir: folder }))

const rejection = <A, R>(effect: Effect.Effect<A, PgliteError, R>) => Effect.map(Effect.flip(effect), (e) => e.reason)

layer(memory, { excludeTestServices: true })("a database in memory", (it) => {
  it.effect("is PostgreSQL behind the usual services", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const pg = yield* PgClient.PgClient
      yield* sql`CREATE TABLE note (id int PRIMARY KEY, at timestamptz, body jsonb)`
      const note = { id: 1, at: new Date(0), body: pg.json({ text: "hello" }) }
      yield* sql`INSERT INTO note ${sql.insert(note)}`
      expect(yield* sql`SELECT * FROM note`).toEqual([{ id: 1, at: new Date(0), body: { text: "hello" } }])
      const error = yield* Effect.flip(sql`INSERT INTO note (id) VALUES (1)`)
      expect(error.reason).toMatchObject({ _tag: "UniqueViolation", constraint: "note_pkey" })
      expect(sql.driver).toBe("pglite")
    })
  )

  it.effect("undoes a transaction that fails, dies or is interrupted, and goes on", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE undone (id int PRIMARY KEY)`
      const insert = sql`INSERT INTO undone VALUES (1)`
      const ways: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        Effect.fail("no"),
        Effect.die("no"),
        sql`SELECT 1 / 0`,
        sql`SELEC 1`,
        insert
      ]
      for (const way of ways) {
        expect((yield* Effect.exit(sql.withTransaction(Effect.andThen(insert, way))))._tag).toBe("Failure")
        expect(yield* sql`SELECT * FROM undone`).toEqual([])
      }

      const fiber = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(insert, Effect.never)))
      yield* Effect.sleep("30 millis")
      yield* Fiber.interrupt(fiber)
      expect(yield* sql`SELECT * FROM undone`).toEqual([])

      yield* sql.withTransaction(
        Effect.andThen(insert, Effect.ignore(sql.withTransaction(sql`INSERT INTO undone VALUES (1)`)))
      )
      expect(yield* sql`SELECT * FROM undone`).toEqual([{ id: 1 }])
    })
  )

  it.effect("runs the transactions of 50 fibers one after the other", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE counter (value int)`
      yield* sql`INSERT INTO counter VALUES (0)`
      const increment = (n: number) =>
        sql.withTransaction(
          Effect.gen(function* () {
            const [row] = yield* sql<{ value: number }>`SELECT value FROM counter`
            yield* Effect.sleep(n % 3)
            yield* sql`UPDATE counter SET value = ${(row?.value ?? 0) + 1}`
            if (n % 5 === 0) return yield* Effect.fail("no")
          })
        )
      const outside = Effect.asVoid(sql`SELECT pg_advisory_lock(1), pg_advisory_unlock(1)`)
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => n),
        (n) => Effect.ignore(Effect.andThen(increment(n), outside)),
        { concurrency: "unbounded", discard: true }
      )
      expect(yield* sql`SELECT value FROM counter`).toEqual([{ value: 40 }])
    })
  )

  it.effect("takes a parameter of 5 MB and gives it back", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const text = "0123456789".repeat(500_000)
      const rows = yield* sql<{ text: string }>`SELECT ${text}::text AS text`
      assert.isTrue(rows[0]?.text === text)
    })
  )

  it.effect("streams rows and stops early", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const rows = sql`SELECT n, md5(n::text) FROM generate_series(1, 20000) n`.stream
      expect(yield* Stream.runCount(rows)).toBe(20_000)
      expect(yield* Stream.runCount(Stream.take(rows, 10))).toBe(10)
      expect(yield* sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
    })
  )

  it.effect("is of use after a statement was interrupted", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.forkChild(sql`SELECT count(*) FROM generate_series(1, 100000)`)
      )
      yield* Effect.yieldNow
      yield* Fiber.interruptAll(fibers)
      expect(yield* sql`SELECT 2 AS two`).toEqual([{ two: 2 }])
    })
  )

  it.effect("is not taken for dead because of what a statement says", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      expect((yield* Effect.flip(sql`SELECT 'PANIC:  no', 1 / 0\n-- FATAL:  no`))._tag).toBe("SqlError")
      yield* sql`DO $$ BEGIN RAISE LOG 'FATAL:  no'; END $$`
      expect(yield* sql`SELECT 3 AS three`).toEqual([{ three: 3 }])
    })
  )

  it.effect("survives a COPY, which the driver does not speak", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE copied (id int)`
      for (const copy of [sql`COPY copied FROM STDIN`, sql`copy copied from stdin`.unprepared]) {
        expect((yield* Effect.flip(copy)).reason._tag).toBe("ConnectionError")
        expect(yield* sql`SELECT 'copy' AS it`).toEqual([{ it: "copy" }])
      }
    })
  )

  describe("channels", () => {
    it.effect("carry what is committed, and nothing else, while others use the session", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pg = yield* PgClient.PgClient
        const database = yield* PgliteDatabase.PgliteDatabase
        const first = yield* pg.listen('a "channel"')
        const second = yield* database.listen('a "channel"')
        yield* pg.notify('a "channel"', "1")
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(pg.notify('a "channel"', "lost"), Effect.fail("no"))))
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* pg.notify('a "channel"', "2")
            yield* pg.notify("another", "lost")
            expect(yield* Queue.size(first)).toBe(1)
          })
        )
        for (const queue of [first, second]) {
          const heard = yield* Queue.takeAll(queue)
          expect(heard.map(({ channel, payload }) => [channel, payload])).toEqual([
            ['a "channel"', "1"],
            ['a "channel"', "2"]
          ])
        }
      }).pipe(Effect.scoped)
    )

    it.effect("are heard from the next transaction on, and let go with the scope", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pg = yield* PgClient.PgClient
        const channels = sql<{ channel: string }>`SELECT pg_listening_channels() AS channel`
        const scope = yield* Scope.make()
        const queue = yield* sql.withTransaction(Scope.provide(pg.listen("late"), scope))
        yield* pg.notify("late", "heard")
        expect((yield* Queue.take(queue)).payload).toBe("heard")
        expect(yield* channels).toEqual([{ channel: "late" }])
        yield* Scope.close(scope, yield* Effect.exit(Effect.void))
        expect(yield* channels).toEqual([])
        expect((yield* Effect.exit(Queue.take(queue)))._tag).toBe("Failure")
      })
    )

    it.effect("are heard again on a new connection", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pg = yield* PgClient.PgClient
        const queue = yield* pg.listen("again")
        yield* sql`CREATE TABLE IF NOT EXISTS copied (id int)`
        yield* Effect.ignore(sql`COPY copied FROM STDIN`)
        yield* pg.notify("again", "heard")
        expect((yield* Queue.take(queue)).payload).toBe("heard")
      }).pipe(Effect.scoped)
    )

    it.effect("need a name that PostgreSQL keeps whole", () =>
      Effect.gen(function* () {
        const pg = yield* PgClient.PgClient
        for (const name of ["", "x".repeat(64), "a\0b"]) {
          expect((yield* Effect.flip(Effect.scoped(pg.listen(name))))._tag).toBe("SqlError")
        }
      })
    )
  })

  it.effect("can be dumped, and loaded by PGlite itself", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const database = yield* PgliteDatabase.PgliteDatabase
      yield* sql`CREATE TABLE dumped AS SELECT 'hello' AS text`
      const dump = yield* database.dumpDataDir
      const rows = yield* Effect.promise(async () => {
        const loaded = await PGlite.create({ loadDataDir: new Blob([dump.slice()], { type: "application/x-gzip" }) })
        const { rows } = await loaded.query("SELECT text FROM dumped")
        await loaded.close()
        return rows
      })
      expect(rows).toEqual([{ text: "hello" }])
    })
  )

  it.effect("keeps its log of writes small", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE much (text text)`
      yield* sql`ALTER TABLE much ALTER text SET STORAGE EXTERNAL`
      yield* Effect.repeat(sql`INSERT INTO much VALUES (repeat('x', 250000))`, { times: 700 })
      const [written] = yield* sql<{ mb: number }>`SELECT ((pg_current_wal_lsn() - '0/0') / 1e6)::int AS mb`
      const [kept] = yield* sql<{ mb: number }>`SELECT (sum(size) / 1e6)::int AS mb FROM pg_ls_waldir()`
      expect(written?.mb).toBeGreaterThan(170)
      expect(kept?.mb).toBeLessThan(120)
    })
  )
})

describe("a connection", () => {
  const message = (tag: string, body: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length + 4)
    return Buffer.concat([Buffer.from(tag), length, body])
  }
  const code = (n: number, ...rest: ReadonlyArray<Buffer>) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(n)
    return message("", Buffer.concat([bytes, ...rest]))
  }
  const startup = code(196608, Buffer.from("user\0postgres\0database\0postgres\0\0"))
  const query = (sql: string) => message("Q", Buffer.from(`${sql}\0`))

  /** What the backend says until it is ready, as the tags of its messages. */
  const answer = async (connection: Duplex): Promise<string> => {
    let said = Buffer.alloc(0)
    for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
      said = Buffer.concat([said, chunk])
      let tags = ""
      let at = 0
      for (; at + 5 <= said.length; at += 1 + said.readInt32BE(at + 1)) tags += String.fromCharCode(said[at] ?? 0)
      if (tags.endsWith("Z") && at === said.length) return tags
    }
    throw new Error("The connection ended")
  }

  layer(memory)((it) => {
    it.effect("puts together what comes in pieces", () =>
      Effect.gen(function* () {
        const connection = (yield* PgliteDatabase.PgliteDatabase).connect()
        yield* Effect.promise(async () => {
          for (const byte of startup) connection.write(Buffer.of(byte))
          expect(await answer(connection)).toMatch(/^R.*KZ$/)
          for (const byte of query("SELECT 1")) connection.write(Buffer.of(byte))
          expect(await answer(connection)).toBe("TDCZ")
          const large = query(`SELECT length('${"x".repeat(3_000_000)}')`)
          for (let at = 0; at < large.length; at += 1000) connection.write(large.subarray(at, at + 1000))
          expect(await answer(connection)).toBe("TDCZ")
          connection.write(Buffer.concat([query("SELECT 1 / 0"), query("SELECT 2")]))
          expect(await answer(connection)).toMatch(/^EZ/)
        })
      })
    )

    it.effect("refuses encryption and ends when told to", () =>
      Effect.gen(function* () {
        const { connect } = yield* PgliteDatabase.PgliteDatabase
        yield* Effect.promise(async () => {
          for (const request of [80877103, 80877104]) {
            const connection = connect()
            connection.write(code(request))
            expect(String((await once(connection, "data"))[0])).toBe("N")
            connection.write(startup)
            await once(connection, "data")
            connection.end(message("X", Buffer.alloc(0)))
            await once(connection, "close")
          }
          const cancel = connect()
          cancel.write(code(80877102, Buffer.alloc(8)))
          await once(cancel, "close")
        })
      })
    )

    it.effect("begins a session like new, whatever the one before left", () =>
      Effect.gen(function* () {
        const { connect } = yield* PgliteDatabase.PgliteDatabase
        yield* Effect.promise(async () => {
          const before = connect()
          before.write(startup)
          await answer(before)
          before.write(
            query("BEGIN; CREATE TABLE left_open (id int); SET application_name = 'before'; PREPARE p AS SELECT 1")
          )
          await answer(before)

          const after = connect()
          after.write(startup)
          expect(await answer(after)).toMatch(/Z$/)
          after.write(query("SELECT FROM left_open"))
          expect(await answer(after)).toBe("EZ")
          after.write(query("EXECUTE p"))
          expect(await answer(after)).toBe("EZ")

          before.write(query("SELECT 1"))
          const [error] = await once(before, "error")
          expect(error).toMatchObject({ message: "Another connection has taken over the session" })
        })
      })
    )

    it.effect("fails on what is not the protocol", () =>
      Effect.gen(function* () {
        const connection = (yield* PgliteDatabase.PgliteDatabase).connect()
        yield* Effect.promise(async () => {
          connection.write(Buffer.alloc(8))
          const [error] = await once(connection, "error")
          expect(error).toMatchObject({ message: "A message of 0 bytes is not PostgreSQL's protocol" })
        })
      })
    )
  })
})

describe("a data folder", () => {
  it.live("keeps what was written, for another process", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const written = yield* Effect.promise(() => outputOf(start("write.ts", folder, "20")))
      expect(written.trim().split("\n")).toHaveLength(20)
      const rows = yield* on(folder, (sql) => sql`SELECT count(*)::int AS rows, max(half)::int AS last FROM row`)
      expect(rows).toEqual([{ rows: 20, last: 20 }])
      expect(fs.readdirSync(folder).sort()).toEqual(["lock", "pgdata"])
    })
  )

  it.live("opens once at a time in a process", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const scope = yield* Scope.make()
      yield* Scope.provide(opened(folder), scope)
      expect(yield* rejection(Effect.scoped(opened(folder)))).toMatchObject({
        _tag: "Locked",
        folder,
        pid: process.pid
      })
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* Effect.scoped(opened(folder))
    })
  )

  it.live("opens in one process at a time, which the others learn", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const child = yield* holding(folder)
      const reason = yield* rejection(Effect.scoped(opened(folder)))
      expect(reason).toMatchObject({ _tag: "Locked", folder, pid: child.pid })
      expect(reason.message).toBe(`The data folder ${folder} is open in process ${child.pid}`)
      yield* Effect.promise(() => end(child))
      yield* Effect.scoped(opened(folder))
    }).pipe(Effect.scoped)
  )

  it.live("is free when its process was killed, for one of those who want it", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      const killed = yield* holding(folder)
      yield* Effect.promise(() => end(killed, "SIGKILL"))
      const children = Array.from({ length: 4 }, () => start("hold.ts", folder))
      const answers = yield* Effect.promise(() => Promise.all(children.map(answerOf)))
      const winner = answers.findIndex((answer) => JSON.stringify(answer) === `{"open":true}`)
      const refusal = { open: false, folder, pid: children[winner]?.pid }
      expect(answers).toEqual(children.map((_, index) => (index === winner ? { open: true } : refusal)))
      yield* Effect.promise(() => Promise.all(children.map((child) => Promise.resolve(child.exitCode ?? end(child)))))
    }).pipe(Effect.scoped)
  )

  it.live("has every commit that was acknowledged before the process was killed", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      for (const millis of [0, 30, 150]) {
        const said = yield* Effect.promise(async () => {
          const child = start("write.ts", folder)
          let text = ""
          child.stdout?.setEncoding("utf8").on("data", (chunk) => (text += chunk))
          await once(child.stdout ?? child, "data")
          await new Promise((resolve) => setTimeout(resolve, millis))
          await end(child, "SIGKILL")
          return text
        })
        const acknowledged = Number(said.split("\n").at(-2))
        const [row] = yield* on(
          folder,
          (sql) => sql<{ rows: number; last: number; halves: number }>`
            SELECT count(*)::int AS rows, max(number)::int AS last, count(*) FILTER (WHERE half IS DISTINCT FROM number)::int AS halves
            FROM row`
        )
        assert(row !== undefined)
        expect(row.last).toBeGreaterThanOrEqual(acknowledged)
        expect(row.last).toBeLessThanOrEqual(acknowledged + 1)
        expect(row).toMatchObject({ rows: row.last, halves: 0 })
      }
    })
  )

  it.live("is filled anew when that was not finished", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      fs.mkdirSync(path.join(folder, "pgdata"), { recursive: true })
      fs.writeFileSync(path.join(folder, "pgdata", "PG_VERSION"), "18\n")
      fs.writeFileSync(path.join(folder, "creating"), "")
      yield* on(folder, (sql) => sql`CREATE TABLE kept ()`)
      expect(fs.existsSync(path.join(folder, "creating"))).toBe(false)
      expect(yield* on(folder, (sql) => sql`SELECT count(*)::int AS rows FROM kept`)).toEqual([{ rows: 0 }])
    })
  )

  it.live("that PGlite cannot use is refused in the server's words, and let go", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      yield* Effect.scoped(opened(folder))
      const version = path.join(folder, "pgdata", "PG_VERSION")
      const current = fs.readFileSync(version)
      fs.writeFileSync(version, "17\n")
      expect(yield* rejection(Effect.scoped(opened(folder)))).toMatchObject({
        _tag: "StartFailed",
        folder,
        detail: expect.stringContaining("initialized by PostgreSQL version 17")
      })
      fs.writeFileSync(version, current)
      yield* Effect.scoped(opened(folder))
    })
  )

  it.live("is never taken for something it is not", () =>
    Effect.gen(function* () {
      const folder = newFolder()
      fs.mkdirSync(folder)
      fs.writeFileSync(path.join(folder, "PG_VERSION"), "18\n")
      expect(yield* rejection(Effect.scoped(opened(folder)))).toMatchObject({
        _tag: "StartFailed",
        detail: `it holds the files of a database itself; move them to ${path.join(folder, "pgdata")}`
      })
      const foreign = newFolder()
      fs.mkdirSync(path.join(foreign, "pgdata"), { recursive: true })
      fs.writeFileSync(path.join(foreign, "pgdata", "precious"), "")
      expect(yield* rejection(Effect.scoped(opened(foreign)))).toMatchObject({
        _tag: "StartFailed",
        detail: `${path.join(foreign, "pgdata")} is not empty, and not a database`
      })
      expect(fs.existsSync(path.join(foreign, "pgdata", "precious"))).toBe(true)
      const file = path.join(folder, "PG_VERSION")
      expect(yield* rejection(Effect.scoped(opened(file)))).toMatchObject({ _tag: "StartFailed", folder: file })
    })
  )

  it.live("on a full disk fails at once, and has every commit when there is room", () =>
    Effect.gen(function* () {
      const output = yield* Effect.promise(() => outputOf(start("full-disk.ts", newFolder())))
      expect(JSON.parse(output)).toEqual({
        commit: expect.stringContaining("No space left on device"),
        later: expect.stringContaining("No space left on device"),
        after: [{ text: "kept" }]
      })
    })
  )
})

describe("a seed", () => {
  const identity = (options?: PgliteClient.Options) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [row] = yield* sql<{ id: bigint }>`SELECT system_identifier AS id FROM pg_control_system()`
      return row?.id
    }).pipe(Effect.provide(PgliteClient.layer(options)))

  const seedIn = (cache: string) => {
    const folder = path.join(cache, "effect-cqrs")
    const [name = "none", ...others] = fs.readdirSync(folder)
    expect([name, others]).toEqual([expect.stringMatching(/^pglite-\d+\.\d+\.\d+\.tar\.zst$/), []])
    return path.join(folder, name)
  }

  it.live("is made once and used from then on, in memory and in folders", () => {
    const cache = newFolder()
    return Effect.gen(function* () {
      const first = yield* identity()
      expect(fs.statSync(seedIn(cache)).size).toBeLessThan(6_000_000)
      expect(yield* identity()).toBe(first)
      expect(yield* identity({ dataDir: newFolder() })).toBe(first)
      expect(yield* identity({ seed: false })).not.toBe(first)
    }).pipe(withCache(cache))
  })

  it.live("that makes no database is replaced", () => {
    const cache = newFolder()
    return Effect.gen(function* () {
      const first = yield* identity()
      const seed = seedIn(cache)
      const half = zlib.zstdDecompressSync(fs.readFileSync(seed)).subarray(0, 20_000_000)
      fs.writeFileSync(seed, zlib.zstdCompressSync(half))
      const second = yield* identity({ dataDir: newFolder() })
      expect(second).not.toBe(first)
      expect(yield* identity()).toBe(second)
    }).pipe(withCache(cache))
  })

  it.live("that is broken is noticed", () => {
    const cache = newFolder()
    return Effect.gen(function* () {
      // Chance does not compress, so that nothing but a checksum can tell when a bit has changed.
      const tarball = Buffer.from(Array.from({ length: 100_000 }, () => Math.random() * 256))
      tarball.write("ustar", 257)
      yield* seeds.write("0.0.0", tarball)
      expect(Buffer.from((yield* seeds.read("0.0.0")) ?? []).equals(tarball)).toBe(true)
      const seed = seedIn(cache)
      const sound = fs.readFileSync(seed)
      const flipped = Buffer.from(sound)
      flipped[50_000] = (flipped[50_000] ?? 0) ^ 1
      const zeros = zlib.zstdCompressSync(Buffer.alloc(10_240))
      for (const broken of [flipped, sound.subarray(0, 50_000), Buffer.of(), Buffer.from("garbage"), zeros]) {
        fs.writeFileSync(seed, broken)
        expect(yield* seeds.read("0.0.0")).toBe(undefined)
      }
    }).pipe(withCache(cache))
  })

  it.live("is not taken from a folder that others can write to", () => {
    const cache = newFolder()
    return Effect.gen(function* () {
      const first = yield* identity()
      fs.chmodSync(path.join(cache, "effect-cqrs"), 0o777)
      expect(yield* identity()).not.toBe(first)
    }).pipe(withCache(cache))
  })
})

it.live("names the package when PGlite is not installed", () =>
  Effect.gen(function* () {
    const output = yield* Effect.promise(() => outputOf(start("missing.ts")))
    expect(JSON.parse(output)).toEqual({
      reason: "Missing",
      message: "@electric-sql/pglite is not installed: npm install @electric-sql/pglite"
    })
  })
)
