import { describe, expect, it } from 'vitest'
import { unmasked } from '../../../../model/cache.ts'
import { normals, seeded } from '../../../../model/random.ts'
import { squeezedSelection } from '../../../../model/selections/squeezed.ts'
import { rotate } from '../../../../model/tensor/rope.ts'
import { type KvSource, type LayerSource, layerInMemory } from '../../../../model/tensor/source.ts'
import {
  budgetFormula,
  denseBytes,
  lookupBytes,
  rowBytes,
  storedBytes,
} from '../../../../model/tensor/squeezed/bytes.ts'
import { clusterCounts, clusterHead, headRandom, levelsOf } from '../../../../model/tensor/squeezed/clusters.ts'
import { coarseSurvivors, fineImportance, keptKeys } from '../../../../model/tensor/squeezed/lookup.ts'
import { type SqueezeOptions, squeeze } from '../../../../model/tensor/squeezed/squeeze.ts'
import { calibrationQueries, coarseSparsity } from '../../../../model/tensor/squeezed/thresholds.ts'
import { type Structure, synthetic } from '../../../../model/tensor/synthetic.ts'
import { type Tensor, tensor } from '../../../../model/tensor/tensor.ts'

const options: SqueezeOptions = { clusters: 0.05, sparsity: 0.8, window: 100, input: 8, seed: 1 }

function random(tokens: number, heads: number, headDim: number, seed: number): Tensor {
  const normal = normals(seeded(seed))
  const x = tensor({ tokens, heads, headDim })
  x.data.forEach((_, i) => {
    x.data[i] = normal()
  })
  return x
}

/** Keys, values and queries of one layer without any structure. */
function plainLayer(tokens = 400, heads = 2, group = 1, headDim = 16, layer = 0): LayerSource {
  return layerInMemory(layer, {
    key: random(tokens, heads, headDim, 10 + layer),
    value: random(tokens, heads, headDim, 20 + layer),
    query: random(Math.min(tokens, 200), heads * group, headDim, 30 + layer),
  })
}

function sourceOf(...layers: LayerSource[]): KvSource {
  return { name: 'test', elementBytes: 4, layers }
}

describe('the budget', () => {
  it('is the published one', () => {
    expect(budgetFormula(0.7, 0.05)).toBeCloseTo(0.325, 15)
    expect(budgetFormula(0.8, 0.05)).toBeCloseTo(0.225, 15)
    expect(budgetFormula(0.9, 0.05)).toBeCloseTo(0.125, 15)
    expect(budgetFormula(0.9, 0.05, 0.01, 0.68)).toBeCloseTo(0.122, 15)
    expect(budgetFormula(0.9, 0.05, 0.01, 0.5)).toBeCloseTo(0.1175, 15)
  })
  it('counts rows and centroids, and what the released kernels read besides', () => {
    const tokens = 131072
    const of = {
      tokens,
      clustered: tokens,
      stored: 6554,
      labels: tokens,
      kept: 13107,
      centroids: 6554,
      keyDim: 128,
      valueDim: 128,
    }
    expect(denseBytes(of)).toBe(4 * tokens * 128)
    expect(denseBytes(of) / rowBytes(of)).toBeCloseTo(8, 3)
    // Labels, scores and indices take 8.0 to 6.2, the second reading of the centroids to 5.3.
    const second = of.centroids * of.keyDim * 2
    expect(denseBytes(of) / (rowBytes(of) + lookupBytes(of) - second)).toBeCloseTo(6.2, 1)
    expect(denseBytes(of) / (rowBytes(of) + lookupBytes(of))).toBeCloseTo(5.34, 2)
  })
  it.each([0, 0.01])('is that of the cache in predictions, coarse %f', (coarse) => {
    const [tokens, window, kvHeads, dim, sparsity, clusters, survive] = [10100, 100, 4, 128, 0.9, 0.05, 0.7]
    const selection = squeezedSelection({ sparsity, clusters, coarse, survive, window, index: 64, passes: 2 })
    const group = { sequences: 1, query: 1, logits: 1, past: [{ tokens, copies: 1, sharers: 1, fixed: true as const }] }
    const place = { copies: 1, sharers: 1, fixed: true, exempt: false, fresh: false, wide: false, gathered: false }
    const region = { begin: 0, end: tokens, ...place, read: tokens, attended: tokens }
    const sizes = { heads: 4, kvHeads, headDim: dim, valueDim: dim, width: 2 }
    const choice = { ...sizes, group, mask: unmasked, regions: [region] }
    const kernels = selection.choose?.(choice) ?? []
    // Queries, the sums by centroid and partial outputs are activations on which no row depends.
    const lookups = kernels.filter(({ name }) => name.includes('lookup')).flatMap(({ streams }) => streams)
    const others = kernels.filter(({ name }) => ['select', 'indices'].includes(name)).flatMap(({ streams }) => streams)
    const moved = [...lookups.filter(({ owner }) => owner === 'kv'), ...others].reduce(
      (sum, { bytes }) => sum + bytes,
      0,
    )
    const [fine, first] = [500, coarse * 10000]
    const looked = first > 0 ? fine * survive : fine
    const of = {
      tokens,
      clustered: 10000,
      stored: fine + first,
      labels: 10000 + (first > 0 ? fine : 0),
      kept: 1100,
      centroids: looked + first,
      keyDim: dim,
      valueDim: dim,
    }
    const centroidsOnce = of.centroids * dim * 2
    expect(kvHeads * (centroidsOnce + lookupBytes(of))).toBeCloseTo(moved, 6)
    expect(kvHeads * storedBytes(of)).toBeCloseTo(selection.keeps?.(choice) ?? 0, 6)
  })
})

