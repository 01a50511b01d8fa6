/**
 * What every consumer store promises, as laws.
 *
 * @since 0.1.0
 */
import type { ConsumerStore } from "../ports/ConsumerStore.ts"
import type { ReadModelStore } from "../ports/ReadModelStore.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as committing from "./internal/consumerStore/committing.ts"
import * as owning from "./internal/consumerStore/owning.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `ConsumerStore`, with read models and units of work of the same storage.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<ConsumerStore | UnitOfWork | ReadModelStore>> = [
  ...owning.laws,
  ...committing.laws
]
