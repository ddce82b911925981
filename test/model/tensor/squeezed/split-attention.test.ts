import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normals, seeded } from '../../../../model/random.ts'
import { compactIndices, splitSchedule } from '../../../../model/tensor/squeezed/compaction.ts'
import {
  attentionLogits,
  attentionPart,
  mergeParts,
  splitAttention,
} from '../../../../model/tensor/squeezed/split-attention.ts'

const dim = 8

function head(tokens: number, seed: number) {
  const normal = normals(seeded(seed))
  const keys = Float32Array.from({ length: tokens * dim }, normal)
  const values = Float32Array.from({ length: tokens * dim }, normal)
  const query = Float32Array.from({ length: dim }, () => 3 * normal())
  return { keys, values, query, logits: attentionLogits(query, 0, keys, dim, 0, tokens) }
}

/** Softmax attention as its formula says, over some rows. */
function formula(h: ReturnType<typeof head>, rows: readonly number[]): number[] {
  const weights = rows.map((row) => {
    const product = h.query.reduce((sum, q, t) => sum + q * (h.keys[row * dim + t] as number), 0)
    return Math.exp(product / Math.sqrt(dim))
  })
  const total = weights.reduce((sum, w) => sum + w, 0)
  return Array.from({ length: dim }, (_, t) =>
    rows.reduce((sum, row, i) => sum + ((weights[i] as number) / total) * (h.values[row * dim + t] as number), 0),
  )
}

function expectClose(got: Float64Array, expected: readonly number[]) {
  expect(got).toHaveLength(expected.length)
  for (const [t, x] of got.entries()) expect(x).toBeCloseTo(expected[t] as number, 12)
}

describe('merging by log-sum-exp', () => {
  it('is that of a worked example', () => {
    const parts = [
      { m: 1.5, l: 2, o: Float64Array.of(1, 0) },
      { m: 3, l: 0.5, o: Float64Array.of(0, 2) },
    ]
    const { m, l, o } = mergeParts(parts)
    expect(m).toBe(3)
    expect(l).toBeCloseTo(1.2071067811865475, 15)
    expectClose(o, [0.5857864376269051, 0.8284271247461902])
  })
  it('leaves out parts without keys', () => {
    const h = head(5, 1)
    const whole = splitAttention(h.logits, h.values, dim)
    const none = attentionPart(h.logits, h.values, dim, new Int32Array(0))
    expect(none).toEqual({ m: Number.NEGATIVE_INFINITY, l: 0, o: new Float64Array(dim) })
    expect(mergeParts([none, whole, none])).toEqual(whole)
    expect(mergeParts([none, none])).toEqual(none)
  })
})

describe('attention in blocks', () => {
  it('is softmax attention over the rows, at every block size', () => {
    const cases = fc.record({
      tokens: fc.integer({ min: 1, max: 40 }),
      block: fc.integer({ min: 1, max: 50 }),
      seed: fc.nat(),
    })
    fc.assert(
      fc.property(cases, ({ tokens, block, seed }) => {
        const h = head(tokens, seed)
        const random = seeded(seed)
        const mask = Uint8Array.from({ length: tokens }, (_, i) => (i === 0 || random() < 0.4 ? 1 : 0))
        const rows = compactIndices(mask)
        expectClose(splitAttention(h.logits, h.values, dim, rows, block).o, formula(h, [...rows]))
        expectClose(splitAttention(h.logits, h.values, dim, undefined, block).o, formula(h, [...Array(tokens).keys()]))
      }),
      { numRuns: 50 },
    )
  })
  it('over a list of all rows is exactly that without a list', () => {
    const h = head(5000, 3)
    const all = Int32Array.from({ length: 5000 }, (_, i) => i)
    expect(splitAttention(h.logits, h.values, dim, all)).toEqual(splitAttention(h.logits, h.values, dim))
  })
  it('takes logits that overflow an exponential', () => {
    const values = Float32Array.of(1, 5)
    expect(splitAttention(Float64Array.of(5000, 5001), values, 1).o[0]).toBeCloseTo((1 + 2 * 5) / 3, 12)
  })
})

describe('kept keys', () => {
  it('become a list of rows', () => {
    expect([...compactIndices(Uint8Array.of(1, 0, 0, 1, 1))]).toEqual([0, 3, 4])
    expect(compactIndices(new Uint8Array(3))).toHaveLength(0)
  })
  it('are cut into blocks as in a worked example', () => {
    expect(splitSchedule([5000, 100, 2048, 9000], 2048)).toEqual({
      blocksPerHead: [3, 1, 1, 5],
      headStart: [0, 3, 4, 5],
      blocks: 10,
    })
    expect(splitSchedule([0, 1])).toEqual({ blocksPerHead: [0, 1], headStart: [0, 0], blocks: 1 })
  })
})
