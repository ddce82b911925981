import { describe, expect, it } from 'vitest'
import type { Row, Store } from '../../model/cache.ts'
import { denseStore } from '../../model/cache.ts'
import { format } from '../../model/format.ts'
import { hierarchicalStore } from '../../model/stores/hierarchical.ts'
import { kiviStore } from '../../model/stores/kivi.ts'
import { kvquantStore } from '../../model/stores/kvquant.ts'
import { calibrate } from '../../model/tensor/calibrate.ts'
import { hierarchicalBytes, quantizeHierarchical } from '../../model/tensor/hierarchical.ts'
import { bytesOf, fixedBytes, quantize } from '../../model/tensor/quantize.ts'
import { kvMethod, type MethodName, type MethodOptions } from '../../model/tensor/scheme.ts'
import { synthetic } from '../../model/tensor/synthetic.ts'

// What packers make of real tensors is as long as what the caches of predictions hold.
const tokens = 256
const heads = 4
const headDim = 128
const layer = synthetic({ tokens, heads, headDim, layers: 1 }).layers[0]
const parts = ['key', 'value'] as const
type Part = (typeof parts)[number]

function tensorOf(part: Part) {
  if (!layer) throw new Error('expected a layer')
  return layer.read(part)
}

function rowOf(part: Part): Row {
  return { kind: 'heads', vectors: [{ of: part, count: heads, length: headDim }] }
}

function packed(name: MethodName, options: MethodOptions, part: Part) {
  const scheme = kvMethod(name, options)[part]
  const by = calibrate(scheme, tensorOf(part))
  const q = quantize(by, tensorOf(part))
  return { bytes: bytesOf(q, scheme), fixed: fixedBytes(by), outliers: q.values.length }
}

const total = (bytes: object) => Object.values(bytes).reduce((a: number, b: number) => a + b, 0)

describe.each(parts)('%s', (part) => {
  it.each([2, 3, 4] as const)('of KVQuant in %i bits, dense', (bits) => {
    const store = kvquantStore({ bits, outliers: 0, sink: 0, storage: 'paper' })
    const { bytes, fixed } = packed('kvquant', { bits }, part)
    expect(total(bytes)).toBe(tokens * store.row(rowOf(part)).bytes)
    expect(fixed).toBe(store.tables?.(rowOf(part)))
  })
  it.each(['paper', 'released'] as const)('of KVQuant with outliers, %s', (storage) => {
    const { bytes, fixed, outliers } = packed('kvquant', { bits: 3, outliers: 0.01, storage }, part)
    // The share that the tensors came to have: the thresholds leave whole elements.
    const share = outliers / (tokens * heads * headDim)
    const store = kvquantStore({ bits: 3, outliers: share, sink: 0, storage })
    // The last thread's start row is a whole one.
    expect(Math.abs(total(bytes) - tokens * store.row(rowOf(part)).bytes)).toBeLessThan(4)
    expect(fixed).toBe(store.tables?.(rowOf(part)))
    expect(share).toBeGreaterThan(0.005)
    // Of 256 tokens thresholds of 1 % leave at most two at each end of a channel.
    expect(share).toBeLessThanOrEqual(4 / 256)
  })
  it('of KIVI, in whole groups', () => {
    const store = kiviStore({ bits: 2, group: 32, residual: 0 })
    const { bytes } = packed('kivi', { bits: 2 }, part)
    // Its residual is what is beyond a whole number of groups, or the last tokens: those are in 16 bits.
    const wide = bytes.kept / (heads * headDim * 2)
    expect(total(bytes) - bytes.kept).toBe((tokens - wide) * store.row(rowOf(part)).bytes)
  })
  it.each([
    ['atom', 128],
    ['flexgen', 64],
  ] as const)('of %s', (name, group) => {
    const store: Store = denseStore({ ...format('int4'), group, groupBits: 16 + 4 })
    expect(total(packed(name, { bits: 4 }, part).bytes)).toBe(tokens * store.row(rowOf(part)).bytes)
  })
  it.each(['upper', 'both'] as const)('of QuantSpec, %s', (planes) => {
    const store = hierarchicalStore({ group: 128, planes, kept: 1 })
    const h = quantizeHierarchical(tensorOf(part), part === 'key' ? 'tokens' : 'channels', 128)
    expect(hierarchicalBytes(h, planes)).toBe(tokens * store.row(rowOf(part)).bytes)
  })
})
