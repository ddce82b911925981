// How wrong predictions are: absolute percentage errors as shares, their bias, and how many rows the interval holds.

export interface Errors {
  readonly mape: number
  readonly median_ape: number
  readonly p90_ape: number
  /** Mean of predicted over measured, less one. */
  readonly bias: number
}

export interface ExpectedErrors extends Errors {
  /** Share of rows inside the 90 % interval, and its mean width over expected. */
  readonly coverage: number
  readonly relative_width: number
}

export interface Scored {
  readonly key: string
  readonly rows: number
  readonly bound: Errors
  readonly expected: ExpectedErrors
}

/** One predicted row. Seconds. */
export interface Outcome {
  readonly measured: number
  readonly bound: number
  readonly expected: number
  readonly low: number
  readonly high: number
  readonly keys: Readonly<Record<string, string>>
}

function errors(outcomes: readonly Outcome[], predicted: (o: Outcome) => number): Errors {
  const signed = outcomes.map((o) => predicted(o) / o.measured - 1)
  const sizes = Float64Array.from(signed, Math.abs).sort()
  const at = (q: number) => sizes[Math.min(sizes.length - 1, Math.floor(q * sizes.length))] ?? Number.NaN
  let sum = 0
  for (const s of sizes) sum += s
  return {
    mape: sum / sizes.length,
    median_ape: at(0.5),
    p90_ape: at(0.9),
    bias: signed.reduce((a, b) => a + b, 0) / signed.length,
  }
}

/** Scores one group of rows. */
export function score(key: string, outcomes: readonly Outcome[]): Scored {
  const inside = outcomes.filter((o) => o.measured >= o.low && o.measured <= o.high).length
  const width = outcomes.reduce((sum, o) => sum + (o.high - o.low) / o.expected, 0) / outcomes.length
  return {
    key,
    rows: outcomes.length,
    bound: errors(outcomes, (o) => o.bound),
    expected: { ...errors(outcomes, (o) => o.expected), coverage: inside / outcomes.length, relative_width: width },
  }
}

/** Scores by the values of some keys, joined by `/`, in the order of first appearance. */
export function scoreBy(outcomes: readonly Outcome[], by: readonly string[]): Scored[] {
  const groups = new Map<string, Outcome[]>()
  for (const o of outcomes) {
    const key = by.map((k) => o.keys[k] || '-').join('/')
    const group = groups.get(key)
    if (group) group.push(o)
    else groups.set(key, [o])
  }
  return [...groups].map(([key, of]) => score(key, of))
}
