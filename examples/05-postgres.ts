// The same program on Postgres: another layer, and tables of your own in the same transaction as the events.
// Needs a database: DATABASE_URL=postgres://user:password@host:5432/name.
import { Config, Effect, Layer, Result, Schema } from "effect"
import { SqlClient } from "effect/sql"
import {
  Aggregate,
  Command,
  CommandBus,
  Event,
  on,
  Projection,
  Repository,
  SystemContext,
  TenantContext
} from "effect-cqrs"
import { Postgres } from "effect-cqrs/postgres"

class Sold extends Event.Class<Sold>()("Sold", { sku: Schema.String, cents: Schema.Int }) {}
class Sell extends Command.Class<Sell>()("Sell", {
  payload: { shop: Schema.String, sku: Schema.String, cents: Schema.Int }
}) {}

const Shop = Aggregate.make("Shop", { events: [Sold], initial: 0 }).evolve({ Sold: (sum, { cents }) => sum + cents })

const Handlers = CommandBus.handlers(
  on(Sell, (command) =>
    Repository.execute(Shop, command.shop, command, ({ cents, sku }) => Result.succeed([new Sold({ sku, cents })]))
  )
)

// Handlers of a projection use SqlClient as they like: what they write commits with the projection's checkpoint.
const Revenue = Projection.make("revenue-by-sku", {
  events: [Sold],
  on: {
    Sold: ({ cents, sku }) =>
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) =>
          sql`insert into revenue (sku, cents) values (${sku}, ${cents})
            on conflict (sku) do update set cents = revenue.cents + excluded.cents`
      )
  }
})

const Table = Layer.effectDiscard(
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`create table if not exists revenue (sku text primary key, cents int not null)`
  )
)

const program = Effect.gen(function* () {
  yield* CommandBus.execute(new Sell({ shop: "main-street", sku: "apple", cents: 120 }))
  yield* CommandBus.execute(new Sell({ shop: "main-street", sku: "pear", cents: 80 }))
  const { receipt } = yield* CommandBus.dispatch(new Sell({ shop: "harbour", sku: "apple", cents: 60 }))
  yield* Projection.waitFor(Revenue, receipt)

  const sql = yield* SqlClient.SqlClient
  console.log(yield* sql`select sku, cents from revenue order by sku`)
})

const Live = Layer.merge(Handlers, Projection.layer(Revenue)).pipe(
  Layer.provide(SystemContext.layer("projections read all tenants")),
  Layer.provideMerge(Table),
  Layer.provideMerge(Postgres.layerUrl(Config.Redacted("DATABASE_URL"))),
  Layer.merge(TenantContext.layerSingle)
)
await Effect.runPromise(program.pipe(Effect.provide(Live)))

// prints:
// [ { sku: 'apple', cents: 180 }, { sku: 'pear', cents: 80 } ]
