// Attention of one query row in f64, with what an fp32 kernel may be off by: errors of the scores become relative errors
// of the weights, and those and the sums' own roundings errors of the output.
import { exponentialError, leastHalf, roundings, stored, unitRoundoff } from '../rounding.ts'

/** One query over the keys that it sees. */
export interface Query {
  /** Its elements, already divided by the square root of the head dimension. */
  readonly query: Float64Array
  readonly keys: number
  readonly key: RowReader
  readonly value: RowReader
  readonly valueDim: number
  /** The keys that are attended, where not the first `keys`; `key` and `value` are asked for these. */
  readonly list?: ArrayLike<number>
  /** Scores and weights pass through memory in this format. */
  readonly passed?: 'fp32' | 'fp16'
}

/**
 * Writes row j, and the sizes of what each element is summed from: of a scaled code and its zero point, which may
 * cancel; of a plain element its own.
 */
export type RowReader = (j: number, row: Float64Array, sizes: Float64Array) => void

/** Rows of `length` plain elements from number `first` on. */
export function plainRows(at: (index: number) => number, first: number, length: number): RowReader {
  return (j, row, sizes) => {
    const begin = first + j * length
    for (let i = 0; i < length; i++) {
      const x = at(begin + i)
      row[i] = x
      sizes[i] = Math.abs(x)
    }
  }
}

export interface Attended {
  readonly values: Float64Array
  readonly tolerances: Float64Array
}

/** Terms that one accumulator adds one after the other, at most: longer runs are split, and the parts merged. */
export const longestRun = 8192
/** Parts that are merged at most, and times that a running maximum may change what is summed. */
const merges = 1024
const rescalings = 32

/** The words for all of this. */
export const attentionTolerance =
  'roundings of each score, 3 + 2|x| ulp of each exponential, sums of at most 8192 terms and their merging; the result stored'

export function attended(q: Query, type: 'fp32' | 'fp16'): Attended {
  const { query, valueDim, list, passed } = q
  const keys = list?.length ?? q.keys
  const scores = new Float64Array(keys)
  const errors = new Float64Array(keys)
  const row = new Float64Array(query.length)
  const parts = new Float64Array(query.length)
  const off = roundings(query.length + 24)
  let most = Number.NEGATIVE_INFINITY
  for (let j = 0; j < keys; j++) {
    q.key(list?.[j] ?? j, row, parts)
    let score = 0
    let size = 0
    for (let i = 0; i < query.length; i++) {
      const x = query[i] as number
      score += x * (row[i] as number)
      size += Math.abs(x) * (parts[i] as number)
    }
    scores[j] = score
    errors[j] = off * size + (passed ? stored(score, passed) : 0)
    most = Math.max(most, score)
  }
  let total = 0
  const values = new Float64Array(valueDim)
  const sizes = new Float64Array(valueDim)
  const drifts = new Float64Array(valueDim)
  let drift = 0
  /** Sizes of values whose weights are stored, times the least that storing may change. */
  const smallest = new Float64Array(valueDim)
  const valueRow = new Float64Array(valueDim)
  const valueParts = new Float64Array(valueDim)
  for (let j = 0; j < keys; j++) {
    const below = most - (scores[j] as number)
    const weight = Math.exp(-below)
    if (weight < 1e-30) continue
    const relative =
      (errors[j] as number) +
      rescalings * exponentialError(0) +
      exponentialError(below / Math.LN2) +
      (passed ? unitRoundoff[passed] : 0)
    total += weight
    drift += weight * relative
    q.value(list?.[j] ?? j, valueRow, valueParts)
    for (let i = 0; i < valueDim; i++) {
      const size = weight * (valueParts[i] as number)
      values[i] = (values[i] as number) + weight * (valueRow[i] as number)
      sizes[i] = (sizes[i] as number) + size
      drifts[i] = (drifts[i] as number) + size * relative
      if (passed === 'fp16') smallest[i] = (smallest[i] as number) + (valueParts[i] as number)
    }
  }
  const sums = roundings(Math.min(keys, longestRun) + merges)
  const tolerances = new Float64Array(valueDim)
  for (let i = 0; i < valueDim; i++) {
    const value = (values[i] as number) / total
    const size = (sizes[i] as number) / total
    tolerances[i] =
      (smallest[i] as number) * leastHalf * unitRoundoff.fp16 +
      (drifts[i] as number) / total +
      (Math.abs(value) * drift) / total +
      2 * sums * size +
      stored(value, type)
    values[i] = value
  }
  return { values, tolerances }
}

/** Rows of queries that are compared in each head that is: the reference of long ones takes its time. */
export function rowsChecked(tokens: number, dim: number): number {
  return Math.max(tokens * dim > 2 ** 23 ? 1 : 2, Math.min(8, Math.floor(2 ** 22 / (tokens * dim))))
}