describe('clusters of a head', () => {
  const keys = random(300, 1, 8, 1).data

  it('are as many as the share of the keys that are not always kept', async () => {
    expect(clusterCounts(300, { clusters: 0.05, coarse: 0.01, window: 100 })).toEqual({ fine: 10, coarse: 2 })
    expect(clusterCounts(300, { clusters: 0.05, window: 100, sink: 20 })).toEqual({ fine: 9 })
    const { labels, first } = await clusterHead(keys, 8, { clusters: 0.1, window: 100, sink: 4, random: seeded(1) })
    expect({ labels: labels.length, first }).toEqual({ labels: 196, first: 4 })
  })
  it('have centroids of raw keys, and coarse ones that are means of these', async () => {
    const own = await clusterHead(keys, 8, { clusters: 0.1, coarse: 0.02, window: 100, sink: 4, random: seeded(1) })
    const { fine, coarse } = levelsOf(keys, 8, own)
    expect(fine.sizes.reduce((sum, size) => sum + size, 0)).toBe(196)
    expect(coarse?.sizes.reduce((sum, size) => sum + size, 0)).toBe(196)
    const meanOf = (rows: Float32Array | Float64Array, members: number[], t: number) =>
      members.reduce((sum, i) => sum + (rows[i * 8 + t] as number), 0) / members.length
    for (let j = 0; j < own.clusters; j++) {
      const members = [...own.labels.keys()].filter((i) => own.labels[i] === j)
      for (let t = 0; t < 8; t++) {
        expect(fine.centroids[j * 8 + t]).toBeCloseTo(meanOf(keys.subarray(4 * 8), members, t), 12)
      }
    }
    for (let j = 0; j < (own.coarse?.clusters ?? 0); j++) {
      const members = [...fine.sizes.keys()].filter((i) => own.coarse?.labels[i] === j)
      for (let t = 0; t < 8; t++) {
        expect(coarse?.centroids[j * 8 + t]).toBeCloseTo(meanOf(fine.centroids, members, t), 12)
      }
    }
  })
  it('of equal keys are few, and the coarse level has no more', async () => {
    const equal = new Float32Array(300 * 8).fill(1)
    const own = await clusterHead(equal, 8, { clusters: 0.1, coarse: 0.05, window: 100, random: seeded(1) })
    expect(own).toMatchObject({ empty: 19, coarse: { clusters: 1 } })
    expect(levelsOf(equal, 8, own).coarse?.sizes).toEqual(Int32Array.of(200))
  })
  it.each([
    [{ clusters: 1.5, window: 100 }, 'clusters: expected at most as many as the 200 clustered keys, got 300'],
    [{ clusters: 0.001, window: 100 }, 'clusters: expected at least one of 200 keys, got a share of 0.001'],
    [{ clusters: 0, window: 100 }, 'clusters: expected a share of the keys above 0, got 0'],
    [{ clusters: 0.05, coarse: 0.05, window: 100 }, 'coarse: expected a smaller share than the 0.05 of the clusters'],
    [
      { clusters: 0.05, window: 300 },
      'context: expected more tokens than the window of 300 that are always kept, got 300',
    ],
    [{ clusters: 0.05, window: 100, sink: 200 }, 'the sink of 200 and the window of 100 that are always kept, got 300'],
    [{ clusters: 0.05, window: -1 }, 'window: expected a whole number of tokens from 0, got -1'],
  ])('refuse %o', async (shares, message) => {
    await expect(clusterHead(keys, 8, { ...shares, random: seeded(1) })).rejects.toThrow(message)
    await expect(clusterHead(keys, 8, { ...shares, random: seeded(1) })).rejects.toThrow(RangeError)
  })
})

