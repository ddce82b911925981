// QuantSpec's hierarchical quantizer: the golden vector, the error bounds, and the planes as they are stored.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../../model/random.ts'
import {
  dequantizeBoth,
  dequantizeUpper,
  hierarchicalBytes,
  packNibbles,
  quantizeGroup,
  quantizeHierarchical,
  readHierarchical,
  unpackNibbles,
} from '../../../model/tensor/hierarchical.ts'
import { tensor } from '../../../model/tensor/tensor.ts'

describe('the golden vector quantspec_hier_group8', () => {
  const x = [0.29552021, 1.00022717, -0.63580337, -1.00459383, 1.02055666, 0.87737579, -1.40751322, -0.60898978]
  const codes = quantizeGroup(x)
  it('has its codes', () => {
    expect(codes.min).toBeCloseTo(-1.4075132159546722, 8)
    expect(codes.scale).toBeCloseTo(0.16187132480872657, 8)
    expect(codes.upper).toEqual([11, 15, 5, 2, 15, 14, 0, 5])
    expect(codes.lower.map((l) => l + 8)).toEqual([0, 6, 4, 15, 8, 10, 8, 7])
    expect([...packNibbles(codes.upper)]).toEqual([251, 37, 239, 80])
  })
  it('has its values', () => {
    const four = [0.37307136, 1.02055666, -0.59815659, -1.08377057, 1.02055666, 0.85868533, -1.40751322, -0.59815659]
    const eight = [0.29213569, 1.00032274, -0.63862442, -1.01295186, 1.02055666, 0.87891925, -1.40751322, -0.60827355]
    dequantizeUpper(codes).forEach((v, i) => {
      expect(v).toBeCloseTo(four[i] as number, 7)
    })
    dequantizeBoth(codes).forEach((v, i) => {
      expect(v).toBeCloseTo(eight[i] as number, 7)
    })
    const error = (of: number[]) => Math.max(...of.map((v, i) => Math.abs(v - (x[i] as number))))
    expect(error(dequantizeUpper(codes))).toBeCloseTo(0.07917673, 7)
    expect(error(dequantizeBoth(codes))).toBeCloseTo(0.00835803, 7)
  })
})

const group = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 128 })

describe('a group', () => {
  it('keeps the error bounds', () => {
    fc.assert(
      fc.property(group, (x) => {
        const codes = quantizeGroup(x)
        const { scale } = codes
        const slack = 1e-9 * Math.max(...x.map(Math.abs)) + 1e-300
        const [four, eight] = [dequantizeUpper(codes), dequantizeBoth(codes)]
        x.forEach((v, i) => {
          expect(Math.abs((four[i] as number) - v)).toBeLessThanOrEqual(scale / 2 + slack)
          const clamped = codes.lower[i] === 7
          expect(Math.abs((eight[i] as number) - v)).toBeLessThanOrEqual(scale / (clamped ? 16 : 32) + slack)
        })
      }),
    )
  })
  it('keeps its ends', () => {
    fc.assert(
      fc.property(group, (x) => {
        const codes = quantizeGroup(x)
        const back = dequantizeUpper(codes)
        const [low, high] = [Math.min(...x), Math.max(...x)]
        // Zero of either sign is the same end.
        expect((back[x.indexOf(low)] as number) + 0).toBe(low + 0)
        expect(back[x.indexOf(high)]).toBeCloseTo(high, 9)
      }),
    )
  })
  it('of one value is that value', () => {
    expect(dequantizeBoth(quantizeGroup([0.1, 0.1, 0.1]))).toEqual([0.1, 0.1, 0.1])
  })
  it('of no numbers is refused', () => {
    expect(() => quantizeGroup([1, Number.NaN])).toThrow('expected a group of finite numbers')
    expect(() => quantizeGroup([1, Number.POSITIVE_INFINITY])).toThrow('expected a group of finite numbers')
    expect(() => quantizeGroup([])).toThrow('expected a group of finite numbers')
  })
})

describe('packed codes', () => {
  it('come back', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 50 }), (codes) => {
        const even = codes.length % 2 === 0 ? codes : codes.slice(1)
        expect([...unpackNibbles(packNibbles(even))]).toEqual(even)
      }),
    )
    expect(() => packNibbles([1])).toThrow('expected an even number of codes, got 1')
  })
})

describe('a tensor', () => {
  const random = seeded(1)
  const shape = { tokens: 256, heads: 2, headDim: 128 }
  const made = () =>
    tensor(
      shape,
      Float32Array.from({ length: 256 * 2 * 128 }, () => random() * 4 - 2),
    )

  it('of keys is grouped along tokens, of values along channels', () => {
    // Each channel has its own size: a group along tokens sees one of them, a group along channels all.
    const x = tensor(shape)
    for (let i = 0; i < x.data.length; i++) x.data[i] = (1 + (i % 128)) * Math.sin(i)
    const error = (along: 'tokens' | 'channels') => {
      const back = readHierarchical(quantizeHierarchical(x, along, 128), 'upper')
      // Of the smallest channel.
      return back.data.reduce((sum, v, i) => (i % 128 === 0 ? sum + Math.abs(v - (x.data[i] as number)) : sum), 0)
    }
    expect(error('tokens')).toBeLessThan(error('channels') / 20)
  })

  it.each(['tokens', 'channels'] as const)('reads within the bounds, grouped along %s', (along) => {
    const x = made()
    const h = quantizeHierarchical(x, along, 64)
    const largest = Math.max(...h.scale)
    const error = (planes: 'upper' | 'both') => {
      const back = readHierarchical(h, planes)
      return Math.max(...x.data.map((v, i) => Math.abs(v - (back.data[i] as number))))
    }
    expect(error('upper')).toBeLessThanOrEqual(largest / 2 + 1e-6)
    expect(error('both')).toBeLessThanOrEqual(largest / 16 + 1e-6)
    expect(error('both')).toBeLessThan(error('upper') / 6)
  })

  it.each(['tokens', 'channels'] as const)('takes 4.25 and 8.25 bits an element, grouped along %s', (along) => {
    const h = quantizeHierarchical(made(), along, 128)
    const bits = (planes: 'upper' | 'both') => (8 * hierarchicalBytes(h, planes)) / (256 * 2 * 128)
    expect([bits('upper'), bits('both')]).toEqual([4.25, 8.25])
  })

  it('is laid out so that a token of keys is contiguous', () => {
    const x = tensor({ tokens: 2, heads: 1, headDim: 2 }, Float32Array.from([0, 15, 15, 0]))
    const keys = quantizeHierarchical(x, 'tokens', 2)
    expect([...unpackNibbles(keys.upper)]).toEqual([0, 15, 15, 0])
    const values = quantizeHierarchical(
      tensor({ tokens: 2, heads: 1, headDim: 2 }, Float32Array.from([0, 15, 0, 15])),
      'channels',
      2,
    )
    // Packed along tokens: both tokens of the first channel, then of the second.
    expect([...unpackNibbles(values.upper)]).toEqual([0, 0, 15, 15])
  })

  it('that its groups do not divide is refused', () => {
    expect(() => quantizeHierarchical(made(), 'tokens', 100)).toThrow(
      'group: expected a divisor of 256 tokens, got 100',
    )
    expect(() => quantizeHierarchical(tensor({ tokens: 3, heads: 1, headDim: 4 }), 'channels', 4)).toThrow(
      'expected an even number of tokens, got 3',
    )
  })
})
