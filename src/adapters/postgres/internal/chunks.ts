/** Texts of any length as payloads of NOTIFY, which holds less than 8,000 bytes. */

/** The longest payload, in bytes of UTF-8. */
const longest = 7999

/** What begins a payload that holds a part of a text; no JSON begins with it. */
const mark = "+"

/**
 * The payloads of a text, in order. `id` makes the parts of one text differ from those of all others: of equal payloads in a
 * transaction the server keeps one.
 */
export const split = (id: string, text: string): ReadonlyArray<string> => {
  if (Buffer.byteLength(text) <= longest) return [text]
  const bytes = Buffer.from(text)
  const room = longest - Buffer.byteLength(`${mark}${id} 999999/999999 `)
  const ends: Array<number> = []
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(at + room, bytes.length)
    // No character is cut in two.
    while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--
    ends.push((at = end))
  }
  return ends.map(
    (end, part) => `${mark}${id} ${part + 1}/${ends.length} ${bytes.toString("utf8", ends[part - 1] ?? 0, end)}`
  )
}

const header = /^\+(\S+) (\d+)\/(\d+) /

/** Puts texts together again, whose parts come one after the other: all of a transaction do. */
export class Joining {
  private id = ""
  private parts: Array<string> = []

  /** The text that is whole with this payload, if one is. */
  take(payload: string): string | undefined {
    if (!payload.startsWith(mark)) return payload
    const [head, id, part, count] = header.exec(payload) ?? []
    if (head === undefined || id === undefined) return payload
    if (id !== this.id) {
      this.id = id
      this.parts = []
    }
    if (Number(part) !== this.parts.length + 1) return undefined
    this.parts.push(payload.slice(head.length))
    if (this.parts.length < Number(count)) return undefined
    const text = this.parts.join("")
    this.parts = []
    this.id = ""
    return text
  }
}