describe('the lookup', () => {
  it('is that of its definition, at both levels', async () => {
    const [dim, tokens] = [6, 60]
    const keys = random(tokens, 1, dim, 3).data
    const queries = random(7, 1, dim, 4).data
    const own = await clusterHead(keys, dim, { clusters: 0.4, coarse: 0.1, window: 10, random: seeded(2) })
    const levels = levelsOf(keys, dim, own)
    const dot = (q: number, rows: Float64Array, j: number) =>
      Array.from({ length: dim }, (_, t) => (queries[q * dim + t] as number) * (rows[j * dim + t] as number)).reduce(
        (sum, x) => sum + x,
        0,
      ) / Math.sqrt(dim)
    const mean = (rows: Float64Array, sizes: Int32Array, j: number, among: (i: number) => boolean) => {
      let sum = 0
      for (let q = 0; q < 7; q++) {
        const terms = [...sizes.keys()].map((i) => (among(i) ? (sizes[i] as number) * Math.exp(dot(q, rows, i)) : 0))
        sum += Math.exp(dot(q, rows, j)) / terms.reduce((a, b) => a + b, 0)
      }
      return sum / 7
    }
    const coarse = levels.coarse as NonNullable<typeof levels.coarse>
    const coarseScores = [...coarse.sizes.keys()].map((j) => mean(coarse.centroids, coarse.sizes, j, () => true))
    const above = [...coarseScores].sort((a, b) => a - b)[Math.floor(coarseScores.length / 2)] as number
    const survives = (j: number) => (coarseScores[coarse.labels[j] as number] as number) > above
    const survivors = coarseSurvivors(levels, dim, queries, above)
    expect([...survivors].map((s) => s === 1)).toEqual([...survivors.keys()].map(survives))

    const scores = fineImportance(levels, dim, queries, survivors)
    const { sizes, centroids } = levels.fine
    scores.forEach((s, j) => {
      expect(s).toBeCloseTo(Math.min(1, mean(centroids, sizes, j, survives)), 10)
    })
    const kept = keptKeys(own, scores, 0.02, survivors)
    const expected = Array.from(own.labels, (label) => ((scores[label] as number) > 0.02 && survives(label) ? 1 : 0))
    expect([...kept]).toEqual(expected)
    expect(kept).toContain(1)
    expect(kept).toContain(0)
  })
  it('takes the paper’s constants', () => {
    expect([calibrationQueries, coarseSparsity]).toEqual([100, 0.5])
  })
})

