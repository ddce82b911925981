// Ranges: where numbers are outliers, and the middle and half width that normalize the rest to [-1, 1], rounded as they
// are stored.
import { roundFp16 } from './half.ts'
import type { Scheme } from './scheme.ts'

/** One entry for each that shares a range. */
export interface Ranges {
  /** Below and above are outliers. Kept apart from the stored two, and not stored itself where ranges are per token. */
  readonly low: Float64Array
  readonly high: Float64Array
  readonly zero: Float64Array
  readonly range: Float64Array
}

/** Ranges from `low` to `high`, as the scheme stores them. Throws RangeError where 16 bits cannot hold them. */
export function rangesOf(scheme: Scheme, low: Float64Array, high: Float64Array): Ranges {
  const ranges = { low, high, zero: new Float64Array(low.length), range: new Float64Array(low.length) }
  for (let i = 0; i < low.length; i++) setRange(scheme, ranges, i)
  return ranges
}

function setRange(scheme: Scheme, { low, high, zero, range }: Ranges, i: number): void {
  const [a, b] = [low[i] as number, high[i] as number]
  const round = scheme.storage === 'paper' ? roundFp16 : Math.fround
  if (scheme.zero === 'code') {
    // A step, and the code that stands for 0: the range is widened to hold it.
    const steps = 2 ** scheme.bits - 1
    const [least, most] = [Math.min(a, 0), Math.max(b, 0)]
    const step = round((most - least) / steps)
    const zeroCode = step > 0 ? Math.min(steps, Math.round(-least / step)) : 0
    zero[i] = (steps / 2 - zeroCode) * step
    range[i] = (steps / 2) * step
  } else {
    zero[i] = round((a + b) / 2)
    range[i] = round((b - a) / 2)
  }
  if (!Number.isFinite(zero[i]) || !Number.isFinite(range[i])) {
    throw new RangeError(`expected numbers that 16 bits hold (up to 65504), got a range from ${a} to ${b}`)
  }
}

/** The place, from either end of a token's sorted elements, that bounds its range: sorted[k] and sorted[length - k]. */
export function valueThresholdIndex(length: number, outliers: number): number {
  return Math.floor((outliers / 2) * length) + 1
}

/** Room to find a token's thresholds in. */
export interface Thresholds {
  readonly lowest: Float64Array
  readonly highest: Float64Array
  readonly ranges: Ranges
}

export function tokenThresholds({ outliers }: Scheme, length: number): Thresholds {
  const k = outliers > 0 ? Math.min(valueThresholdIndex(length, outliers), length >> 1) : 0
  const one = () => new Float64Array(1)
  return {
    // sorted[k] is the (k + 1)th from below, sorted[length - k] the kth from above.
    lowest: new Float64Array(k + 1),
    highest: new Float64Array(Math.max(1, k)),
    ranges: { low: one(), high: one(), zero: one(), range: one() },
  }
}

/** The range of `count` elements from `at` on, in the room given. */
export function groupRanges(scheme: Scheme, data: Float32Array, at: number, count: number, room: Thresholds): Ranges {
  const { lowest, highest, ranges } = room
  if (lowest.length > mostInserted) return sortedRanges(scheme, data.slice(at, at + count).sort(), room)
  lowest.fill(Number.POSITIVE_INFINITY)
  highest.fill(Number.POSITIVE_INFINITY)
  let below = Number.POSITIVE_INFINITY
  let above = Number.NEGATIVE_INFINITY
  for (let i = at; i < at + count; i++) {
    const x = data[i] as number
    if (x < below) below = insert(lowest, x)
    if (x > above) above = -insert(highest, -x)
  }
  ranges.low[0] = lowest[lowest.length - 1] as number
  ranges.high[0] = -(highest[highest.length - 1] as number)
  setRange(scheme, ranges, 0)
  return ranges
}

/** With more thresholds than this it is less work to sort all. */
const mostInserted = 64

function sortedRanges(scheme: Scheme, sorted: Float32Array, { lowest, highest, ranges }: Thresholds): Ranges {
  ranges.low[0] = sorted[lowest.length - 1] as number
  ranges.high[0] = sorted[sorted.length - highest.length] as number
  setRange(scheme, ranges, 0)
  return ranges
}

/** Puts x into its place among ascending numbers, the last of which falls out; returns the new last. */
function insert(sorted: Float64Array, x: number): number {
  let i = sorted.length - 1
  while (i > 0 && (sorted[i - 1] as number) > x) {
    sorted[i] = sorted[i - 1] as number
    i--
  }
  sorted[i] = x
  return sorted[sorted.length - 1] as number
}
