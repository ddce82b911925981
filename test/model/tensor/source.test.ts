import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openTensorFile } from '../../../cli/tensor-file.ts'
import { rotate } from '../../../model/tensor/rope.ts'
import { safetensors } from '../../../model/tensor/safetensors.ts'
import { layerInMemory, parts, tokenBlocks } from '../../../model/tensor/source.ts'
import { type structures, synthetic } from '../../../model/tensor/synthetic.ts'
import { notFinite, tensor } from '../../../model/tensor/tensor.ts'
import { scratch } from '../../cli/run.ts'

const folder = scratch()
const small = { layers: 2, tokens: 300, heads: 3, headDim: 16, queries: 20, fisher: true }

test('a file reads as what was written into it, in any blocks', () => {
  const source = synthetic(small)
  const names = source.layers.flatMap((l) => parts.map((p) => [`layers.${l.layer}.${p}`, l.read(p)] as const))
  const path = join(folder, 'a.safetensors')
  writeFileSync(path, safetensors(Object.fromEntries(names), 'F16'))
  const file = openTensorFile(path)
  expect(file.layers.map((l) => l.layer)).toEqual([0, 1])
  expect(file.elementBytes).toBe(2)
  for (const [i, layer] of file.layers.entries()) {
    const made = source.layers[i]
    for (const part of ['key', 'value', 'query'] as const) {
      expect(layer.read(part)).toEqual(made?.read(part))
      expect(layer.read(part, [3, 17], [1, 2])).toEqual(made?.read(part, [3, 17], [1, 2]))
    }
  }
  file.close()
})

test('a layer whose parts do not fit is refused', () => {
  const of = (tokens: number, heads: number, headDim: number) => tensor({ tokens, heads, headDim })
  const key = of(4, 2, 8)
  expect(() => layerInMemory(3, { key })).toThrow('layers.3: expected a key and a value, got only key')
  expect(() => layerInMemory(3, { key, value: of(5, 2, 8) })).toThrow("layers.3.value: expected the key's 4 tokens")
  expect(() => layerInMemory(3, { key, value: key, query: of(4, 3, 8) })).toThrow(/layers.3.query: .*, got \[4, 3, 8\]/)
  expect(() => layerInMemory(3, { key, value: key, key_fisher: of(4, 2, 7) })).toThrow("the key's shape [4, 2, 8]")
  expect(layerInMemory(3, { key, value: of(4, 2, 5), query: of(1, 4, 8) }).query?.heads).toBe(4)
  expect(() => layerInMemory(3, { key, value: key }).read('query')).toThrow('layers.3: it has no query')
})

test('NaN and infinities are counted and placed', () => {
  const x = tensor({ tokens: 4, heads: 2, headDim: 3 })
  expect(notFinite(x)).toBeUndefined()
  x.data[2 * 6 + 3 + 1] = Number.NaN
  x.data[3 * 6] = Number.POSITIVE_INFINITY
  x.data[3 * 6 + 1] = Number.NEGATIVE_INFINITY
  expect(notFinite(x, 100)).toEqual({ nan: 1, infinite: 2, token: 102, head: 1, channel: 1 })
})

test('blocks of tokens cover a shape', () => {
  expect(tokenBlocks({ tokens: 10, heads: 2, headDim: 8 }, 64)).toEqual([
    [0, 4],
    [4, 8],
    [8, 10],
  ])
  expect(tokenBlocks({ tokens: 2, heads: 2, headDim: 8 }, 1)).toHaveLength(2)
})

test('the rotation keeps lengths, turns back, and depends on distance alone', () => {
  const random = synthetic({ ...small, seed: 5 }).layers[0]
  const k = random?.read('key', [0, 50])
  if (k === undefined) throw new Error('no layer')
  const copy = { ...k, data: k.data.slice() }
  rotate(copy, 10000, 7)
  const energy = (data: Float32Array) => data.reduce((sum, x) => sum + x * x, 0)
  expect(energy(copy.data) / energy(k.data)).toBeCloseTo(1, 5)
  rotate(copy, 10000, 7, -1)
  for (const [i, x] of k.data.entries()) expect(copy.data[i]).toBeCloseTo(x, 4)
  const one = (at: number, c: number) => {
    const x = tensor({ tokens: 1, heads: 1, headDim: 8 })
    x.data[c] = 1
    return rotate(x, 100, at).data
  }
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)
  expect(dot(one(3, 1), one(10, 1))).toBeCloseTo(dot(one(20, 1), one(27, 1)), 5)
  expect(dot(one(3, 1), one(10, 1))).toBeCloseTo(Math.cos(7 * 100 ** -0.25), 5)
  expect(() => rotate(tensor({ tokens: 1, heads: 1, headDim: 3 }), 100)).toThrow('expected an even head_dim, got 3')
})

