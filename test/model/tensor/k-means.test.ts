import fc from 'fast-check'
import { expect, test } from 'vitest'
import { kMeans } from '../../../model/tensor/k-means.ts'

/** The least sum of weighted squared distances, by trying every way to cut sorted points into k intervals. */
function optimum(points: readonly number[], weights: readonly number[], k: number): number {
  const n = points.length
  const cost = (a: number, b: number) => {
    const w = weights.slice(a, b).reduce((x, y) => x + y, 0)
    if (w === 0) return 0
    const mean = points.slice(a, b).reduce((sum, x, i) => sum + x * (weights[a + i] as number), 0) / w
    return points.slice(a, b).reduce((sum, x, i) => sum + (weights[a + i] as number) * (x - mean) ** 2, 0)
  }
  let best = Array.from({ length: n + 1 }, (_, end) => cost(0, end))
  for (let q = 1; q < k; q++) {
    best = best.map((_, end) =>
      Math.min(...Array.from({ length: end + 1 }, (_, i) => (best[i] as number) + cost(i, end))),
    )
  }
  return best[n] as number
}

function error(points: readonly number[], weights: readonly number[], centres: Float64Array): number {
  return points.reduce(
    (sum, x, i) => sum + (weights[i] as number) * Math.min(...[...centres].map((c) => (x - c) ** 2)),
    0,
  )
}

test('no clusters are better than those found', () => {
  const number = fc.double({ min: -1, max: 1, noNaN: true })
  const weight = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 100, noNaN: true }))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(number, weight), { minLength: 1, maxLength: 24 }),
      fc.integer({ min: 1, max: 8 }),
      (pairs, k) => {
        pairs.sort(([a], [b]) => a - b)
        const [points, weights] = [pairs.map(([x]) => x), pairs.map(([, w]) => w)]
        const centres = kMeans(Float64Array.from(points), Float64Array.from(weights), k)
        expect(centres).toHaveLength(k)
        expect([...centres]).toEqual([...centres].sort((a, b) => a - b))
        expect(error(points, weights, centres)).toBeLessThanOrEqual(optimum(points, weights, k) + 1e-9)
      },
    ),
    { numRuns: 300 },
  )
})

test('centres of points that are fewer than clusters are the points', () => {
  expect([...kMeans(Float64Array.of(-1, 0.5), Float64Array.of(1, 1), 4)]).toEqual([-1, 0.5, 0.5, 0.5])
  expect(() => kMeans(new Float64Array(), new Float64Array(), 2)).toThrow('expected points and k from 1')
})

test('a heavier point draws its centre', () => {
  expect(kMeans(Float64Array.of(0, 1), Float64Array.of(3, 1), 1)[0]).toBe(0.25)
})
