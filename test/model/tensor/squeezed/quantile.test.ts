import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quantiles } from '../../../../model/tensor/squeezed/quantile.ts'

/** numpy's linear method on the values repeated. */
function plain(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * q
  const low = Math.floor(place)
  const [a, b] = [sorted[low] as number, sorted[Math.min(sorted.length - 1, low + 1)] as number]
  return a + (b - a) * (place - low)
}

describe('quantiles', () => {
  it('are those of numpy', () => {
    const of = quantiles(Float64Array.of(4, 1, 3, 2), new Int32Array(4).fill(1))
    expect(of.at(0)).toBe(1)
    expect(of.at(0.4)).toBeCloseTo(2.2, 15)
    expect(of.at(0.5)).toBe(2.5)
    expect(of.at(1)).toBe(4)
  })
  it('are those of the values repeated', () => {
    const run = fc.record({ value: fc.double({ min: -9, max: 9, noNaN: true }), count: fc.nat(6) })
    fc.assert(
      fc.property(fc.array(run, { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (runs, q) => {
        const repeated = runs.flatMap(({ value, count }) => Array<number>(count).fill(value))
        fc.pre(repeated.length > 0)
        const of = quantiles(
          Float64Array.from(runs, (r) => r.value),
          Int32Array.from(runs, (r) => r.count),
        )
        expect(of.count).toBe(repeated.length)
        expect(of.at(q)).toBeCloseTo(plain(repeated, q), 10)
      }),
    )
  })
  it('of no values, of NaN and outside 0 to 1 are refused', () => {
    expect(() => quantiles(Float64Array.of(1), Int32Array.of(0))).toThrow(RangeError)
    expect(() => quantiles(Float64Array.of(1, Number.NaN), Int32Array.of(1, 1))).toThrow('got NaN')
    expect(() => quantiles(Float64Array.of(1), Int32Array.of(1)).at(1.5)).toThrow(RangeError)
  })
})
