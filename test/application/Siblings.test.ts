import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CommandBus from "../../src/application/CommandBus.ts"
import * as Command from "../../src/domain/Command.ts"
import { on } from "../../src/middleware/Handler.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

class Half extends Command.Class<Half>()("Half", { payload: { n: Schema.Int }, success: Schema.Int }) {}
class Quarter extends Command.Class<Quarter>()("Quarter", { payload: { n: Schema.Int }, success: Schema.Int }) {}

const Handlers = CommandBus.handlers(
  on(Quarter, ({ n }) =>
    Effect.flatMap(CommandBus.execute(new Half({ n })), (half) => CommandBus.execute(new Half({ n: half })))
  ),
  on(Half, ({ n }) => Effect.succeed(n / 2))
)

it.effect("a handler sends commands to handlers of its own layer", () =>
  Effect.gen(function* () {
    const quarter = CommandBus.execute(new Quarter({ n: 12 }))
    assert.strictEqual(yield* Effect.provide(quarter, [Handlers, TenantContext.layerSingle]), 3)
  })
)

it.effect("and an override at the call is what they get", () =>
  Effect.gen(function* () {
    const quarter = CommandBus.execute(new Quarter({ n: 12 }))
    const Other = CommandBus.override(on(Half, ({ n }) => Effect.succeed(n + 1)))
    const overridden = Effect.provide(quarter, Other)
    assert.strictEqual(yield* Effect.provide(overridden, [Handlers, TenantContext.layerSingle]), 14)
  })
)