describe('squeezing', () => {
  it('with sparsity 0 is exactly attention over everything, at both levels', async () => {
    const { heads, thresholds } = await squeeze(sourceOf(plainLayer()), { ...options, sparsity: 0, coarse: 0.02 })
    for (const { selections } of heads) {
      for (const { kept, tokens, lostMass, outputError } of selections) {
        expect({ kept, lostMass, outputError }).toEqual({ kept: tokens, lostMass: 0, outputError: 0 })
      }
    }
    expect(thresholds.clusters).toBe(Number.NEGATIVE_INFINITY)
  })
  it('keeps the share that its one threshold was set for, over all heads', async () => {
    const layers = [plainLayer(600), plainLayer(600, 3, 1, 16, 1)]
    // The user's queries are the calibration's: then nothing differs but the heads.
    const same = layers.map((layer) => {
      const read: LayerSource['read'] = (part, tokens, heads) =>
        part === 'query' ? layer.read('query', [0, 200], heads) : layer.read(part, tokens, heads)
      const query = layer.read('query')
      for (let i = 0; i < 100 * query.heads * 16; i++) {
        query.data[query.data.length - 1 - i] = query.data[query.data.length - 1 - i - 100 * query.heads * 16] as number
      }
      return { ...layer, read }
    })
    const { heads } = await squeeze(sourceOf(...same), { ...options, input: 100, sparsity: 0.7 })
    const own = heads.map(({ selections }) => selections[0] as NonNullable<(typeof selections)[0]>)
    const clustered = own.reduce((sum, s) => sum + s.clustered, 0)
    const kept = own.reduce((sum, s) => sum + s.kept - 100, 0)
    // A cluster is kept as a whole.
    expect(kept / clustered).toBeGreaterThan(0.28)
    expect(kept / clustered).toBeLessThanOrEqual(0.3)
    expect(new Set(own.map((s) => s.kept)).size).toBeGreaterThan(1)
  })
  it('measures what a plain softmax measures', async () => {
    const layer = plainLayer(300, 2, 3, 8)
    const { heads } = await squeeze(sourceOf(layer), { ...options, input: 5 })
    const [key, value, query] = (['key', 'value', 'query'] as const).map((part) => layer.read(part)) as [
      Tensor,
      Tensor,
      Tensor,
    ]
    for (const { head, selections } of heads) {
      const rows = new Set<number>()
      const recency = selections.find((s) => s.selection === 'recency')
      // The recent ones are known without the lookup: the first and the last rows of the context.
      for (let i = 0; i < (recency?.kept ?? 0); i++) rows.add(i === 0 ? 0 : 295 - i)
      let [lost, error, size] = [0, 0, 0]
      for (let g = 0; g < 3; g++) {
        for (let t = 295; t < 300; t++) {
          const at = ((t - 100) * 6 + head * 3 + g) * 8
          const weights = Array.from({ length: t + 1 }, (_, i) => {
            let sum = 0
            for (let c = 0; c < 8; c++)
              sum += (query.data[at + c] as number) * (key.data[(i * 2 + head) * 8 + c] as number)
            return Math.exp(sum / Math.sqrt(8))
          })
          const total = weights.reduce((a, b) => a + b, 0)
          const kept = weights.map((w, i) => (i >= 295 || rows.has(i) ? w : 0))
          const keptTotal = kept.reduce((a, b) => a + b, 0)
          lost += 1 - keptTotal / total
          for (let c = 0; c < 8; c++) {
            const v = (i: number) => value.data[(i * 2 + head) * 8 + c] as number
            const whole = weights.reduce((sum, w, i) => sum + (w / total) * v(i), 0)
            const part = kept.reduce((sum, w, i) => sum + (w / keptTotal) * v(i), 0)
            error += (part - whole) ** 2
            size += whole ** 2
          }
        }
      }
      expect(recency?.lostMass).toBeCloseTo(lost / 15, 12)
      expect(recency?.outputError).toBeCloseTo(Math.sqrt(error / size), 12)
    }
  })
  it('gives the same for the same seed, and one head what all give it', async () => {
    const source = sourceOf(plainLayer(), plainLayer(400, 2, 1, 16, 1))
    const once = await squeeze(source, { ...options, coarse: 0.02 })
    expect(await squeeze(source, { ...options, coarse: 0.02 })).toEqual(once)
    expect(headRandom(1, 2, 3)()).not.toBe(headRandom(1, 3, 2)())
    expect(headRandom(1, 2, 3, 1)()).not.toBe(headRandom(1, 2, 3)())
  })
  it('rotates keys that are not rotated yet, and leaves the source as it is', async () => {
    const layer = plainLayer(300)
    const before = layer.read('key').data.slice()
    const pre = await squeeze({ ...sourceOf(layer), rope: { keys: 'pre', theta: 100 } }, options)
    expect(layer.read('key').data).toEqual(before)
    const turned = layerInMemory(0, {
      key: rotate(tensor(layer.key, before.slice()), 100),
      value: layer.read('value'),
      query: rotate(tensor(layer.query as Tensor, layer.read('query').data.slice()), 100, 100),
    })
    expect(await squeeze({ ...sourceOf(turned), rope: { keys: 'post', theta: 100 } }, options)).toEqual(pre)
    expect(await squeeze(sourceOf(layer), options)).not.toEqual(pre)
  })
  it('sets thresholds by other data where asked', async () => {
    const calibrate = { ...sourceOf(plainLayer(400, 2, 1, 16, 5)), name: 'other' }
    const seen: string[] = []
    const progress = ({ stage, source }: { stage: string; source: string }) => {
      seen.push(`${stage} ${source}`)
    }
    const other = await squeeze(sourceOf(plainLayer()), { ...options, calibrate, progress })
    const itself = await squeeze(calibrate, options)
    expect(other.thresholds).toEqual(itself.thresholds)
    expect([...new Set(seen)]).toEqual(['cluster test', 'cluster other', 'calibrate other', 'compare test'])
  })
  it('tells a warning’s reason: the first token’s attention, and whether it is kept', async () => {
    const source = synthetic({ seed: 1, layers: 1, heads: 2, tokens: 600, queries: 120, clusters: 8 })
    const { heads } = await squeeze(source, { ...options, sink: 1 })
    for (const { firstMass, selections } of heads) {
      expect(firstMass).toBeGreaterThan(0.1)
      expect(selections.map((s) => s.keepsFirst)).toEqual(selections.map(() => true))
    }
  })
  it.each([
    [{ sparsity: 1 }, 'sparsity: expected a share from 0 to below 1, got 1 (nothing but the window would be kept)'],
    [{ sparsity: -0.1 }, 'sparsity: expected a share from 0 to below 1, got -0.1'],
    [{ sparsity: Number.NaN }, 'sparsity: expected a share from 0 to below 1, got NaN'],
    [{ input: 0 }, 'input: expected a whole number of tokens from 1, got 0'],
    [{ input: 350 }, 'context: expected more tokens than the window of 100 that are always kept, got 50'],
    [{ input: 500 }, 'context: expected more tokens than the window of 100 that are always kept, got 0'],
    [{ input: 150 }, 'layers.0.query: expected queries of the last 250 tokens, got those of 200'],
  ])('refuses %o', async (changed, message) => {
    await expect(squeeze(sourceOf(plainLayer()), { ...options, ...changed })).rejects.toThrow(message)
  })
  it('refuses a layer without queries, and what is no number, with its place', async () => {
    const key = random(300, 1, 8, 1)
    const value = random(300, 1, 8, 2)
    const query = random(300, 1, 8, 3)
    await expect(squeeze(sourceOf(layerInMemory(0, { key, value })), options)).rejects.toThrow(
      'layers.0.query: expected queries of the last 108 tokens, got none',
    )
    for (const [part, of] of Object.entries({ key, value, query })) {
      const odd = tensor(of, of.data.slice())
      odd.data[8 * 200 + 3] = Number.NaN
      await expect(squeeze(sourceOf(layerInMemory(0, { key, value, query, [part]: odd })), options)).rejects.toThrow(
        `layers.0.${part}: expected finite numbers, got 1 NaN and 0 infinite, the first at token 200, head 0, channel 3`,
      )
    }
  })
})

