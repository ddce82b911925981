import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normals, seeded } from '../../../../model/random.ts'
import { type Assign, assign } from '../../../../model/tensor/squeezed/assign.ts'
import { clusterMeans, clusterSizes, cosineClusters } from '../../../../model/tensor/squeezed/cosine-clusters.ts'

function random(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, normals(seeded(seed)))
}

/** `groups` directions far apart, `each` keys around each, of different lengths. */
function planted(groups: number, each: number, dim: number, seed: number) {
  const normal = normals(seeded(seed))
  const centres = random(groups * dim, seed + 1)
  const truth = Int32Array.from({ length: groups * each }, (_, i) => i % groups)
  const keys = new Float32Array(truth.length * dim)
  truth.forEach((group, i) => {
    const length = Math.exp(normal())
    for (let t = 0; t < dim; t++) keys[i * dim + t] = length * ((centres[group * dim + t] as number) + 0.05 * normal())
  })
  return { keys, truth }
}

function unit(keys: Float32Array, dim: number): number[][] {
  return Array.from({ length: keys.length / dim }, (_, i) => {
    const row = [...keys.subarray(i * dim, (i + 1) * dim)]
    const norm = Math.hypot(...row)
    return row.map((x) => (norm > 0 ? x / norm : 0))
  })
}

/** Squared distances of unit rows to the means of their clusters. */
function inertiaOf(rows: number[][], labels: ArrayLike<number>, clusters: number): number {
  let sum = 0
  for (let j = 0; j < clusters; j++) {
    const own = rows.filter((_, i) => labels[i] === j)
    const mean = own[0]?.map((_, t) => own.reduce((total, row) => total + (row[t] as number), 0) / own.length) ?? []
    for (const row of own) sum += row.reduce((total, x, t) => total + (x - (mean[t] as number)) ** 2, 0)
  }
  return sum
}

/** Whether two labellings part the keys alike. */
function samePartition(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const pairs = new Set(Array.from({ length: a.length }, (_, i) => `${a[i]} ${b[i]}`))
  return pairs.size === new Set(Array.from(a)).size && pairs.size === new Set(Array.from(b)).size
}

describe('assigning', () => {
  it('finds the nearest centroid and its distance, at every size', () => {
    const sizes = {
      n: fc.integer({ min: 1, max: 11 }),
      k: fc.integer({ min: 1, max: 140 }),
      dim: fc.integer({ min: 1, max: 9 }),
    }
    fc.assert(
      fc.property(fc.record({ ...sizes, seed: fc.nat() }), ({ n, k, dim, seed }) => {
        const points = random(n * dim, seed)
        const centroids = Float64Array.from(random(k * dim, seed + 1))
        const [labels, distances] = [new Int32Array(n), new Float64Array(n)]
        assign(points, centroids, dim, labels, distances)
        for (let i = 0; i < n; i++) {
          const all = Array.from({ length: k }, (_, j) =>
            Array.from({ length: dim }, (_, t) => (points[i * dim + t] as number) - (centroids[j * dim + t] as number)),
          ).map((difference) => difference.reduce((sum, x) => sum + x * x, 0))
          const least = Math.min(...all)
          expect(all[labels[i] as number]).toBeCloseTo(least, 10)
          expect(distances[i]).toBeCloseTo(least, 10)
        }
      }),
      { numRuns: 60 },
    )
  })
  it('takes the first of equal centroids', () => {
    const labels = new Int32Array(5).fill(-1)
    assign(new Float32Array(5).fill(1), Float64Array.of(3, 1, 1, 1), 1, labels, new Float64Array(5))
    expect([...labels]).toEqual([1, 1, 1, 1, 1])
  })
})

