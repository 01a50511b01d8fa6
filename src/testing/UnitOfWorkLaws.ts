/**
 * What every unit of work promises over the stores that take part in it, as laws.
 *
 * @since 0.1.0
 */
import type { CheckpointStore } from "../ports/CheckpointStore.ts"
import type { EventStore } from "../ports/EventStore.ts"
import type { ReadModelStore } from "../ports/ReadModelStore.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as committing from "./internal/unitOfWork/committing.ts"
import * as fibers from "./internal/unitOfWork/fibers.ts"
import * as nesting from "./internal/unitOfWork/nesting.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `UnitOfWork` over an event store, read models and checkpoints of the same storage.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<UnitOfWork | EventStore | ReadModelStore | CheckpointStore>> = [
  ...committing.laws,
  ...nesting.laws,
  ...fibers.laws
]
