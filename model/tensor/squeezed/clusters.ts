// The clusters of one head's fixed context (Squeezed Attention, arXiv 2411.09688, section 4): all keys but an observation
// window of the last ones, which are always kept. With a coarse level the centroids are clustered once more, each as one
// point, so that a query first meets few centroids and then only those of the clusters that matter.
import { type Random, seeded } from '../../random.ts'
import type { Assign } from './assign.ts'
import { clusterMeans, clusterSizes, cosineClusters } from './cosine-clusters.ts'

/** Tokens at the end of the context that the paper never clusters. */
export const observationWindow = 100

export interface ClusterShares {
  /** Clusters as a share of the clustered keys. */
  readonly clusters: number
  /** Clusters of the coarse level, as a share of the clustered keys too; absent for a single level. */
  readonly coarse?: number
  /** Tokens at the end of the context that are always kept. */
  readonly window: number
  /** Tokens at its beginning that are always kept (default 0, as in the paper). */
  readonly sink?: number
}

export interface HeadClusterOptions extends ClusterShares {
  readonly random: Random
  readonly iterations?: number
  readonly tolerance?: number
  readonly assign?: Assign
  readonly progress?: (iteration: number) => void | Promise<void>
}

/** What is kept of a head's clustering: its labels; centroids are made of them and the keys (`levelsOf`). */
export interface HeadClusters {
  /** The cluster of each clustered key. */
  readonly labels: Int32Array
  /** The first clustered key's token: those before it are always kept. */
  readonly first: number
  readonly clusters: number
  /** The coarse cluster of each centroid; -1 for that of an empty cluster. */
  readonly coarse?: { readonly labels: Int32Array; readonly clusters: number }
  readonly iterations: number
  readonly inertia: number
  readonly converged: boolean
  readonly empty: number
}

/** How many clusters a context of `tokens` gets. Throws RangeError where that is none, or more than there are keys. */
export function clusterCounts(tokens: number, options: ClusterShares): { fine: number; coarse?: number } {
  const { clusters, coarse, window, sink = 0 } = options
  for (const [name, count] of [
    ['window', window],
    ['sink', sink],
  ] as const) {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(`${name}: expected a whole number of tokens from 0, got ${count}`)
    }
  }
  const keys = tokens - window - sink
  if (keys < 1) {
    const kept = sink === 0 ? `the window of ${window}` : `the sink of ${sink} and the window of ${window}`
    throw new RangeError(`context: expected more tokens than ${kept} that are always kept, got ${tokens}`)
  }
  const fine = countOf('clusters', clusters, keys)
  if (coarse === undefined) return { fine }
  if (coarse >= clusters) {
    throw new RangeError(`coarse: expected a smaller share than the ${clusters} of the clusters, got ${coarse}`)
  }
  return { fine, coarse: countOf('coarse', coarse, keys) }
}

function countOf(name: string, share: number, keys: number): number {
  if (!(share > 0)) throw new RangeError(`${name}: expected a share of the keys above 0, got ${share}`)
  const count = Math.floor(share * keys)
  if (count > keys) {
    throw new RangeError(`${name}: expected at most as many as the ${keys} clustered keys, got ${count}`)
  }
  if (count < 1) throw new RangeError(`${name}: expected at least one of ${keys} keys, got a share of ${share}`)
  return count
}

/** Clusters the keys of a context, [tokens, dim]. Throws RangeError. */
export async function clusterHead(keys: Float32Array, dim: number, options: HeadClusterOptions): Promise<HeadClusters> {
  const counts = clusterCounts(keys.length / dim, options)
  const { sink = 0, window } = options
  const own = keys.subarray(sink * dim, keys.length - window * dim)
  const fine = await cosineClusters(own, dim, counts.fine, options)
  const { labels, sizes, iterations, inertia, converged } = fine
  const empty = sizes.reduce((sum, size) => sum + (size === 0 ? 1 : 0), 0)
  const base = { labels, first: sink, clusters: counts.fine, iterations, inertia, converged, empty }
  if (counts.coarse === undefined) return base
  const centroids = clusterMeans(own, dim, labels, sizes)
  return { ...base, coarse: await coarseClusters(centroids, sizes, dim, counts.coarse, options) }
}

/** Clusters the centroids of clusters that have keys. */
async function coarseClusters(
  centroids: Float64Array,
  sizes: Int32Array,
  dim: number,
  count: number,
  options: HeadClusterOptions,
): Promise<{ labels: Int32Array; clusters: number }> {
  const filled = [...sizes.keys()].filter((j) => (sizes[j] as number) > 0)
  const points = new Float32Array(filled.length * dim)
  for (const [i, j] of filled.entries()) points.set(centroids.subarray(j * dim, (j + 1) * dim), i * dim)
  const found = await cosineClusters(points, dim, Math.min(count, filled.length), options)
  // Empty ones would stand for nothing: those that are not are numbered anew.
  const names = [...found.sizes.keys()].filter((j) => (found.sizes[j] as number) > 0)
  const labels = new Int32Array(sizes.length).fill(-1)
  filled.forEach((j, i) => {
    labels[j] = names.indexOf(found.labels[i] as number)
  })
  return { labels, clusters: names.length }
}

/** Centroids of a level, [clusters, dim], and the keys that each stands for. */
export interface Level {
  readonly centroids: Float64Array
  readonly sizes: Int32Array
}

export interface Levels {
  readonly fine: Level
  /** Its centroids are means of the fine ones, each counted once; its sizes are keys. */
  readonly coarse?: Level & { readonly labels: Int32Array }
}

/** Centroids are means of the raw keys [tokens, dim], not of those of length 1: they estimate logits. */
export function levelsOf(keys: Float32Array, dim: number, of: HeadClusters): Levels {
  const sizes = clusterSizes(of.labels, of.clusters)
  const centroids = clusterMeans(keys.subarray(of.first * dim), dim, of.labels, sizes)
  const fine = { centroids, sizes }
  if (of.coarse === undefined) return { fine }
  const { labels, clusters } = of.coarse
  return { fine, coarse: { ...coarseLevel(fine, dim, labels, clusters), labels } }
}

function coarseLevel({ centroids, sizes }: Level, dim: number, labels: Int32Array, clusters: number): Level {
  const keys = new Int32Array(clusters)
  const points = new Int32Array(clusters)
  const means = new Float64Array(clusters * dim)
  labels.forEach((label, j) => {
    if (label < 0) return
    ;(keys[label] as number) += sizes[j] as number
    ;(points[label] as number)++
    for (let t = 0; t < dim; t++) (means[label * dim + t] as number) += centroids[j * dim + t] as number
  })
  for (let at = 0; at < means.length; at++) (means[at] as number) /= points[Math.floor(at / dim)] as number
  return { centroids: means, sizes: keys }
}

/** A generator for one head, apart from those of all others. `use` 0 clusters, 1 keeps keys at random. */
export function headRandom(seed: number, layer: number, head: number, use: 0 | 1 = 0): Random {
  return seeded(((seed * 1024 + layer) * 1024 + head) * 2 + use)
}
