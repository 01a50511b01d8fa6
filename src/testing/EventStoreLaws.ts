/**
 * What every event store promises, as laws.
 *
 * @since 0.1.0
 */
import type { EventStore } from "../ports/EventStore.ts"
import * as appending from "./internal/eventStore/appending.ts"
import * as boundaries from "./internal/eventStore/boundaries.ts"
import * as conditions from "./internal/eventStore/conditions.ts"
import * as decisions from "./internal/eventStore/decisions.ts"
import * as histories from "./internal/eventStore/histories.ts"
import * as idempotency from "./internal/eventStore/idempotency.ts"
import * as log from "./internal/eventStore/log.ts"
import * as metadata from "./internal/eventStore/metadata.ts"
import * as payloads from "./internal/eventStore/payloads.ts"
import * as races from "./internal/eventStore/races.ts"
import * as reading from "./internal/eventStore/reading.ts"
import * as refusals from "./internal/eventStore/refusals.ts"
import * as sizes from "./internal/eventStore/sizes.ts"
import * as tenants from "./internal/eventStore/tenants.ts"
import * as tombstones from "./internal/eventStore/tombstones.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `EventStore`; what takes part in a transaction is in `UnitOfWorkLaws`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<EventStore>> = [
  ...appending.laws,
  ...tombstones.laws,
  ...reading.laws,
  ...log.laws,
  ...tenants.laws,
  ...metadata.laws,
  ...payloads.laws,
  ...refusals.laws,
  ...sizes.laws,
  ...idempotency.laws,
  ...conditions.laws,
  ...races.laws,
  ...boundaries.laws,
  ...histories.laws,
  ...decisions.laws
]
