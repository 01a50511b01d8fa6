/**
 * What came of a row, in words and as data.
 */
import type { Competition, Competitor } from "./competitor.ts"
import type { Aspect, Row, Target } from "./harness.ts"

export interface Result {
  readonly name: string
  readonly unit: string
  readonly ours: number
  readonly reference: string | null
  readonly referenceValue: number | null
  readonly ratio: number | null
  readonly target: string | null
  readonly holds: boolean | null
  /** All others of the row. */
  readonly others: Readonly<Record<string, number>>
  /** The lowest and the highest round of everybody. */
  readonly spread: Readonly<Record<string, readonly [low: number, high: number]>>
}

const holds = (target: Target, less: boolean, value: number, reference: number | undefined): boolean => {
  const reached = (actual: number, wanted: number) => (less ? actual <= wanted : actual >= wanted)
  return (
    (target.value === undefined || reached(value, target.value)) &&
    (target.ratio === undefined || (reference !== undefined && reached(value / reference, target.ratio))) &&
    (target.over === undefined || (reference !== undefined && reached(value - reference, target.over)))
  )
}

const describe = ({ over, ratio, value }: Target, less: boolean, unit: string): string => {
  const sign = less ? "<=" : ">="
  return [
    ...(value === undefined ? [] : [`${sign} ${value} ${unit}`]),
    ...(ratio === undefined ? [] : [`${sign} ${ratio}x`]),
    ...(over === undefined ? [] : [`${sign} +${over} ${unit}`])
  ].join(" and ")
}

const rounded = (value: number): number => Number(value.toPrecision(4))

const spreadOf = (one: Competitor, aspect: string | undefined): readonly [low: number, high: number] => {
  const values = one.values(aspect)
  return [rounded(Math.min(...values)), rounded(Math.max(...values))]
}

const resultOf = (name: string, competition: Competition, measure: Aspect, aspect?: string): Result => {
  const { target, unit } = measure
  const { beside, ours, peers } = competition
  const less = measure.less === true
  const direction = less ? 1 : -1
  // Whoever has no number in this aspect says so with NaN.
  const valued = (one: Competitor) => !Number.isNaN(one.median(aspect))
  const [best, ...others] = peers.filter(valued).toSorted((a, b) => direction * (a.median(aspect) - b.median(aspect)))
  const value = ours.median(aspect)
  const reference = best?.median(aspect)
  const rest = [...others, ...beside.filter(valued)]
  return {
    name,
    unit,
    ours: rounded(value),
    reference: best?.name ?? null,
    referenceValue: reference === undefined ? null : rounded(reference),
    ratio: reference === undefined ? null : rounded(value / reference),
    target: target === undefined ? null : describe(target, less, unit),
    holds: target === undefined ? null : holds(target, less, value, reference),
    others: Object.fromEntries(rest.map((other) => [other.name, rounded(other.median(aspect))])),
    spread: Object.fromEntries(
      [ours, ...(best === undefined ? [] : [best]), ...rest].map((one) => [one.name, spreadOf(one, aspect)])
    )
  }
}

/** The row's own result, and one for each of its aspects. */
export const resultsOf = (row: Row, competition: Competition): ReadonlyArray<Result> => [
  resultOf(row.name, competition, row),
  ...Object.entries(row.also ?? {}).map(([aspect, measure]) =>
    resultOf(`${row.name}: ${aspect}`, competition, measure, aspect)
  )
]

const inWords = (value: number, unit: string): string =>
  `${value < 100 ? Number(value.toPrecision(3)) : Math.round(value).toLocaleString("en")} ${unit}`

export const line = (result: Result): string => {
  const { holds, name, others, ours, ratio, reference, referenceValue, spread, target, unit } = result
  const compared = referenceValue === null ? "" : `${ratio?.toFixed(2)}x ${reference} ${inWords(referenceValue, unit)}`
  const rest = Object.entries(others).map(([other, value]) => `${other} ${inWords(value, unit)}`)
  const verdict = holds === null ? "    " : holds ? "ok  " : "MISS"
  const [low = ours, high = ours] = spread["ours"] ?? []
  const around = ours === 0 ? 0 : Math.round((Math.max(high - ours, ours - low) / ours) * 100)
  return [
    verdict,
    name.padEnd(46),
    `${inWords(ours, unit).padStart(14)} ${`+-${around} %`.padStart(8)}`,
    [compared, ...rest].join(", ").padEnd(44),
    target ?? ""
  ].join("  ")
}
