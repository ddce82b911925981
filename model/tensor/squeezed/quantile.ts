// Quantiles of values that stand for many equal ones: what numpy's `quantile` (linear) gives for the values repeated.

/** A value's quantile function over all that was added. */
export interface Quantiles {
  /** How many values there are, repeats counted. */
  readonly count: number
  /** The value below which the share `q` in [0, 1] lies, between neighbours by a straight line. */
  at(q: number): number
}

/**
 * The quantiles of `values`, value i standing for `counts[i]` equal ones (of keys that share their cluster's score).
 * Throws RangeError where there is no value, or one that is NaN.
 */
export function quantiles(values: Float64Array, counts: Int32Array): Quantiles {
  const order = Uint32Array.from(values.keys()).filter((i) => (counts[i] as number) > 0)
  if (order.some((i) => Number.isNaN(values[i]))) throw new RangeError('quantile: expected numbers, got NaN')
  order.sort((a, b) => (values[a] as number) - (values[b] as number))
  // Where each value's run ends.
  const ends = new Float64Array(order.length)
  let count = 0
  order.forEach((i, at) => {
    count += counts[i] as number
    ends[at] = count
  })
  if (count === 0) throw new RangeError('quantile: expected at least one value, got none')
  const valueAt = (rank: number) => values[order[firstAbove(ends, rank)] as number] as number
  return {
    count,
    at: (q) => {
      if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile: expected a share from 0 to 1, got ${q}`)
      const place = (count - 1) * q
      const rank = Math.floor(place)
      return between(valueAt(rank), valueAt(Math.min(count - 1, rank + 1)), place - rank)
    },
  }
}

/** The first index whose value is above `rank`. */
function firstAbove(ends: Float64Array, rank: number): number {
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ends[middle] as number) > rank) high = middle
    else low = middle + 1
  }
  return low
}

/** As numpy does it, from the nearer end: it never leaves [a, b]. */
function between(a: number, b: number, t: number): number {
  const step = b - a
  if (step === 0) return a
  return t >= 0.5 ? b - step * (1 - t) : a + step * t
}
