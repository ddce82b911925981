// The stages of a sequence of kernels, each in f64 from what the stage before left on the device.
import type { Random } from '../../model/random.ts'
import { halfValue } from '../half.ts'
import type { Expectation, Tensor } from '../kernel.ts'
import { roundings, stored } from '../rounding.ts'
import { type Activation, activated } from './activation.ts'
import { attended, type Query } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import { type NormType, normed } from './rows.ts'

export type Outputs = Readonly<Record<string, Uint32Array>>
type At = (index: number) => number

/** The halves of an output. */
export function halvesAt(outputs: Outputs, name: string): At {
  const words = outputs[name]
  if (!words) throw new Error(`expected an output ${name}`)
  return (i) => halfValue(((words[i >>> 1] as number) >>> (16 * (i & 1))) & 0xffff)
}

export function half(name: string, elements: number): Tensor {
  return { name, elements, type: 'fp16', use: 'output' }
}

interface Product {
  readonly to: string
  readonly m: number
  readonly n: number
  readonly k: number
  readonly x: At
  /** Weight of input i for output j. */
  readonly w: (i: number, j: number) => number
}

/** Products of rows by a weight matrix, some of them. */
export function productStage({ to, m, n, k, x, w }: Product, random: Random): Expectation[] {
  const off = roundings(k + 8)
  const columns = someOf(n, random, Math.max(4, Math.min(64, Math.floor(2 ** 18 / k))))
  return someOf(m, random, 4).flatMap((row) =>
    columns.map((column): Expectation => {
      let sum = 0
      let size = 0
      for (let i = 0; i < k; i++) {
        const p = x(row * k + i) * w(i, column)
        sum += p
        size += Math.abs(p)
      }
      return {
        tensor: to,
        offset: row * n + column,
        values: Float64Array.of(sum),
        tolerances: Float64Array.of(off * size + stored(sum, 'fp16')),
      }
    }),
  )
}

interface NormStage {
  readonly to: string
  readonly sum: string
  readonly type: NormType
  readonly rows: number
  readonly width: number
  readonly x: At
  readonly residual: At
  readonly scale: At
  readonly bias: At
}

/** A norm and the sum with the residual that it carries. */
export function normStage(s: NormStage, random: Random): Expectation[] {
  const { width } = s
  return someOf(s.rows, random, 4).flatMap((row): Expectation[] => {
    const offset = row * width
    const added = Float64Array.from({ length: width }, (_, i) => s.x(offset + i) + s.residual(offset + i))
    const { values, errors } = normed(added, s.type, s.scale, s.bias)
    return [
      { tensor: s.to, offset, values, tolerances: errors.map((e, i) => e + stored(values[i] as number, 'fp16')) },
      { tensor: s.sum, offset, values: added, tolerances: added.map((v) => 2 * stored(v, 'fp16')) },
    ]
  })
}

/** Element by element, from rows of gates and ups or of one input. */
export function activationStage(
  to: string,
  type: Activation,
  rows: number,
  width: number,
  x: At,
  random: Random,
): Expectation[] {
  const inputs = type === 'swiglu' ? 2 : 1
  return someOf(rows, random, 4).map((row) => {
    const results = Array.from({ length: width }, (_, i) => {
      const at = row * inputs * width + i
      return activated(type, x(at), type === 'swiglu' ? x(at + width) : 1)
    })
    return {
      tensor: to,
      offset: row * width,
      values: Float64Array.from(results, (r) => r.value),
      tolerances: Float64Array.from(results, (r) => r.error + stored(r.value, 'fp16')),
    }
  })
}

/** One row of queries at `offset` of an output. */
export function attentionStage(to: string, offset: number, query: Query): Expectation {
  return { tensor: to, offset, ...attended(query, 'fp16') }
}
