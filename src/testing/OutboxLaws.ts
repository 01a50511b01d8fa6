/**
 * What every outbox promises, as laws.
 *
 * @since 0.1.0
 */
import type { Outbox } from "../ports/Outbox.ts"
import type { UnitOfWork } from "../ports/UnitOfWork.ts"
import * as caring from "./internal/outbox/caring.ts"
import * as claiming from "./internal/outbox/claiming.ts"
import * as enqueuing from "./internal/outbox/enqueuing.ts"
import type * as Law from "./Law.ts"

/**
 * The laws of `Outbox` over a storage with units of work.
 *
 * @category laws
 * @since 0.1.0
 */
export const laws: ReadonlyArray<Law.Law<Outbox | UnitOfWork>> = [...enqueuing.laws, ...claiming.laws, ...caring.laws]
