/**
 * Documents of OpenAPI 3.1, as far as an API is described by them.
 *
 * @since 0.1.0
 */
import type * as JsonSchema from "effect/JsonSchema"

/**
 * A document of OpenAPI 3.1, as plain data.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApiDocument {
  readonly openapi: "3.1.0"
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly tags: ReadonlyArray<{ readonly name: string }>
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: JsonSchema.Definitions
    readonly responses: Readonly<Record<string, Response>>
    readonly parameters: Readonly<Record<string, Parameter>>
    readonly headers: Readonly<Record<string, object>>
    readonly securitySchemes: Readonly<Record<string, object>>
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Reference {
  readonly $ref: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Content {
  readonly schema: object
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Response {
  readonly description: string
  readonly headers?: Readonly<Record<string, Reference>>
  readonly content?: Readonly<Record<string, Content>>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required: boolean
  readonly schema: object
  readonly description?: string
  readonly example?: unknown
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Operation {
  readonly operationId: string
  readonly tags: ReadonlyArray<string>
  readonly summary?: string
  readonly description?: string
  readonly deprecated?: boolean
  readonly security: ReadonlyArray<Readonly<Record<string, ReadonlyArray<string>>>>
  readonly parameters: ReadonlyArray<Parameter | Reference>
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Content>> }
  readonly responses: Readonly<Record<string, Response | Reference>>
}
