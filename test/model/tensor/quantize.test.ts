// The quantizers on small tensors: what they keep, what it takes, what they refuse.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { calibrate, calibration } from '../../../model/tensor/calibrate.ts'
import { Extremes } from '../../../model/tensor/extremes.ts'
import { roundFp16 } from '../../../model/tensor/half.ts'
import { pack, packedBytes, unpack } from '../../../model/tensor/pack.ts'
import { bytesOf, dequantize, fixedBytes, join, type Packed, quantize } from '../../../model/tensor/quantize.ts'
import { kvMethod, type MethodName, type MethodOptions, methodNames } from '../../../model/tensor/scheme.ts'
import { synthetic } from '../../../model/tensor/synthetic.ts'
import { slice, type Tensor, tensor } from '../../../model/tensor/tensor.ts'

const [layer] = synthetic({ tokens: 384, heads: 2, headDim: 64 }).layers
if (layer === undefined) throw new Error('no layer')
const key = layer.read('key')
const value = layer.read('value')

const bitsOf = (name: MethodName) => (name === 'nf' || name === 'kvquant' ? [2, 3, 4] : [2, 3, 4, 8])
const cases = methodNames.flatMap((name) => bitsOf(name).map((bits) => [name, bits] as const))

function worst(a: Tensor, b: Tensor): number {
  return a.data.reduce((most, x, i) => Math.max(most, Math.abs(x - (b.data[i] as number))), 0)
}

function squared(a: Tensor, b: Tensor): number {
  return a.data.reduce((sum, x, i) => sum + (x - (b.data[i] as number)) ** 2, 0)
}

test('codes of every width and count survive packing', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.nat(255), { maxLength: 67 }),
      fc.nat(5),
      (bits, list, at) => {
        const codes = Uint8Array.from(list, (x) => x & ((1 << bits) - 1))
        const bytes = packedBytes(codes.length, bits)
        const into = new Uint8Array(at + bytes + 1).fill(170)
        pack(codes, bits, into, at)
        expect(unpack(into, bits, new Uint8Array(codes.length), at)).toEqual(codes)
        // Nothing beside its place is touched.
        expect([...into.subarray(0, at), into[at + bytes]]).toEqual(new Array(at + 1).fill(170))
        expect(pack(codes, bits)).toHaveLength(Math.ceil((codes.length * bits) / 8))
      },
    ),
  )
  expect([...pack(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4)]).toEqual([0x21, 0x43, 0x65, 0x87])
})

test('percentiles of a stream are those of all its numbers', () => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 300 }),
      fc.constantFrom(0, 0.005, 0.05, 0.24),
      (list, share) => {
        const extremes = new Extremes(2, list.length, share)
        for (const x of list) extremes.add(Float32Array.of(9, x, -x), 1)
        const sorted = Float64Array.from(list).sort()
        const at = (place: number) => {
          const low = Math.floor(place)
          const [a, b] = [sorted[low] as number, sorted[Math.min(low + 1, sorted.length - 1)] as number]
          return a + (b - a) * (place - low)
        }
        const [low, high] = extremes.bounds()
        const last = list.length - 1
        expect(low[0]).toBeCloseTo(at(last * share), 9)
        expect(high[0]).toBeCloseTo(at(last * (1 - share)), 6)
        expect(low[1]).toBeCloseTo(-at(last * (1 - share)), 6)
      },
    ),
  )
})

