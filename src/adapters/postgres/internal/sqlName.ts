/**
 * Names of tables, which may have a schema.
 */

/** As an identifier. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const split = (name: string): readonly [schema: string | undefined, bare: string] => {
  const dot = name.lastIndexOf(".")
  return dot === -1 ? [undefined, name] : [name.slice(0, dot), name.slice(dot + 1)]
}

/** The name without its schema. */
export const bare = (name: string): string => split(name)[1]

/** A name in the schema of another. */
export const sibling = (name: string, other: string): string => {
  const [schema] = split(name)
  return schema === undefined ? other : `${schema}.${other}`
}

/** A name, with its schema or without, as SQL has it. */
export const sqlName = (name: string): string => {
  const [schema, own] = split(name)
  return schema === undefined ? quoted(own) : `${quoted(schema)}.${quoted(own)}`
}
