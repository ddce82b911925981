import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normals, seeded } from '../../../../model/random.ts'
import { centroidLogits, clusterSoftmax, importance } from '../../../../model/tensor/squeezed/importance.ts'

const query = Float64Array.of(2, 1, 0, 0)
const centroids = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0.5, 0.5, 0, 0)
const sizes = Int32Array.of(3, 5, 2)

describe('the importance of clusters', () => {
  it('is that of a worked example', () => {
    const logits = centroidLogits(query, 0, centroids, 4)
    expect([...logits]).toEqual([1, 0.5, 0.75])
    const { scores, logDenominator } = clusterSoftmax(logits, sizes)
    expect(Math.exp(logDenominator)).toBeCloseTo(20.632451872103125, 13)
    const expected = [0.1317478817015635, 0.0799091296041913, 0.10260535343717649]
    for (const [i, s] of scores.entries()) expect(s).toBeCloseTo(expected[i] as number, 15)
    expect(scores.reduce((sum, s, i) => sum + s * (sizes[i] as number), 0)).toBeCloseTo(1, 14)
  })
  it('sums to 1 over keys, at any size of the logits', () => {
    const cluster = fc.record({ logit: fc.double({ min: -1e4, max: 1e4, noNaN: true }), size: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 1, maxLength: 20 }), (clusters) => {
        fc.pre(clusters.some(({ size }) => size > 0))
        const counts = Int32Array.from(clusters, ({ size }) => size)
        const { scores } = clusterSoftmax(
          Float64Array.from(clusters, ({ logit }) => logit),
          counts,
        )
        expect(scores.reduce((sum, s, i) => sum + s * (counts[i] as number), 0)).toBeCloseTo(1, 10)
        counts.forEach((n, i) => {
          if (n === 0) expect(scores[i]).toBe(0)
        })
      }),
    )
  })
  it('counts only clusters that survive in the denominator, and stays a probability', () => {
    const { scores } = clusterSoftmax(Float64Array.of(800, 0, 1), Int32Array.of(2, 3, 4), Uint8Array.of(0, 1, 1))
    const sum = 3 + 4 * Math.E
    expect(scores[0]).toBe(1)
    expect(scores[1]).toBeCloseTo(1 / sum, 14)
    expect(scores[2]).toBeCloseTo(Math.E / sum, 14)
    expect([...clusterSoftmax(Float64Array.of(1, 2), Int32Array.of(1, 1), Uint8Array.of(0, 0)).scores]).toEqual([0, 0])
  })
  it('is the mean over queries', () => {
    const normal = normals(seeded(1))
    const queries = Float32Array.from({ length: 5 * 4 }, normal)
    const mean = importance(queries, centroids, sizes, 4)
    const each = Array.from({ length: 5 }, (_, i) =>
      importance(queries.subarray(i * 4, i * 4 + 4), centroids, sizes, 4),
    )
    for (const [j, s] of mean.entries()) {
      expect(s).toBeCloseTo(each.reduce((sum, e) => sum + (e[j] as number), 0) / 5, 14)
    }
  })
  it('is exact where each key is its own cluster', () => {
    const keys = Float64Array.from({ length: 6 * 4 }, normals(seeded(2)))
    const logits = centroidLogits(query, 0, keys, 4)
    const total = logits.reduce((sum, x) => sum + Math.exp(x), 0)
    const s = importance(query, keys, new Int32Array(6).fill(1), 4)
    for (const [i, x] of s.entries()) expect(x).toBeCloseTo(Math.exp(logits[i] as number) / total, 14)
  })
})