describe.each(cases)('%s at %d bits', (name, bits) => {
  const method = kvMethod(name, { bits })
  test('stands for every number within its step', () => {
    for (const [part, x] of [
      ['key', key],
      ['value', value],
    ] as const) {
      const by = calibrate(method[part], x)
      const read = dequantize(by, quantize(by, x))
      expect(read).toMatchObject({ tokens: 384, heads: 2, headDim: 64 })
      const span = x.data.reduce((a, v) => Math.max(a, v), 0) - x.data.reduce((a, v) => Math.min(a, v), 0)
      // Half of the widest gap between levels: even steps have 1 / (2^b - 1) of the range; learned ones less than all.
      const gap = name === 'kvquant' || name === 'nf' ? 0.5 : 0.51 / (2 ** bits - 1)
      expect(worst(read, x)).toBeLessThan(span * gap + 0.02)
    }
  })
  test('takes the bytes that its format says', () => {
    const q = quantize(calibrate(method.key, key), key)
    const { codes, scales } = bytesOf(q, method.key)
    const row = 128
    expect(codes).toBe((q.tokens * row * bits) / 8)
    const perToken = { kvquant: 0, 'int-channel': 0, nf: 4, int: 2 + Math.ceil(bits / 8), kivi: (row * 4) / 32 }
    const groups = (g: number) => (row / g) * 2 + packedBytes(row / g, bits)
    const expected = { ...perToken, atom: groups(128), flexgen: groups(64) }[name]
    expect(scales).toBe(q.tokens * expected)
  })
})

// KVQuant, table 1: overheads counted, of LLaMA-7B; of int, the end of its range that LLaMA-65B gives.
test.each<[MethodName, number, string]>([
  ['int', 4, '4.00'],
  ['nf', 4, '4.01'],
  ['atom', 4, '4.16'],
  ['flexgen', 4, '4.31'],
  ['atom', 3, '3.15'],
  ['flexgen', 3, '3.30'],
  ['atom', 2, '2.14'],
  ['flexgen', 2, '2.28'],
])('%s takes at %d bits %s bits an element, as published', (name, bits, published) => {
  const heads = name === 'int' ? 64 : 32
  const data = Float32Array.from({ length: 1024 * heads }, (_, i) => i % 97)
  const wide = tensor({ tokens: 8, heads, headDim: 128 }, data)
  const { value: scheme } = kvMethod(name, { bits })
  const bytes = Object.values(bytesOf(quantize(calibrate(scheme, wide), wide), scheme)).reduce((a, b) => a + b)
  expect(((8 * bytes) / wide.data.length).toFixed(2)).toBe(published)
})

