/**
 * Who data belongs to.
 *
 * @since 0.1.0
 */
import * as Brand from "effect/Brand"
import * as Schema from "effect/Schema"

/**
 * The name of a tenant: 1 to 128 bytes of text without control characters.
 *
 * @category models
 * @since 0.1.0
 */
export const TenantId = Schema.NonEmptyString.pipe(Schema.brand("TenantId"))

/**
 * @category models
 * @since 0.1.0
 */
export type TenantId = typeof TenantId.Type

/**
 * Names a text as a tenant; the stores check it before they use it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (value: string) => TenantId = Brand.nominal<TenantId>()
