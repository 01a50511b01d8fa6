/**
 * Finds in a history what no serial order explains. The names are Adya's, as Elle uses them.
 */
import { type Dependency, type Edge, edgesOf, type History, type Transaction, writersOf } from "./history.ts"

export type Kind =
  /** Something acknowledged is not there. */
  | "lost"
  /** Something that was undone was read, or is there. */
  | "G1a"
  /** A state in the middle of another transaction was read. */
  | "G1b"
  /** A read that is no beginning of what the stream came to be. */
  | "incompatible order"
  /** A transaction that does not see what it has written or read itself. */
  | "internal"
  | "G0"
  | "G1c"
  | "G-single"
  | "G2"
  | "G0-realtime"
  | "G1c-realtime"
  | "G-single-realtime"
  | "G2-realtime"

export interface Anomaly {
  readonly kind: Kind
  /** The transactions, by index; of a cycle, each must come before the next one. */
  readonly transactions: ReadonlyArray<number>
}

/** One anomaly of each kind that is there. */
export const check = (history: History): ReadonlyArray<Anomaly> => {
  const edges = edgesOf(history)
  const timeless = cycles(edges, ["ww", "wr"], "")
  const kinds = new Set(timeless.map(({ kind }) => `${kind}-realtime`))
  const timely = cycles(edges, ["ww", "wr", "time"], "-realtime").filter(({ kind }) => !kinds.has(kind))
  return [...readings(history), ...timeless, ...timely]
}

/** What is wrong without any other transaction than the one that wrote. */
const readings = ({ streams, transactions }: History): ReadonlyArray<Anomaly> => {
  const found = new Map<Kind, Anomaly>()
  const add = (kind: Kind, ...indexes: ReadonlyArray<number>) => {
    if (!found.has(kind)) found.set(kind, { kind, transactions: indexes })
  }
  const writers = writersOf(transactions)
  const there = new Set([...streams.values()].flat())
  for (const value of there) {
    const writer = writers.get(value)
    if (writer !== undefined && transactions[writer]?.committed === false) add("G1a", writer)
  }
  for (const [index, transaction] of transactions.entries()) {
    if (!transaction.committed) continue
    if (!isCoherent(transaction)) add("internal", index)
    for (const one of transaction.operations) {
      if (one.kind === "append") {
        if (!there.has(one.value)) add("lost", index)
        continue
      }
      const order = streams.get(one.stream) ?? []
      if (one.values.some((value, n) => order[n] !== value)) add("incompatible order", index)
      for (const value of one.values) {
        const writer = writers.get(value)
        if (writer !== undefined && transactions[writer]?.committed === false) add("G1a", index, writer)
      }
      const last = one.values.at(-1)
      const writer = last === undefined ? undefined : writers.get(last)
      if (writer === undefined || writer === index) continue
      const own = transactions[writer]?.operations.flatMap((other) =>
        other.kind === "append" && other.stream === one.stream ? [other.value] : []
      )
      if (own?.at(-1) !== last) add("G1b", index, writer)
    }
  }
  return [...found.values()]
}

/** Whether each read holds what the transaction itself has appended since its read before. */
const isCoherent = ({ operations }: Transaction): boolean => {
  const own = new Map<string, Array<number>>()
  for (const one of operations) {
    const mine = own.get(one.stream) ?? []
    if (one.kind === "append") own.set(one.stream, [...mine, one.value])
    else if (mine.length > 0 && one.values.slice(-mine.length).join() !== mine.join()) return false
  }
  return true
}