describe('clusters by direction', () => {
  it.each([1, 2, 3])('are those that were planted, whatever the lengths (seed %i)', async (seed) => {
    const { keys, truth } = planted(8, 25, 16, seed)
    const found = await cosineClusters(keys, 16, 8, { random: seeded(seed), tolerance: 0 })
    // k-means++ may start twice in one group: the best of a few starts must find them.
    const others = [10, 20, 30].map((s) => cosineClusters(keys, 16, 8, { random: seeded(s), tolerance: 0 }))
    const best = [found, ...(await Promise.all(others))].sort((a, b) => a.inertia - b.inertia)[0]
    expect(samePartition(best?.labels ?? [], truth)).toBe(true)
    expect(best?.converged).toBe(true)
  })
  it('reach the optimum of a small set from some start, and never less', async () => {
    const [n, dim] = [9, 3]
    const keys = random(n * dim, 5)
    const rows = unit(keys, dim)
    let optimum = Number.POSITIVE_INFINITY
    for (let code = 0; code < 3 ** n; code++) {
      const labels = Array.from({ length: n }, (_, i) => Math.floor(code / 3 ** i) % 3)
      if (new Set(labels).size === 3) optimum = Math.min(optimum, inertiaOf(rows, labels, 3))
    }
    const starts = await Promise.all(
      Array.from({ length: 30 }, (_, seed) => cosineClusters(keys, dim, 3, { random: seeded(seed), tolerance: 0 })),
    )
    for (const { inertia, labels } of starts) {
      expect(inertia).toBeCloseTo(inertiaOf(rows, labels, 3), 5)
      expect(inertia).toBeGreaterThan(optimum - 1e-6)
    }
    expect(Math.min(...starts.map(({ inertia }) => inertia))).toBeCloseTo(optimum, 5)
  })
  it('never get worse by an iteration', async () => {
    const keys = random(400 * 8, 7)
    const options = { tolerance: 0 }
    const inertias = []
    for (let iterations = 1; iterations <= 12; iterations++) {
      inertias.push((await cosineClusters(keys, 8, 20, { ...options, iterations, random: seeded(3) })).inertia)
    }
    for (let i = 1; i < inertias.length; i++)
      expect(inertias[i]).toBeLessThanOrEqual((inertias[i - 1] as number) + 1e-9)
  })
  it('are the same for the same seed, and with an assign that was passed in', async () => {
    const keys = random(300 * 8, 9)
    let calls = 0
    const counted: Assign = async (...args) => {
      calls++
      assign(...args)
    }
    const once = await cosineClusters(keys, 8, 12, { random: seeded(4) })
    const again = await cosineClusters(keys, 8, 12, { random: seeded(4), assign: counted })
    expect(again).toEqual(once)
    expect(calls).toBeGreaterThanOrEqual(once.iterations)
    expect((await cosineClusters(keys, 8, 12, { random: seeded(5) })).labels).not.toEqual(once.labels)
  })
  it('end where the iterations do, and say so', async () => {
    const { iterations, converged } = await cosineClusters(random(200 * 4, 1), 4, 10, {
      random: seeded(1),
      iterations: 1,
    })
    expect({ iterations, converged }).toEqual({ iterations: 1, converged: false })
  })
  it('of equal keys leave clusters empty', async () => {
    const keys = Float32Array.from(
      { length: 30 },
      (_, i) => (Math.floor(i / 3) % 2 === 0 ? [1, 0, 0] : [0, 2, 0])[i % 3] as number,
    )
    const { sizes, inertia, labels } = await cosineClusters(keys, 3, 4, { random: seeded(2), tolerance: 0 })
    expect([...sizes].sort()).toEqual([0, 0, 5, 5])
    expect(inertia).toBe(0)
    const means = clusterMeans(keys, 3, labels, sizes)
    expect(means.every(Number.isFinite)).toBe(true)
    expect([...means.subarray(3 * sizes.indexOf(0), 3 * sizes.indexOf(0) + 3)]).toEqual([0, 0, 0])
  })
  it('fill a cluster that runs empty while there are keys off their means', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { sizes } = await cosineClusters(random(40 * 2, seed), 2, 20, { random: seeded(seed), tolerance: 0 })
      expect(sizes.includes(0)).toBe(false)
    }
  })
  it('as many as keys hold one each', async () => {
    const { sizes, inertia } = await cosineClusters(random(12 * 4, 3), 4, 12, { random: seeded(1), tolerance: 0 })
    expect([...sizes]).toEqual(Array(12).fill(1))
    expect(inertia).toBeCloseTo(0, 10)
  })
  it('take keys without a direction', async () => {
    const keys = random(20 * 4, 3)
    keys.fill(0, 0, 8)
    const { labels, sizes } = await cosineClusters(keys, 4, 5, { random: seeded(1), tolerance: 0 })
    expect(labels[0]).toBe(labels[1])
    expect(clusterSizes(labels, 5)).toEqual(sizes)
  })
  it('refuse more clusters than keys, none, and what is no number', async () => {
    const keys = random(10 * 4, 1)
    const options = { random: seeded(1) }
    await expect(cosineClusters(keys, 4, 11, options)).rejects.toThrow(
      new RangeError('clusters: expected from 1 to the 10 keys that there are, got 11'),
    )
    await expect(cosineClusters(keys, 4, 0, options)).rejects.toThrow(RangeError)
    await expect(cosineClusters(keys, 4, 2, { ...options, iterations: 0 })).rejects.toThrow(RangeError)
    keys[21] = Number.NaN
    keys[30] = Number.POSITIVE_INFINITY
    await expect(cosineClusters(keys, 4, 2, options)).rejects.toThrow(
      'keys: expected finite numbers, got NaN at token 5, channel 1 (2 such values)',
    )
  })
})

it('means are of raw keys, in f64', () => {
  const means = clusterMeans(Float32Array.of(1, 2, 3, 4, 10, 20), 2, Int32Array.of(0, 0, 1), Int32Array.of(2, 1))
  expect([...means]).toEqual([2, 3, 10, 20])
})
