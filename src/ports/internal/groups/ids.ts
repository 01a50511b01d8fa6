/** Ids of entries: `<position>-<index>`, in the order of the log. */

export const position = (id: string): number => Number(id.slice(0, id.indexOf("-")))

const index = (id: string): number => Number(id.slice(id.indexOf("-") + 1))

/** Negative when the first comes before the second. */
export const compare = (a: string, b: string): number => position(a) - position(b) || index(a) - index(b)
