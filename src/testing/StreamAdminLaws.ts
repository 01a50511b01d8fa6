/**
 * What every administration of streams promises, as laws.
 *
 * @since 0.1.0
 */
import type { EventStore } from "../ports/EventStore.ts"
import type { StreamAdmin } from "../ports/StreamAdmin.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as archive from "./internal/streamAdmin/archive.ts"
import * as listing from "./internal/streamAdmin/listing.ts"
import * as metadata from "./internal/streamAdmin/metadata.ts"
import * as retention from "./internal/streamAdmin/retention.ts"
import * as skipping from "./internal/streamAdmin/skipping.ts"
import * as transactions from "./internal/streamAdmin/transactions.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `StreamAdmin`, over the event store whose streams it administers.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<EventStore | StreamAdmin>> = [
  ...metadata.laws,
  ...retention.laws,
  ...archive.laws,
  ...skipping.laws,
  ...listing.laws
]

/**
 * The laws of a `StreamAdmin` that takes part in units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const transactional: ReadonlyArray<Law.Law<EventStore | StreamAdmin | UnitOfWork>> = transactions.laws