describe('kvquant', () => {
  const variants: [string, Omit<MethodOptions, 'bits'>][] = [
    ['dense', {}],
    ['1 % outliers', { outliers: 0.01, sink: 1 }],
    ['as released', { outliers: 0.01, sink: 1, storage: 'released' }],
    ['capped', { outliers: 0.05, cap: 4 }],
    ['normed', { norm: true }],
  ]
  test.each(variants)('%s: tokens appended one by one are the prompt', (_, options) => {
    for (const bits of [2, 3, 4]) {
      const method = kvMethod('kvquant', { bits, ...options })
      for (const [part, x] of [
        ['key', key],
        ['value', value],
      ] as const) {
        const by = calibrate(method[part], x)
        const whole = quantize(by, x)
        const steps: Packed[] = [quantize(by, slice(x, [0, 100]), { firstToken: 0, total: 384 })]
        for (let t = 100; t < 384; t++) steps.push(quantize(by, slice(x, [t, t + 1]), { firstToken: t, total: 384 }))
        const joined = join(steps)
        expect(joined).toEqual(whole)
        expect(dequantize(by, joined)).toEqual(dequantize(by, whole))
      }
    }
  })

  test('calibration in blocks is that of the whole', () => {
    const { key: scheme } = kvMethod('kvquant', { bits: 3, outliers: 0.01, sink: 2 })
    const c = calibration(scheme, key)
    for (let pass = 0; pass < c.passes; pass++) {
      for (let t = 0; t < 384; t += 96) c.add(slice(key, [t, t + 96]), t)
      c.end()
    }
    expect(c.result()).toEqual(calibrate(scheme, key))
  })

  // The paper's accounting (appendix M): codes, 16-bit values and indices, a 32-bit pointer for each token of keys, two
  // 16-bit scales for each token of values, whose sparse elements are as many for every token.
  test('takes the bytes of the paper', () => {
    const wide = synthetic({ tokens: 64, heads: 32, headDim: 128, layers: 1 }).layers[0]
    const method = kvMethod('kvquant', { bits: 3, outliers: 0.01 })
    const [k, v] = (['key', 'value'] as const).map((part) => {
      const x = wide?.read(part) as Tensor
      const by = calibrate(method[part], x)
      const q = quantize(by, x)
      return { bytes: bytesOf(q, method[part]), fixed: fixedBytes(by), outliers: q.values.length }
    })
    expect(k?.bytes).toMatchObject({ codes: 64 * 1536, scales: 0, pointers: 64 * 4, kept: 0 })
    // On 64 tokens the percentiles lie in the first gap: one outlier at each end of a channel, but where two are equal.
    expect(k?.bytes.sparse).toBe(4 * (k?.outliers as number))
    expect(k?.outliers).toBeGreaterThan(0.99 * 4096 * 2)
    expect(k?.outliers).toBeLessThanOrEqual(4096 * 2)
    expect(v?.bytes).toEqual({ codes: 64 * 1536, scales: 64 * 4, sparse: 64 * 41 * 4, pointers: 0, kept: 0 })
    expect([k?.fixed, v?.fixed]).toEqual([4096 * 4 + 16, 16])
    // b + 0.32 + 32 / width, but for 41 sparse elements of 4096 instead of 1 %.
    const total = Object.values(v?.bytes ?? {}).reduce((a, b) => a + b, 0)
    expect((8 * total) / (64 * 4096)).toBeCloseTo(3 + (41 / 4096) * 32 + 32 / 4096, 10)
  })

  test('takes the bytes of the released code', () => {
    const method = kvMethod('kvquant', { bits: 4, outliers: 0.01, storage: 'released' })
    for (const [part, x] of [
      ['key', key],
      ['value', value],
    ] as const) {
      const by = calibrate(method[part], x)
      const q = quantize(by, x)
      const n = q.values.length
      expect(n).toBeGreaterThan(300)
      expect(bytesOf(q, method[part])).toEqual({
        codes: 384 * 64,
        scales: part === 'key' ? 0 : 384 * 8,
        sparse: 8 * n,
        pointers: 384 * 4 + 4 * Math.ceil(n / 10),
        kept: 0,
      })
      expect(fixedBytes(by)).toBe(part === 'key' ? 128 * 8 + 64 : 64)
    }
  })

  test('outliers and first tokens come back as they were', () => {
    const { key: scheme } = kvMethod('kvquant', { bits: 2, outliers: 0.02, sink: 3 })
    const by = calibrate(scheme, key)
    const read = dequantize(by, quantize(by, key))
    expect(read.data.subarray(0, 3 * 128)).toEqual(key.data.subarray(0, 3 * 128))
    let outliers = 0
    for (let i = 3 * 128; i < key.data.length; i++) {
      const [x, c] = [key.data[i] as number, i % 128]
      if (x >= (by.channels?.low[c] as number) && x <= (by.channels?.high[c] as number)) continue
      outliers++
      expect(Math.abs((read.data[i] as number) - x)).toBeLessThan(0.02)
    }
    expect(outliers / key.data.length).toBeGreaterThan(0.015)
    expect(outliers / key.data.length).toBeLessThan(0.025)
  })

  test('a cap holds for every token and keeps the farthest', () => {
    const { key: scheme } = kvMethod('kvquant', { bits: 2, outliers: 0.1, cap: 4 })
    const by = calibrate(scheme, key)
    const q = quantize(by, key)
    expect(q.ends).toBeUndefined()
    expect(q.values).toHaveLength(4 * 384)
    const free = calibrate({ ...scheme, cap: undefined as never }, key)
    const error = (c: typeof by) => squared(dequantize(c, quantize(c, key)), key)
    expect(error(by)).toBeGreaterThan(error(free))
  })

  test('weights move the levels to where they are', () => {
    const { value: scheme } = kvMethod('kvquant', { bits: 2, weighting: 'fisher' })
    const heavy = tensor(
      value,
      Float32Array.from(value.data, (x) => (x > 1 ? 100 : 1)),
    )
    const even = calibrate({ ...scheme, weighting: 'none' }, value, heavy).levels
    const drawn = calibrate(scheme, value, heavy).levels
    expect(drawn[0]).toBeGreaterThan(even[0] as number)
    expect(calibrate({ ...scheme, weighting: 'fisher-range' }, value, heavy).levels).not.toEqual(drawn)
    const none = tensor(value)
    expect(calibrate(scheme, value, none).levels).toEqual(even)
  })

  test('Q-Norm gives back mean and deviation', () => {
    const { value: scheme } = kvMethod('kvquant', { bits: 2, norm: true })
    const by = calibrate(scheme, value)
    expect(by.restored).not.toEqual(by.levels)
    // Means of cells have less spread than what they stand for.
    expect((by.restored[3] as number) - (by.restored[0] as number)).toBeGreaterThan(
      (by.levels[3] as number) - (by.levels[0] as number),
    )
  })

  test('channels whose numbers are all equal come back exactly', () => {
    const equal = tensor(
      key,
      Float32Array.from(key.data, (_, i) => roundFp16((i % 128) - 7.3)),
    )
    for (const name of ['kvquant', 'int-channel', 'kivi'] as const) {
      for (const outliers of name === 'kivi' ? [undefined] : [undefined, 0.01]) {
        const { key: scheme } = kvMethod(name, { bits: 2, ...(outliers && { outliers }) })
        const by = calibrate(scheme, equal)
        expect(dequantize(by, quantize(by, equal))).toEqual(equal)
      }
    }
    const flat = tensor(value, new Float32Array(value.data.length).fill(2.5))
    for (const name of methodNames) {
      const { value: scheme } = kvMethod(name, { bits: 2 })
      const by = calibrate(scheme, flat)
      expect(worst(dequantize(by, quantize(by, flat)), flat)).toBeLessThan(0.002)
    }
  })
})

