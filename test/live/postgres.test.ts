import { it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as PgEventBus from "../../src/adapters/postgres/PgEventBus.ts"
import * as Channel from "../../src/application/Channel.ts"
import * as LiveHub from "../../src/application/LiveHub.ts"
import * as Actor from "../../src/domain/Actor.ts"
import * as SystemContext from "../../src/ports/SystemContext.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"
import * as UnitOfWork from "../../src/ports/UnitOfWork.ts"
import * as LiveHubLaws from "../../src/testing/LiveHubLaws.ts"
import { connect, quiet } from "../adapters/postgres/support.ts"
import { eventually } from "../adapters/redis/support.ts"
import { checkLaws } from "../laws/checkLaws.ts"
import { databaseUrl } from "../services/database.ts"

/** The channels of one process, among those on the same database. */
const hub = (url: string, applicationName: string, heartbeat: number) =>
  Effect.map(
    Layer.build(
      Layer.fresh(LiveHub.layerBus({ heartbeat })).pipe(
        Layer.provide(Layer.fresh(PgEventBus.layer({ events: [LiveHub.Signal] }))),
        Layer.provide([SystemContext.layer("channels of all tenants"), UnitOfWork.layerMemory]),
        Layer.provide(Layer.fresh(PgClient.layer({ url: Redacted.make(url), applicationName }))),
        Layer.provide(quiet)
      )
    ),
    (services) => Context.get(services, LiveHub.LiveHub)
  )

checkLaws(
  "LiveHub.layerBus on PostgreSQL",
  { LiveHub: LiveHubLaws.laws },
  Layer.effect(
    LiveHubLaws.Nodes,
    Effect.gen(function* () {
      const url = yield* databaseUrl
      return { one: yield* hub(url, "one", 100), other: yield* hub(url, "other", 100) }
    })
  ),
  { sessions: Number.POSITIVE_INFINITY }
)

it.live("channels on PostgreSQL agree again after the sessions of a process were ended", () =>
  Effect.gen(function* () {
    const url = yield* databaseUrl
    const [one, other] = [yield* hub(url, "one", 150), yield* hub(url, "other", 150)]
    const chat = Channel.topic("chat")
    const join = (node: LiveHub.LiveHub["Service"], id: string) =>
      node.join(chat, { actor: Actor.user(id), message: () => true, presence: () => undefined })
    const agreed = (...ids: ReadonlyArray<string>) =>
      Effect.forEach([one, other], (node) =>
        eventually(
          `${ids.join(" and ")} are there`,
          Effect.map(
            node.members(chat),
            (actors) =>
              actors
                .map(({ id }) => id)
                .toSorted()
                .join() === ids.join()
          )
        )
      )
    const connection = yield* connect(url)
    yield* join(one, "ada")
    yield* agreed("ada")
    yield* connection.query(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name like $1 and datname = current_database()",
      ["other%"]
    )
    yield* join(one, "bob")
    yield* join(other, "cy")
    yield* agreed("ada", "bob", "cy")
  }).pipe(Effect.provide([TenantContext.layerSingle, quiet]))
)
