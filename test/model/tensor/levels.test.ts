import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  encode,
  encoder,
  moments,
  normalFloatBits,
  normalFloatLevels,
  qNorm,
  uniformLevels,
} from '../../../model/tensor/levels.ts'
import { groupRanges, tokenThresholds, valueThresholdIndex } from '../../../model/tensor/ranges.ts'
import { kvMethod } from '../../../model/tensor/scheme.ts'

const file = join(import.meta.dirname, '../../../../shared/facts/golden-vectors.json')
const there = existsSync(file)
const why = there ? '' : ' (skipped: no golden vectors here)'
const golden = (name: string) => {
  const all = JSON.parse(readFileSync(file, 'utf8')) as ({ name: string } & Record<string, number[] & number>)[]
  return all.find((v) => v.name === name) as Record<string, number[] & number>
}

test.skipIf(!there)(`NormalFloat is the published table${why}`, () => {
  const { lut, zero_index: zero } = golden('kvquant_nf4_lut')
  expect([...normalFloatLevels(4)]).toEqual(lut)
  expect(encode(encoder(normalFloatLevels(4)), 0)).toBe(zero)
})

test.skipIf(!there)(`a token's thresholds are those published${why}`, () => {
  const { hidden, k, max_outliers: most } = golden('kvquant_value_threshold_index') as unknown as Record<string, number>
  expect(valueThresholdIndex(hidden as number, 0.01)).toBe(k)
  const { value } = kvMethod('kvquant', { bits: 4, outliers: 0.01 })
  const data = Float32Array.from({ length: hidden as number }, (_, i) => (i * 2654435761) % 4093)
  const sorted = data.slice().sort()
  const { low, high } = groupRanges(value, data, 0, data.length, tokenThresholds(value, data.length))
  expect([low[0], high[0]]).toEqual([sorted[k as number], sorted.at(-(k as number))])
  const outside = data.filter((x) => x < (low[0] as number) || x > (high[0] as number))
  expect(outside.length).toBe(most)
})

test.skipIf(!there)(`Q-Norm is as published${why}`, () => {
  const { signposts, data, quantized, normscale, normoffset, rescaled_signposts: rescaled } = golden('kvquant_qnorm')
  const e = encoder(Float64Array.from(signposts as number[]))
  const codes = (data as number[]).map((x) => (signposts as number[])[encode(e, x)] as number)
  expect(codes).toEqual(quantized)
  const { scale, offset } = qNorm(moments(data as number[]), moments(codes))
  expect(scale).toBeCloseTo(normscale as number, 14)
  expect(offset).toBeCloseTo(normoffset as number, 14)
  const moved = (signposts as number[]).map((x) => x * scale + offset)
  moved.forEach((x, i) => {
    expect(x).toBeCloseTo((rescaled as number[])[i] as number, 14)
  })
})

test('a code is that of the nearest level', () => {
  const level = fc.double({ min: -1.2, max: 1.2, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(level, { minLength: 1, maxLength: 256 }),
      fc.double({ min: -2, max: 2, noNaN: true }),
      (list, x) => {
        const levels = Float64Array.from(list).sort()
        const code = encode(encoder(levels), x)
        const nearest = Math.min(...levels.map((l) => Math.abs(l - x)))
        return Math.abs((levels[code] as number) - x) <= nearest + 1e-12
      },
    ),
  )
  // 1 less the last bit, plus 1, rounds to 2.
  expect(encode(encoder(uniformLevels(3)), 1 - 2 ** -53)).toBe(7)
  expect([-9, -1, 1, 9].map((x) => encode(encoder(uniformLevels(2)), x))).toEqual([0, 0, 3, 3])
})

test('NormalFloat tables hold -1, 0 and 1 and ascend', () => {
  for (const bits of normalFloatBits) {
    const levels = [...normalFloatLevels(bits)]
    expect(levels).toHaveLength(2 ** bits)
    expect(levels).toEqual([...levels].sort((a, b) => a - b))
    expect(levels).toEqual(expect.arrayContaining([-1, 0, 1]))
  }
  expect(() => normalFloatLevels(5)).toThrow('nf: expected 2, 3, 4 bits, got 5')
})
