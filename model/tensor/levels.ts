// Codebooks on [-1, 1]: the numbers that codes stand for, and the code nearest to a number. NormalFloat is QLoRA's (arXiv
// 2305.14314, section 3), whose 4-bit table KVQuant's kernels start from; the others follow from the same rule.

export const codebooks = ['learned', 'uniform', 'nf'] as const
export type Codebook = (typeof codebooks)[number]

// To seven digits; zero is one of them.
const normalFloat: Readonly<Record<number, readonly number[]>> = {
  2: [-1, 0, 0.4358182, 1],
  3: [-1, -0.5350227, -0.2469314, 0, 0.1833375, 0.381994, 0.6229857, 1],
  4: [
    -1, -0.6961928, -0.525073, -0.3949174, -0.2844413, -0.1847734, -0.09105, 0, 0.0795803, 0.1609301, 0.2461123,
    0.3379151, 0.4407097, 0.5626169, 0.7229566, 1,
  ],
}

/** The bits that a NormalFloat table is known for. */
export const normalFloatBits: readonly number[] = Object.keys(normalFloat).map(Number)

export function normalFloatLevels(bits: number): Float64Array {
  const table = normalFloat[bits]
  if (table === undefined) throw new RangeError(`nf: expected ${normalFloatBits.join(', ')} bits, got ${bits}`)
  return Float64Array.from(table)
}

/** 2^bits even steps from -1 to 1. */
export function uniformLevels(bits: number): Float64Array {
  const last = 2 ** bits - 1
  return Float64Array.from({ length: last + 1 }, (_, i) => -1 + (2 * i) / last)
}

/** Finds the level nearest to a number: a cell of a fine grid gives where to begin, and few steps remain. */
export interface Encoder {
  /** Between a level and the next; infinity after the last. */
  readonly middles: Float64Array
  /** The code at the begin of each cell of [-1, 1], and at 1: x + 1 may round to 2. */
  readonly first: Uint8Array
}

export const cells = 1024

/** An encoder of ascending levels; of two that are as near it takes the lower. */
export function encoder(levels: Float64Array): Encoder {
  const middles = levels.map((x, i) => (i + 1 < levels.length ? (x + (levels[i + 1] as number)) / 2 : Infinity))
  const first = new Uint8Array(cells + 1)
  let code = 0
  for (let cell = 0; cell <= cells; cell++) {
    while (cell > 0 && -1 + (2 * cell) / cells > (middles[code] as number)) code++
    first[cell] = code
  }
  return { middles, first }
}

/** The code of the level nearest to x. */
export function encode({ middles, first }: Encoder, x: number): number {
  let code = x >= 1 ? (first[cells] as number) : x <= -1 ? 0 : (first[((x + 1) * (cells / 2)) | 0] as number)
  while (x > (middles[code] as number)) code++
  return code
}

/** Levels after Q-Norm (KVQuant), which gives quantized numbers the mean and deviation of the original. */
export interface QNorm {
  readonly scale: number
  readonly offset: number
}

export interface Moments {
  readonly mean: number
  readonly deviation: number
}

/** `original`: of the numbers that are no outliers; `quantized`: of what their codes stand for. */
export function qNorm(original: Moments, quantized: Moments): QNorm {
  const scale = quantized.deviation > 0 ? original.deviation / quantized.deviation : 1
  return { scale, offset: original.mean - quantized.mean * scale }
}

/** Mean and standard deviation of a population given as value, count. */
export function moments(values: ArrayLike<number>, counts?: ArrayLike<number>): Moments {
  let [n, sum, squares] = [0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    const count = counts === undefined ? 1 : (counts[i] as number)
    const x = values[i] as number
    n += count
    sum += count * x
    squares += count * x * x
  }
  if (n === 0) return { mean: 0, deviation: 0 }
  return { mean: sum / n, deviation: Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)) }
}
