/**
 * What clients did and saw, in the shape of Elle's list-append histories: a stream is a list, and its versions are the order
 * of its writes.
 */

interface Append {
  readonly kind: "append"
  readonly stream: string
  /** Unique in the history. */
  readonly value: number
}

interface Read {
  readonly kind: "read"
  readonly stream: string
  /** All values of the stream, oldest first. */
  readonly values: ReadonlyArray<number>
}

export type Operation = Append | Read

export interface Transaction {
  readonly operations: ReadonlyArray<Operation>
  /** From before it began. */
  readonly start: number
  /** Until after it was acknowledged. */
  readonly end: number
  readonly committed: boolean
}

export interface History {
  readonly transactions: ReadonlyArray<Transaction>
  /** What each stream holds in the end, in the order of its versions. */
  readonly streams: ReadonlyMap<string, ReadonlyArray<number>>
}

/**
 * How one transaction must come before another: it wrote before (`ww`), it wrote what the other read (`wr`), it did not see
 * what the other wrote (`rw`), or it had ended when the other began (`time`).
 */
export type Dependency = "ww" | "wr" | "rw" | "time"

export interface Edge {
  readonly from: number
  readonly to: number
  readonly kind: Dependency
}

/** Who wrote each value, by index. */
export const writersOf = (transactions: ReadonlyArray<Transaction>): ReadonlyMap<number, number> =>
  new Map(
    transactions.flatMap(({ operations }, index) =>
      operations.flatMap((one) => (one.kind === "append" ? [[one.value, index] as const] : []))
    )
  )

/** All edges between committed transactions. */
export const edgesOf = ({ streams, transactions }: History): ReadonlyArray<Edge> => {
  const writers = writersOf(transactions)
  const edges: Array<Edge> = []
  const add = (kind: Dependency, from: number | undefined, to: number | undefined) => {
    if (from === undefined || to === undefined || from === to) return
    if (transactions[from]?.committed === true && transactions[to]?.committed === true) edges.push({ kind, from, to })
  }
  for (const values of streams.values()) {
    for (let index = 1; index < values.length; index++) {
      add("ww", writers.get(values[index - 1] ?? -1), writers.get(values[index] ?? -1))
    }
  }
  for (const [index, { operations }] of transactions.entries()) {
    for (const one of operations) {
      if (one.kind === "append") continue
      const order = streams.get(one.stream) ?? []
      add("wr", writers.get(one.values.at(-1) ?? -1), index)
      add("rw", index, writers.get(order[one.values.length] ?? -1))
    }
  }
  for (const edge of inTime(transactions)) add("time", edge.from, edge.to)
  return edges
}

/** Who had ended when another began, but for what follows from others of these. */
const inTime = (transactions: ReadonlyArray<Transaction>): ReadonlyArray<{ from: number; to: number }> => {
  const moments = transactions
    .flatMap(({ committed, end, start }, index) =>
      committed
        ? [
            { at: start, index, begins: true },
            { at: end, index, begins: false }
          ]
        : []
    )
    // What happens in one moment happens in no order: begins go first.
    .sort((a, b) => a.at - b.at || Number(b.begins) - Number(a.begins))
  const edges: Array<{ from: number; to: number }> = []
  const before = new Map<number, ReadonlyArray<number>>()
  let ended: Array<number> = []
  for (const { begins, index } of moments) {
    if (begins) {
      before.set(index, ended)
      for (const from of ended) edges.push({ from, to: index })
    } else {
      const implied = new Set(before.get(index))
      ended = [...ended.filter((other) => !implied.has(other)), index]
    }
  }
  return edges
}
