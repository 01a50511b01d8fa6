/**
 * What groups of subscribers promise, and what forwards to them, as laws.
 *
 * @since 0.1.0
 */
import type * as EventGroups from "../ports/EventGroups.ts"
import type { ForwardTarget } from "../ports/ForwardTarget.ts"
import * as delivering from "./internal/eventGroups/delivering.ts"
import * as forwarding from "./internal/eventGroups/forwarding.ts"
import * as owning from "./internal/eventGroups/owning.ts"
import * as parking from "./internal/eventGroups/parking.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `EventGroups` and `ForwardTarget`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<EventGroups.EventGroups | ForwardTarget>> = [
  ...forwarding.laws,
  ...delivering.laws,
  ...parking.laws
]

export {
  /**
   * What an adapter implements, as its laws need it: `Layer.succeed(EventGroupsLaws.Driver, driver)`.
   *
   * @category services
   * @since 0.1.0
   */
  Driver
} from "./internal/eventGroups/owning.ts"

/**
 * The laws of what an adapter implements for who owns a segment, among them those that keep the order of a key when the broker
 * goes back to what it had before.
 *
 * @category laws
 * @since 0.1.0
 */
export const driver: ReadonlyArray<Law.Law<owning.Driver>> = owning.laws
