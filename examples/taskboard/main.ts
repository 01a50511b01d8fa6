/**
 * `npm start`: the board on `PORT` (3000), on the PostgreSQL of `DATABASE_URL`, or on an embedded one in `.data`.
 */
import { Config, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { HttpServing } from "effect-cqrs/http"
import type { PgliteError } from "effect-cqrs/pglite"
import { Postgres, type PostgresError } from "effect-cqrs/postgres"
import * as Pglite from "effect-cqrs/postgres/pglite"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { createServer } from "node:http"
import * as path from "node:path"
import * as Server from "./server.ts"

const data = process.env["TASKBOARD_DATA"] ?? path.join(import.meta.dirname, ".data")

/** What sessions are signed with: they outlive a restart. */
const secret = () => {
  const given = process.env["SESSION_SECRET"]
  if (given !== undefined) return given
  const file = path.join(data, "secret")
  fs.mkdirSync(data, { recursive: true })
  if (!fs.existsSync(file)) fs.writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600 })
  return fs.readFileSync(file, "utf8")
}

type Store = Layer.Layer<Postgres.Services, PostgresError.PostgresError | PgliteError.PgliteError | Config.ConfigError>

const store = (): Store =>
  process.env["DATABASE_URL"] === undefined
    ? Pglite.layer({ dataDir: path.join(data, "postgres") })
    : Postgres.layerUrl(Config.Redacted("DATABASE_URL"))

const listening = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) => Effect.sync(() => console.log(`The board is at ${address}`)))
)

const http = NodeHttpServer.layer(() => createServer(HttpServing.nodeOptions), {
  port: Number(process.env["PORT"] ?? 3000),
  host: "127.0.0.1",
  gracefulShutdownTimeout: "1 second"
})

listening.pipe(
  Layer.provide(Layer.suspend(() => Server.layer({ http, secret: Redacted.make(secret()) }))),
  Layer.provide(Layer.suspend(store)),
  Layer.launch,
  NodeRuntime.runMain
)
