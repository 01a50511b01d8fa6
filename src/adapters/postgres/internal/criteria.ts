/**
 * Arrays inside arrays, which travel as text.
 */
import type { Criterion } from "../../../domain/EventQuery.ts"

/** A text array as the one text that an element of another array can be. */
export const arrayLiteral = (values: ReadonlyArray<string>): string =>
  `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`

/** The types of a criterion as text, empty for any. */
export const typesOf = ({ types }: Criterion): string => (types === undefined ? "" : arrayLiteral(types))

/** The tags of a criterion as text. */
export const tagsOf = ({ tags }: Criterion): string => arrayLiteral(tags ?? [])
