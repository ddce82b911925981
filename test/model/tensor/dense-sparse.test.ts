import { expect, test } from 'vitest'
import { normals, seeded } from '../../../model/random.ts'
import { denseAndSparse, denseAndSparseBytes, denseAndSparseWeights } from '../../../model/tensor/dense-sparse.ts'
import { roundFp16 } from '../../../model/tensor/half.ts'

const [rows, columns] = [16, 250]
const normal = normals(seeded(1))
const weights = Float32Array.from({ length: rows * columns }, (_, i) => roundFp16(normal() * (i % 301 === 0 ? 20 : 1)))
const fisher = weights.map((_, i) => (i % 7 === 0 ? 100 : 1))

function error(got: Float32Array, of = weights.map(() => 1)): number {
  return weights.reduce((sum, w, i) => sum + (of[i] as number) * (w - (got[i] as number)) ** 2, 0) / weights.length
}

test.each([2, 3, 4])('%d bits: exceptions come back, and help', (bits) => {
  const q = denseAndSparse(weights, rows, { bits })
  const got = denseAndSparseWeights(q)
  const sparse = Math.round(0.004 * weights.length)
  expect(q.values).toHaveLength(sparse)
  const far = [...weights.keys()].sort((a, b) => Math.abs(weights[b] as number) - Math.abs(weights[a] as number))
  for (const i of far.slice(0, sparse)) expect(got[i]).toBeCloseTo(weights[i] as number, 1)
  const dense = denseAndSparseWeights(denseAndSparse(weights, rows, { bits, large: 0 }))
  expect(error(dense)).toBeGreaterThan(1.1 * error(got))
  // Codes on whole bytes of each row, a table of fp16 for it, values and columns of 16 bits, and where it ends.
  const bytes = rows * (Math.ceil((columns * bits) / 8) + 2 * 2 ** bits + 4) + 4 * sparse
  expect(denseAndSparseBytes(q)).toBe(bytes)
})

test('sensitive weights cost less where the Fisher information is known', () => {
  const blind = denseAndSparseWeights(denseAndSparse(weights, rows, { bits: 3 }))
  const aware = denseAndSparseWeights(denseAndSparse(weights, rows, { bits: 3 }, fisher))
  expect(error(blind, fisher)).toBeGreaterThan(1.2 * error(aware, fisher))
  expect(error(blind)).toBeLessThan(error(aware))
})

test('a row of one value, and one all apart, are exact', () => {
  const flat = new Float32Array(12).fill(0.5)
  expect(denseAndSparseWeights(denseAndSparse(flat, 3, { bits: 2 }))).toEqual(flat)
  const one = Float32Array.of(0, 0, 0, 7)
  expect(denseAndSparseWeights(denseAndSparse(one, 4, { bits: 2, large: 0.25 }))).toEqual(one)
})

test.each<[string, () => unknown, string]>([
  ['odd rows', () => denseAndSparse(weights, 7, { bits: 3 }), 'whole columns, got 571.4'],
  ['bits', () => denseAndSparse(weights, rows, { bits: 8 }), 'bits: expected 2, 3 or 4, got 8'],
  [
    'a share',
    () => denseAndSparse(weights, rows, { bits: 3, large: 1 }),
    'large: expected a share from 0 to below 0.5, got 1',
  ],
  [
    'Fisher',
    () => denseAndSparse(weights, rows, { bits: 3 }, fisher.slice(1)),
    'expected a Fisher information of 4000',
  ],
  ['NaN', () => denseAndSparse(Float32Array.of(1, Number.NaN), 1, { bits: 3 }), 'got NaN at 1'],
])('wrong %s is refused', (_, run, message) => {
  expect(run).toThrow(message)
})
