// How wrong expected times are over some rows, as shares. Ratios are expected over measured.

export interface Errors {
  readonly rows: number
  /** Mean, median and 90th percentile of the absolute relative error. */
  readonly mape: number
  readonly median: number
  readonly p90: number
  /** Mean of expected over measured, less one. */
  readonly bias: number
}

export function errorsOf(ratios: readonly number[]): Errors {
  const sizes = ratios.map((r) => Math.abs(r - 1)).sort((a, b) => a - b)
  return {
    rows: ratios.length,
    mape: mean(sizes),
    median: quantile(sizes, 0.5),
    p90: quantile(sizes, 0.9),
    bias: mean(ratios) - 1,
  }
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length
}

/** Of values in ascending order, the nearest rank. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.round(q * (sorted.length - 1))] ?? Number.NaN
}

/** FNV-1a, mixed so that its lowest bit depends on all of the text: halves of rows that are no neighbours. */
export function hash(text: string): number {
  let h = 2166136261
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619)
  h ^= h >>> 15
  h = Math.imul(h, 2246822507)
  return (h ^ (h >>> 13)) >>> 0
}