/** Mean and standard deviation. */
function moments(values: readonly number[]) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return { mean, sd: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) }
}

test('synthetic tensors repeat with their seed, layer by layer', () => {
  const read = (seed: number, layer: number) => synthetic({ ...small, seed }).layers[layer]?.read('key').data
  expect(read(1, 1)).toEqual(read(1, 1))
  expect(read(1, 1)).not.toEqual(read(1, 0))
  expect(read(1, 1)).not.toEqual(read(2, 1))
  const [layer] = synthetic({ ...small, group: 2, tokens: 10, queries: 50 }).layers
  expect(layer?.read('query')).toMatchObject({ tokens: 10, heads: 6, headDim: 16 })
})

test('each structure is there, and is not without it', () => {
  const channelMeans = (without: readonly (typeof structures)[number][]) => {
    const key = synthetic({ headDim: 64, heads: 1, tokens: 1000, without }).layers[0]?.read('key')
    if (key === undefined) throw new Error('no layer')
    return Array.from({ length: 64 }, (_, c) => moments([...key.data].filter((_, i) => i % 64 === c)).mean)
  }
  const large = (means: number[]) => means.filter((m) => Math.abs(m) > 6).length
  expect(large(channelMeans([]))).toBe(4)
  expect(large(channelMeans(['channel-outliers']))).toBe(0)

  const kurtosis = (without: readonly (typeof structures)[number][]) => {
    const value = synthetic({ tokens: 500, without }).layers[0]?.read('value')
    const data = [...(value?.data ?? [])]
    const { mean, sd } = moments(data)
    return moments(data.map((x) => ((x - mean) / sd) ** 4)).mean
  }
  expect(kurtosis([])).toBeGreaterThan(10)
  expect(kurtosis(['value-outliers', 'sink'])).toBeCloseTo(3, 1)
  expect(kurtosis(['value-outliers', 'sink', 'bell'])).toBeCloseTo(1.8, 1)

  expect(synthetic().rope).toEqual({ keys: 'pre', theta: 10000 })
  expect(synthetic({ without: ['rope'] }).rope).toBeUndefined()
})

test('a query attends to the first token, and to few others', () => {
  const attention = (without: readonly (typeof structures)[number][]) => {
    const [layer] = synthetic({ tokens: 1000, heads: 2, without: ['channel-outliers', 'rope', ...without] }).layers
    if (layer === undefined) throw new Error('no layer')
    const [q, k] = [layer.read('query', [127, 128], [1, 2]).data, layer.read('key', undefined, [1, 2]).data]
    const weights = Array.from({ length: 1000 }, (_, t) => {
      let logit = 0
      for (let c = 0; c < 64; c++) logit += ((q[c] as number) * (k[t * 64 + c] as number)) / 8
      return Math.exp(logit)
    })
    const sum = weights.reduce((a, b) => a + b)
    const top = weights.slice(1).sort((a, b) => b - a)
    return {
      first: (weights[0] as number) / sum,
      top: top.slice(0, 50).reduce((a, b) => a + b) / (sum - (weights[0] as number)),
    }
  }
  expect(attention([]).first).toBeGreaterThan(0.2)
  expect(attention(['sink']).first).toBeLessThan(0.02)
  expect(attention(['sink']).top).toBeGreaterThan(0.7)
  expect(attention(['sink', 'clusters']).top).toBeLessThan(0.3)
})

test.each([
  [{ headDim: 12 }, 'headDim: expected a multiple of 8, got 12'],
  [{ tokens: 0 }, 'tokens: expected a whole number from 1, got 0'],
  [{ theta: 1 }, 'theta: expected a number above 1, got 1'],
  [{ seed: 0.5 }, 'seed: expected a whole number, got 0.5'],
  [{ tokens: 2 ** 20, heads: 32, headDim: 128 }, 'expected at most 2^27 elements in a synthetic tensor'],
])('%o is refused', (options, message) => {
  expect(() => synthetic(options)).toThrow(message)
})
