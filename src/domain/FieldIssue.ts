/**
 * One thing that is wrong with one field of an input.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

/**
 * A field's path and what is wrong with it.
 *
 * **Details**
 *
 * `path` joins keys with dots and array indexes with brackets (`lines[2].sku`); it is `""` when the whole input is wrong.
 *
 * @category models
 * @since 0.1.0
 */
export const FieldIssue = Schema.Struct({ path: Schema.String, message: Schema.String })

/**
 * @category models
 * @since 0.1.0
 */
export interface FieldIssue extends Schema.Schema.Type<typeof FieldIssue> {}

const standard = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * The fields that a schema found wrong, in the order of the schema.
 *
 * **Gotchas**
 *
 * A schema stops at the first bad field unless it ran with `{ errors: "all" }`.
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromIssue = (issue: SchemaIssue.Issue): ReadonlyArray<FieldIssue> =>
  standard(issue).issues.map(({ message, path }) => ({
    path: (path ?? []).reduce<string>((text, segment) => {
      const key = typeof segment === "object" ? segment.key : segment
      return typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`
    }, ""),
    message
  }))

/**
 * All issues on one line, for logs and error messages.
 *
 * @category conversions
 * @since 0.1.0
 */
export const format = (issues: ReadonlyArray<FieldIssue>): string =>
  issues.map(({ message, path }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
