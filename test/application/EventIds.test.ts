import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Event from "../../src/domain/Event.ts"
import * as StreamName from "../../src/domain/StreamName.ts"
import * as EventStore from "../../src/ports/EventStore.ts"
import * as IdGenerator from "../../src/ports/IdGenerator.ts"
import * as Memory from "../../src/ports/Memory.ts"
import * as TenantContext from "../../src/ports/TenantContext.ts"

class Noted extends Event.Class<Noted>()("Noted", {}) {}

it.effect("an id that is no UUID is refused with its event named", () =>
  Effect.gen(function* () {
    const store = yield* EventStore.EventStore
    const append = store.append({ stream: StreamName.make("Note", "1"), expected: "any", events: [new Noted()] })
    const refused = yield* Effect.flip(
      Effect.provideService(append, IdGenerator.IdGenerator, { unsafeNext: () => "note-1" })
    )
    assert.strictEqual(refused.reason._tag, "InvalidInput")
    assert.include(refused.message, "events[0].id: must be a UUID")
  }).pipe(Effect.provide([Memory.layer, TenantContext.layerSingle]))
)
