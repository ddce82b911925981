// What the papers found of real caches, on tensors with the structure that they report, and its absence in the control:
// tensors without that structure. Every margin holds for each seed.
import { describe, expect, test } from 'vitest'
import { assessLayer, finished } from '../../../model/tensor/assess.ts'
import { CausalAttention, headErrors } from '../../../model/tensor/attention.ts'
import { calibrate } from '../../../model/tensor/calibrate.ts'
import { dequantize, quantize } from '../../../model/tensor/quantize.ts'
import { rotate } from '../../../model/tensor/rope.ts'
import { kvMethod, type Method, type Scheme } from '../../../model/tensor/scheme.ts'
import { type KvSource, layerInMemory } from '../../../model/tensor/source.ts'
import { type Structure, structures, synthetic } from '../../../model/tensor/synthetic.ts'
import { type Tensor, tensor } from '../../../model/tensor/tensor.ts'

const seeds = [1, 2, 3]
const shape = { layers: 1, tokens: 512, heads: 4, headDim: 64, queries: 32 }
const all = (...but: Structure[]) => structures.filter((s) => !but.includes(s))

function errors(source: KvSource, method: Method) {
  const [layer] = source.layers
  if (layer === undefined) throw new Error('no layer')
  const { key, value, attention = [] } = finished(assessLayer(layer, method, { rope: source.rope }))
  return {
    key: key.squaredError / key.elements,
    value: value.squaredError / value.elements,
    attention: Math.hypot(...attention) / Math.sqrt(attention.length),
  }
}

/** How many times the error of `worse` that of `better` is, for each seed. */
function ratios(without: readonly Structure[], better: Method, worse: Method) {
  const rows = seeds.map((seed) => {
    const source = synthetic({ ...shape, seed, without })
    return [errors(source, better), errors(source, worse)] as const
  })
  const of = (what: 'key' | 'value' | 'attention') => rows.map(([b, w]) => w[what] / b[what])
  return { key: of('key'), value: of('value'), attention: of('attention') }
}

const least = (of: readonly number[]) => Math.min(...of)
const most = (of: readonly number[]) => Math.max(...of)

describe('keys per channel beat keys per token', () => {
  const perChannel = kvMethod('int-channel', { bits: 3, preRope: true })
  const perToken: Method = { ...perChannel, key: perChannel.value }
  test('with channels that are outliers', () => {
    const { key, attention } = ratios([], perChannel, perToken)
    expect(least(key)).toBeGreaterThan(10)
    expect(least(attention)).toBeGreaterThan(1.5)
  })
  test('and without do not', () => {
    expect(most(ratios(all('bell'), perChannel, perToken).key)).toBeLessThan(1)
  })
})

describe('keys before rotation beat rotated keys', () => {
  const pre = kvMethod('kvquant', { bits: 3, outliers: 0.01, sink: 1 })
  const post = kvMethod('kvquant', { bits: 3, outliers: 0.01, sink: 1, preRope: false })
  test('with channels that are outliers', () => {
    const { key, attention } = ratios([], pre, post)
    expect(least(key)).toBeGreaterThan(2.5)
    expect(least(attention)).toBeGreaterThan(1.1)
  })
  test('are the same without rotation', () => {
    expect(ratios(['rope'], pre, post)).toEqual({ key: [1, 1, 1], value: [1, 1, 1], attention: [1, 1, 1] })
  })
  test('and hardly better where no channel stands out', () => {
    expect(most(ratios(['channel-outliers', 'clusters', 'sink'], pre, post).key)).toBeLessThan(1.05)
  })
})

describe('learned levels beat even ones', () => {
  const { key: learned } = kvMethod('kvquant', { bits: 3 })
  /** Even steps, the outermost half a step inside the range: the best there are for even data. */
  const centred = Float64Array.from({ length: 8 }, (_, i) => (2 * i - 7) / 8)
  function ratio(seed: number, without: readonly Structure[], scheme: Scheme): number {
    const x = synthetic({ ...shape, seed, without }).layers[0]?.read('key') as Tensor
    const error = (by: ReturnType<typeof calibrate>) => {
      const read = dequantize(by, quantize(by, x))
      return x.data.reduce((sum, v, i) => sum + (v - (read.data[i] as number)) ** 2, 0)
    }
    const by = calibrate(scheme, x)
    return error({ ...by, levels: centred, restored: centred }) / error(by)
  }
  test('where most numbers are near the middle', () => {
    for (const seed of seeds) expect(ratio(seed, ['sink'], learned)).toBeGreaterThan(1.2)
    const { key, value } = ratios(
      [],
      kvMethod('kvquant', { bits: 3 }),
      kvMethod('int-channel', { bits: 3, preRope: true }),
    )
    expect(least(key)).toBeGreaterThan(1.4)
    expect(least(value)).toBeGreaterThan(1.2)
  })
  test('and not for even data', () => {
    for (const seed of seeds) expect(Math.abs(ratio(seed, structures, learned) - 1)).toBeLessThan(0.02)
  })
})