const cycles = (
  edges: ReadonlyArray<Edge>,
  base: ReadonlyArray<Dependency>,
  suffix: "" | "-realtime"
): ReadonlyArray<Anomaly> => {
  const found: Array<Anomaly> = []
  const first = (kind: Kind, cycle: ReadonlyArray<number> | undefined) => {
    if (cycle !== undefined) found.push({ kind, transactions: cycle })
  }
  first(`G0${suffix}`, anyCycle(edges.filter(({ kind }) => kind !== "wr" && base.includes(kind))))
  // Not what is a cycle of a stronger kind already.
  if (found.length === 0) first(`G1c${suffix}`, anyCycle(edges.filter(({ kind }) => base.includes(kind))))
  const all = edges.filter(({ kind }) => kind === "rw" || base.includes(kind))
  const components = componentsOf(all)
  const isInside = ({ from, to }: Edge) => from !== to && components.get(from) === components.get(to)
  const inside = all.filter(isInside)
  const step = outgoing(inside.filter(({ kind }) => kind !== "rw"))
  const single = inside
    .filter(({ kind }) => kind === "rw")
    .map(({ from, to }) => path(step, to, from))
    .find((way) => way !== undefined)
  first(`G-single${suffix}`, single)
  if (single === undefined && found.length === 0) first(`G2${suffix}`, anyCycle(inside))
  return found
}

const outgoing = (edges: ReadonlyArray<Edge>): ReadonlyMap<number, ReadonlyArray<number>> => {
  const next = new Map<number, Array<number>>()
  for (const { from, to } of edges) {
    const known = next.get(from)
    if (known === undefined) next.set(from, [to])
    else known.push(to)
  }
  return next
}

/** A shortest way, both ends included. */
const path = (
  next: ReadonlyMap<number, ReadonlyArray<number>>,
  from: number,
  to: number
): ReadonlyArray<number> | undefined => {
  const before = new Map<number, number>()
  let front = [from]
  const seen = new Set(front)
  while (front.length > 0) {
    if (seen.has(to)) {
      const way = [to]
      for (let at = before.get(to); at !== undefined; at = before.get(at)) way.unshift(at)
      return way
    }
    const reached: Array<number> = []
    for (const at of front) {
      for (const one of next.get(at) ?? []) {
        if (seen.has(one)) continue
        seen.add(one)
        before.set(one, at)
        reached.push(one)
      }
    }
    front = reached
  }
  return undefined
}

const anyCycle = (edges: ReadonlyArray<Edge>): ReadonlyArray<number> | undefined => {
  const components = componentsOf(edges)
  const inside = edges.filter(({ from, to }) => components.get(from) === components.get(to))
  const [one] = inside
  return one === undefined ? undefined : path(outgoing(inside), one.to, one.from)
}

/** The strongly connected component of each, by Tarjan's algorithm without recursion. */
const componentsOf = (edges: ReadonlyArray<Edge>): ReadonlyMap<number, number> => {
  const next = outgoing(edges)
  const order = new Map<number, number>()
  const lowest = new Map<number, number>()
  const component = new Map<number, number>()
  const open: Array<number> = []
  const visit = (root: number) => {
    const work = [{ node: root, child: 0 }]
    while (work.length > 0) {
      const top = work.at(-1)
      if (top === undefined) return
      const { node } = top
      if (top.child === 0) {
        order.set(node, order.size)
        lowest.set(node, order.get(node) ?? 0)
        open.push(node)
      }
      const child = next.get(node)?.[top.child++]
      if (child !== undefined) {
        if (!order.has(child)) work.push({ node: child, child: 0 })
        else if (!component.has(child)) lower(node, order.get(child))
        continue
      }
      work.pop()
      const parent = work.at(-1)
      if (parent !== undefined) lower(parent.node, lowest.get(node))
      if (lowest.get(node) === order.get(node)) {
        for (let one = open.pop(); one !== undefined; one = open.pop()) {
          component.set(one, node)
          if (one === node) break
        }
      }
    }
  }
  const lower = (node: number, to: number | undefined) =>
    lowest.set(node, Math.min(lowest.get(node) ?? Number.POSITIVE_INFINITY, to ?? Number.POSITIVE_INFINITY))
  for (const node of next.keys()) if (!order.has(node)) visit(node)
  return component
}