test('KIVI keeps the last tokens and shares ranges in groups', () => {
  const { key: k, value: v } = kvMethod('kivi', { bits: 2 })
  const long = slice(key, [0, 300])
  const by = calibrate(k, long)
  const q = quantize(by, long)
  expect([q.tokens, q.after.length]).toEqual([256, 44 * 128])
  expect(quantize(calibrate(v, value), value).tokens).toBe(256)
  expect(() => quantize(by, slice(key, [0, 1]), { firstToken: 0, total: 384 })).toThrow(
    'whole groups of 32 tokens, got 1',
  )
})

test.each<[MethodName, MethodOptions, string]>([
  ['kvquant', { bits: 5 }, 'bits: expected 2, 3, 4 for kvquant, got 5'],
  ['kvquant', { bits: 2.5 }, 'bits: expected 2, 3, 4 for kvquant, got 2.5'],
  ['int', { bits: 16 }, 'bits: expected 2, 3, 4, 8 for int, got 16'],
  ['kvquant', { bits: 3, outliers: 1 }, 'outliers: expected a share from 0 to below 0.5, got 1'],
  ['kvquant', { bits: 3, outliers: -0.01 }, 'outliers: expected a share from 0 to below 0.5, got -0.01'],
  ['kvquant', { bits: 3, outliers: Number.NaN }, 'outliers: expected a share'],
  ['kvquant', { bits: 3, sink: -1 }, 'sink: expected a whole number from 0, got -1'],
  ['kvquant', { bits: 3, outliers: 0.01, cap: 3 }, 'cap: expected an even number from 2, got 3'],
  ['kvquant', { bits: 3, cap: 42 }, 'cap: expected outliers above 0 beside it'],
  ['int', { bits: 3, outliers: 0.01 }, 'outliers: int has no such option; it takes bits, sink, preRope'],
])('%s of %o is refused', (name, options, message) => {
  expect(() => kvMethod(name, options)).toThrow(message)
})

test('numbers that 16 bits do not hold are refused, and kept in 32', () => {
  const large = tensor(
    key,
    Float32Array.from(key.data, (x) => x * 1e5),
  )
  const of = (storage: 'paper' | 'released') => kvMethod('kvquant', { bits: 4, storage }).key
  expect(() => calibrate(of('paper'), large)).toThrow(/expected numbers that 16 bits hold \(up to 65504\), got a range/)
  const by = calibrate(of('released'), large)
  expect(worst(dequantize(by, quantize(by, large)), large)).toBeLessThan(1e6)
  expect(() => quantize(by, slice(large, [0, 1], [0, 1]))).toThrow(
    'expected tokens of 128 elements as calibrated, got 64',
  )
})
