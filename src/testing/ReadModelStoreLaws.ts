/**
 * What every store of documents promises, as laws.
 *
 * @since 0.1.0
 */
import type { ReadModelStore } from "../ports/ReadModelStore.ts"
import * as documents from "./internal/readModelStore/documents.ts"
import * as refusals from "./internal/readModelStore/refusals.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `ReadModelStore`; what takes part in a transaction is in `UnitOfWorkLaws`.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<ReadModelStore>> = [...documents.laws, ...refusals.laws]
