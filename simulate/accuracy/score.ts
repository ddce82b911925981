// How wrong predictions are: absolute percentage errors as shares, their bias, and how many rows the interval holds.

export interface Errors {
  readonly mape: number
  readonly median_ape: number
  readonly p90_ape: number
  /** Mean of predicted over measured, less one. */
  readonly bias: number
}

export interface ExpectedErrors extends Errors {
  /** Share of rows inside the 90 % interval, and its mean width over expected; null where there is no interval. */
  readonly coverage: number | null
  readonly relative_width: number | null
}

export interface Score {
  readonly rows: number
  readonly bound: Errors
  readonly expected: ExpectedErrors
}

export interface GroupScore extends Score {
  /** The group's values of the keys, joined by `/`. */
  readonly key: string
}

/** One predicted row. Seconds. */
export interface Outcome {
  readonly measured: number
  readonly bound: number
  readonly expected: number
  /** 90 %; absent where nothing is known of the error. */
  readonly interval?: readonly [low: number, high: number]
  readonly keys: Readonly<Record<string, string>>
}

/** Errors of what is predicted of the rows, of which there must be one. */
export function errors<T extends Pick<Outcome, 'measured'>>(
  outcomes: readonly T[],
  predicted: (o: T) => number,
): Errors {
  const signed = outcomes.map((o) => predicted(o) / o.measured - 1)
  const sizes = Float64Array.from(signed, Math.abs).sort()
  const at = (share: number) => sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))] ?? 0
  return { mape: mean(sizes), median_ape: at(0.5), p90_ape: at(0.9), bias: mean(signed) }
}

function mean(values: Iterable<number> & { readonly length: number }): number {
  let sum = 0
  for (const v of values) sum += v
  return sum / values.length
}

/** Scores rows together. There must be one at least. */
export function score(outcomes: readonly Outcome[]): Score {
  const within = outcomes.filter((o) => o.interval !== undefined)
  const known = within.length > 0
  const inside = within.filter(({ measured, interval: [low, high] = [0, 0] }) => low <= measured && measured <= high)
  const width = ({ expected, interval: [low, high] = [0, 0] }: Outcome) => (high - low) / expected
  return {
    rows: outcomes.length,
    bound: errors(outcomes, (o) => o.bound),
    expected: {
      ...errors(outcomes, (o) => o.expected),
      coverage: known ? inside.length / within.length : null,
      relative_width: known ? mean(within.map(width)) : null,
    },
  }
}

/** What rows have no value of. */
const nothing = '-'

/** Scores by the values of some keys, in the order of first appearance. */
export function scoreBy(outcomes: readonly Outcome[], by: readonly string[]): GroupScore[] {
  const groups = new Map<string, Outcome[]>()
  for (const outcome of outcomes) {
    const key = by.map((k) => outcome.keys[k] || nothing).join('/')
    const group = groups.get(key)
    if (group) group.push(outcome)
    else groups.set(key, [outcome])
  }
  return [...groups].map(([key, of]) => ({ key, ...score(of) }))
}
