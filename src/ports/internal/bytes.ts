/** The order of names: by their UTF-8 bytes. */

const encoder = new TextEncoder()

/** UTF-16 order and UTF-8 order differ beyond the basic plane; databases with the "C" collation have the second. */
export const byBytes = (one: string, other: string): number => {
  const a = encoder.encode(one)
  const b = encoder.encode(other)
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
