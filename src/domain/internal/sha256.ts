/** SHA-256 of a text's UTF-8, in hexadecimal: synchronous and without a platform. */

const firstBits = (root: (n: number) => number, n: number) => {
  const value = root(n)
  return Math.floor((value - Math.floor(value)) * 2 ** 32) | 0
}

const primes: ReadonlyArray<number> = Array.from({ length: 312 }, (_, n) => n).filter((n) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
  return n > 1
})

const start = primes.slice(0, 8).map((prime) => firstBits(Math.sqrt, prime))
const rounds = Int32Array.from(primes.slice(0, 64), (prime) => firstBits(Math.cbrt, prime))
const encoder = new TextEncoder()

export const sha256 = (text: string): string => {
  const bytes = encoder.encode(text)
  const blocks = Math.ceil((bytes.length + 9) / 64)
  const padded = new Uint8Array(blocks * 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29))
  view.setUint32(padded.length - 4, bytes.length << 3)
  const state = Int32Array.from(start)
  const words = new Int32Array(64)
  for (let block = 0; block < blocks; block++) compress(state, words, view, block * 64)
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
}

const rotated = (word: number, by: number) => (word >>> by) | (word << (32 - by))

const compress = (state: Int32Array, words: Int32Array, view: DataView, offset: number): void => {
  const at = (from: Int32Array, index: number) => from[index] ?? 0
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(offset + i * 4)
  for (let i = 16; i < 64; i++) {
    const [x, y] = [at(words, i - 15), at(words, i - 2)]
    const small = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3)
    const large = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10)
    words[i] = (at(words, i - 16) + small + at(words, i - 7) + large) | 0
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g))) | 0
    const first = (one + at(rounds, i) + at(words, i)) | 0
    const second = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  for (const [index, word] of [a, b, c, d, e, f, g, h].entries()) state[index] = (at(state, index) + word) | 0
}