describe('one outlier in a hundred apart beats none', () => {
  const apart = kvMethod('kvquant', { bits: 3, outliers: 0.01 })
  const none = kvMethod('kvquant', { bits: 3 })
  test('with outliers', () => {
    const { key, value, attention } = ratios([], apart, none)
    expect(least(key)).toBeGreaterThan(1.5)
    expect(least(value)).toBeGreaterThan(4)
    expect(least(attention)).toBeGreaterThan(1.5)
  })
  test('and without gains what is stored exactly', () => {
    const { key, value } = ratios(structures, apart, none)
    expect(most([...key, ...value])).toBeLessThan(1.06)
  })
})

describe('the first token kept beats not', () => {
  const kept = kvMethod('kvquant', { bits: 2, sink: 1 })
  const not = kvMethod('kvquant', { bits: 2 })
  test('where all attend to it', () => {
    const { key, attention } = ratios([], kept, not)
    expect(least(key)).toBeGreaterThan(1.2)
    expect(least(attention)).toBeGreaterThan(1.05)
  })
  test('and changes nothing else', () => {
    const { key, attention } = ratios(['sink'], kept, not)
    expect(most(key)).toBeLessThan(1.02)
    expect(Math.abs(most(attention) - 1)).toBeLessThan(0.02)
  })
})

test('attention in blocks is softmax of everything seen', () => {
  const [layer] = synthetic({ layers: 1, tokens: 40, heads: 2, headDim: 16, group: 2, queries: 5 }).layers
  if (layer === undefined) throw new Error('no layer')
  const [query, key, value] = [layer.read('query'), layer.read('key'), layer.read('value')]
  const a = new CausalAttention(query, 40, 16)
  for (const [from, to] of [
    [0, 7],
    [7, 38],
    [38, 40],
  ] as const) {
    a.add(layer.read('key', [from, to]), layer.read('value', [from, to]), from)
  }
  const expected = tensor({ tokens: 5, heads: 4, headDim: 16 })
  for (let j = 0; j < 5; j++) {
    for (let h = 0; h < 4; h++) {
      const kv = h >> 1
      const weights = Array.from({ length: 36 + j }, (_, t) => {
        let logit = 0
        for (let c = 0; c < 16; c++) {
          logit += (query.data[(j * 4 + h) * 16 + c] as number) * (key.data[(t * 2 + kv) * 16 + c] as number)
        }
        return Math.exp(logit / 4)
      })
      const sum = weights.reduce((x, y) => x + y)
      for (let c = 0; c < 16; c++) {
        expected.data[(j * 4 + h) * 16 + c] = weights.reduce(
          (out, w, t) => out + (w / sum) * (value.data[(t * 2 + kv) * 16 + c] as number),
          0,
        )
      }
    }
  }
  for (const error of headErrors(a.output(), expected)) expect(error).toBeLessThan(1e-6)
})

test('keys that come rotated are turned back, and give what unrotated ones give', () => {
  const source = synthetic({ ...shape, fisher: true })
  const [layer] = source.layers
  if (layer === undefined || source.rope === undefined) throw new Error('no layer')
  const { theta } = source.rope
  const copy = (part: 'key' | 'query', first: number) => {
    const x = layer.read(part)
    return rotate({ ...x, data: x.data.slice() }, theta, first)
  }
  const rotated = layerInMemory(0, { key: copy('key', 0), value: layer.read('value'), query: copy('query', 512 - 32) })
  const method = kvMethod('kvquant', { bits: 3, outliers: 0.01, sink: 1 })
  const pre = finished(assessLayer(layer, method, { rope: source.rope }))
  const post = finished(assessLayer(rotated, method, { rope: { keys: 'post', theta } }))
  expect(post.key.squaredError / pre.key.squaredError).toBeCloseTo(1, 2)
  post.attention?.forEach((error, h) => {
    expect(error).toBeCloseTo(pre.attention?.[h] as number, 2)
  })
})

test('calibration on other tokens is used', () => {
  const [a, b] = [1, 2].map((seed) => synthetic({ ...shape, seed }).layers[0])
  if (a === undefined || b === undefined) throw new Error('no layer')
  const method = kvMethod('kvquant', { bits: 3, outliers: 0.01 })
  const own = finished(assessLayer(a, method))
  const other = finished(assessLayer(a, method, { calibrateOn: b }))
  // Another seed has other channels as outliers: its ranges do not fit, and much is kept apart.
  expect(other.key.bytes.sparse).toBeGreaterThan(2 * own.key.bytes.sparse)
  expect(other.value.squaredError / own.value.squaredError).toBeCloseTo(1, 1)
})