/** Attention lost at a budget, on the straight line between the curve's points. */
function lostAt(curve: Awaited<ReturnType<typeof squeeze>>['curve'], selection: string, budget: number): number {
  const points = curve.filter((p) => p.selection === selection).sort((a, b) => a.budget - b.budget)
  const above = points.findIndex((p) => p.budget >= budget)
  const [a, b] = [points[above - 1], points[above]]
  if (a === undefined || b === undefined) throw new Error(`${selection}: no points around ${budget}`)
  return a.lostMass + ((b.lostMass - a.lostMass) * (budget - a.budget)) / (b.budget - a.budget)
}

describe('on synthetic tensors, at a quarter of the budget', () => {
  const seeds = [1, 2, 3, 4]
  const lost = async (seed: number, without: readonly Structure[]) => {
    const shape = { layers: 1, heads: 2, tokens: 1600, headDim: 64, queries: 116 }
    const { curve } = await squeeze(synthetic({ seed, ...shape, without }), {
      ...options,
      coarse: 0.01,
      sink: 1,
      input: 16,
      seed,
      curve: [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99],
    })
    const of = (name: string) => lostAt(curve, name, 0.25)
    return { clusters: of('clusters'), hierarchy: of('hierarchy'), others: [of('random'), of('recency')] as const }
  }

  it.each(seeds)('clusters lose less than half of what random and recent keys do (seed %i)', async (seed) => {
    const { clusters, hierarchy, others } = await lost(seed, ['channel-outliers'])
    expect(clusters).toBeLessThan(0.5 * Math.min(...others))
    // The hierarchy costs little: at most two hundredths of the attention, with a fraction of the centroids read.
    expect(hierarchy - clusters).toBeLessThan(0.02)
  })
  it.each(seeds)('without clusters in the keys nothing of that is left (seed %i)', async (seed) => {
    const { clusters, hierarchy, others } = await lost(seed, ['channel-outliers', 'clusters'])
    for (const other of others) expect(Math.abs(other - clusters)).toBeLessThan(0.01)
    expect(Math.abs(hierarchy - clusters)).toBeLessThan(0.03)
  })
  it.each(seeds)('outlier channels hide clusters, and still these help (seed %i)', async (seed) => {
    const { clusters, others } = await lost(seed, [])
    for (const other of others) expect(other - clusters).toBeGreaterThan(0.03)
  })
  // Rotated by the position, large channels make keys of near positions alike, and queries prefer some: that is a
  // structure too, and a small gain remains.
  it.each(seeds)('without clusters outlier channels leave a little (seed %i)', async (seed) => {
    const { clusters, others } = await lost(seed, ['clusters'])
    for (const other of others) {
      expect(other - clusters).toBeGreaterThan(0)
      expect(other - clusters).toBeLessThan(0.12)
    }
  })
})
