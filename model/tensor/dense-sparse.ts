// Weights as non-uniform codes and sparse exceptions (SqueezeLLM, arXiv 2306.07629, sections 4.1 and 4.2): each output
// channel has a table of its own, learned by k-means weighted with the Fisher information; the largest weights of the
// matrix and the most sensitive ones are kept apart.
import { fp16Bits, fp16Values, roundFp16 } from './half.ts'
import { kMeans } from './k-means.ts'
import { encode, encoder } from './levels.ts'
import { pack, packedBytes, unpack } from './pack.ts'

export interface DenseSparse {
  readonly rows: number
  readonly columns: number
  readonly bits: number
  /** Row by row, each on whole bytes. */
  readonly codes: Uint8Array
  /** fp16: 2^bits for each row. */
  readonly tables: Uint16Array
  /** fp16: what is added to the dense weights; columns, and where each row ends. */
  readonly values: Uint16Array
  readonly indices: Uint16Array
  readonly ends: Uint32Array
}

export interface DenseSparseOptions {
  readonly bits: number
  /** Share of the matrix kept apart for its size, and for its sensitivity (of the Fisher information). */
  readonly large?: number
  readonly sensitive?: number
}

/** Quantizes a matrix of `rows` output channels. `fisher` is of the same length. Throws RangeError. */
export function denseAndSparse(
  weights: Float32Array,
  rows: number,
  { bits, large = 0.004, sensitive = fisherShare }: DenseSparseOptions,
  fisher?: Float32Array,
): DenseSparse {
  const columns = weights.length / rows
  checkMatrix(weights, columns, { bits, large, sensitive }, fisher)
  const apart = exceptions(weights, fisher, large, fisher === undefined ? 0 : sensitive)
  const rowBytes = packedBytes(columns, bits)
  const codes = new Uint8Array(rows * rowBytes)
  const tables = new Uint16Array(rows * 2 ** bits)
  const [values, indices, ends]: [number[], number[], number[]] = [[], [], []]
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const table = rowTable(weights, fisher, apart, at, columns, bits)
    const e = encoder(table)
    const row = new Uint8Array(columns)
    for (let c = 0; c < columns; c++) {
      const weight = weights[at + c] as number
      row[c] = encode(e, apart.has(at + c) ? 0 : weight)
      if (!apart.has(at + c)) continue
      values.push(weight - (table[row[c] as number] as number))
      indices.push(c)
    }
    pack(row, bits, codes, r * rowBytes)
    tables.set(Array.from(table, fp16Bits), r * 2 ** bits)
    ends.push(values.length)
  }
  const sparse = { values: Uint16Array.from(values, fp16Bits), indices: Uint16Array.from(indices) }
  return { rows, columns, bits, codes, tables, ...sparse, ends: Uint32Array.from(ends) }
}

/** In the paper 0.05 % for sensitivity and up to 0.4 % for size: 0.45 % in all. */
const fisherShare = 0.0005

function checkMatrix(
  weights: Float32Array,
  columns: number,
  o: Required<DenseSparseOptions>,
  fisher?: Float32Array,
): void {
  if (!Number.isInteger(columns) || columns < 1 || columns > 65536) {
    throw new RangeError(`expected rows of 1 to 65536 whole columns, got ${columns}`)
  }
  if (![2, 3, 4].includes(o.bits)) throw new RangeError(`bits: expected 2, 3 or 4, got ${o.bits}`)
  for (const share of ['large', 'sensitive'] as const) {
    if (!(o[share] >= 0 && o[share] < 0.5))
      throw new RangeError(`${share}: expected a share from 0 to below 0.5, got ${o[share]}`)
  }
  if (fisher !== undefined && fisher.length !== weights.length) {
    throw new RangeError(`expected a Fisher information of ${weights.length} elements, got ${fisher.length}`)
  }
  const odd = weights.findIndex((w) => !(Math.abs(w) < 65520))
  if (odd >= 0) throw new RangeError(`expected weights that 16 bits hold (up to 65504), got ${weights[odd]} at ${odd}`)
}

/** Places of the largest weights, then of the most sensitive of the others. */
function exceptions(
  weights: Float32Array,
  fisher: Float32Array | undefined,
  large: number,
  sensitive: number,
): Set<number> {
  const apart = new Set(largest(weights, Math.round(large * weights.length)))
  if (fisher === undefined) return apart
  const others = fisher.map((f, i) => (apart.has(i) ? 0 : f))
  for (const i of largest(others, Math.round(sensitive * weights.length))) apart.add(i)
  return apart
}

function largest(numbers: Float32Array, count: number): number[] {
  if (count === 0) return []
  const size = numbers.map(Math.abs).sort()
  const limit = size[size.length - count] as number
  const above: number[] = []
  const equal: number[] = []
  for (let i = 0; i < numbers.length; i++) {
    const x = Math.abs(numbers[i] as number)
    if (x > limit) above.push(i)
    else if (x === limit) equal.push(i)
  }
  return [...above, ...equal.slice(0, count - above.length)]
}

function rowTable(
  weights: Float32Array,
  fisher: Float32Array | undefined,
  apart: ReadonlySet<number>,
  at: number,
  columns: number,
  bits: number,
): Float64Array {
  const kept = Array.from({ length: columns }, (_, c) => at + c)
    .filter((i) => !apart.has(i))
    .sort((a, b) => (weights[a] as number) - (weights[b] as number))
  if (kept.length === 0) return new Float64Array(2 ** bits)
  const points = Float64Array.from(kept, (i) => weights[i] as number)
  const known = fisher && kept.some((i) => (fisher[i] as number) > 0) ? fisher : undefined
  const sensitivity = Float64Array.from(kept, (i) => (known ? (known[i] as number) : 1))
  return kMeans(points, sensitivity, 2 ** bits).map(roundFp16)
}

/** The weights that it stands for. */
export function denseAndSparseWeights({ rows, columns, bits, codes, tables, ...sparse }: DenseSparse): Float32Array {
  const out = new Float32Array(rows * columns)
  const halves = fp16Values()
  const row = new Uint8Array(columns)
  for (let r = 0, i = 0; r < rows; r++) {
    unpack(codes, bits, row, r * packedBytes(columns, bits))
    for (let c = 0; c < columns; c++) {
      out[r * columns + c] = halves[tables[r * 2 ** bits + (row[c] as number)] as number] as number
    }
    for (; i < (sparse.ends[r] as number); i++) {
      const at = r * columns + (sparse.indices[i] as number)
      out[at] = (out[at] as number) + (halves[sparse.values[i] as number] as number)
    }
  }
  return out
}

export function denseAndSparseBytes({ codes, tables, values, indices, ends }: DenseSparse): number {
  return [codes, tables, values, indices, ends].reduce((sum, part) => sum + part.byteLength, 0)
}
