// K-means of keys by their direction, as Squeezed Attention clusters them (arXiv 2411.09688, section 4; released code):
// keys are brought to length 1 and clustered by Lloyd's algorithm from k-means++ seeds. The clusters' means that this
// walks on are of unit keys; the centroids that queries meet are means of the raw keys (clusters.ts).
import type { Random } from '../../random.ts'
import { type Assign, dot, assign as plainAssign } from './assign.ts'

export interface ClusteringOptions {
  readonly random: Random
  /** Lloyd's iterations at most (default 300). */
  readonly iterations?: number
  /** It ends where an iteration lessens the inertia by no more than this share (default 1e-4); 0: where no label moves. */
  readonly tolerance?: number
  readonly assign?: Assign
  /** Called and awaited several times an iteration, so that long work can be watched and interrupted; 0 is the seeding. */
  readonly progress?: (iteration: number) => void | Promise<void>
}

export interface Clustering {
  /** The cluster of each key. */
  readonly labels: Int32Array
  /** Keys in each cluster; 0 where there are fewer different directions than clusters. */
  readonly sizes: Int32Array
  readonly iterations: number
  /** Squared distances of the unit keys to their cluster's mean, summed. */
  readonly inertia: number
  /** Whether it ended before the iterations ran out. */
  readonly converged: boolean
}

/** Products of numbers between two calls of `progress`. */
const work = 2 ** 27

/** Squared distances up to this are rounding: the key lies on its mean. */
const nothing = 1e-12

/**
 * Clusters the rows of `keys` [n, dim] by direction into `clusters` clusters. A cluster that runs empty takes the key
 * farthest from its mean; where all keys lie on their means it stays empty. Keys of length 0 keep it: they have no
 * direction and go where the mean is shortest. Throws RangeError for more clusters than keys and for keys that are not
 * finite numbers.
 */
export async function cosineClusters(
  keys: Float32Array,
  dim: number,
  clusters: number,
  options: ClusteringOptions,
): Promise<Clustering> {
  const { random, iterations = 300, tolerance = 1e-4, assign = plainAssign, progress = () => {} } = options
  const n = keys.length / dim
  if (!Number.isInteger(clusters) || clusters < 1 || clusters > n) {
    throw new RangeError(`clusters: expected from 1 to the ${n} keys that there are, got ${clusters}`)
  }
  if (!Number.isInteger(iterations) || iterations < 1) {
    throw new RangeError(`iterations: expected a whole number from 1, got ${iterations}`)
  }
  if (!(tolerance >= 0)) throw new RangeError(`tolerance: expected a share from 0, got ${tolerance}`)
  const units = unitRows(keys, dim)
  const labels = new Int32Array(n)
  const distances = new Float64Array(n)
  let means = await seeds(units, dim, clusters, random, () => progress(0))
  let before = Number.POSITIVE_INFINITY
  let last = new Int32Array(0)
  for (let iteration = 1; ; iteration++) {
    for (const [from, to] of blocks(n, clusters * dim)) {
      await progress(iteration)
      const own = units.subarray(from * dim, to * dim)
      await assign(own, means, dim, labels.subarray(from, to), distances.subarray(from, to))
    }
    const sizes = fillEmpty(labels, distances, clusters)
    const inertia = distances.reduce((sum, d) => sum + d, 0)
    const converged = tolerance > 0 ? before - inertia <= tolerance * before : equal(labels, last)
    if ((converged && iteration > 1) || iteration === iterations) {
      return { labels, sizes, iterations: iteration, inertia, converged: converged && iteration > 1 }
    }
    means = clusterMeans(units, dim, labels, sizes)
    before = inertia
    last = labels.slice()
  }
}

/** Ranges of points with about the same work, `products` for each point. */
function blocks(n: number, products: number): [from: number, to: number][] {
  const size = 4 * Math.max(64, Math.floor(work / products / 4))
  return Array.from({ length: Math.ceil(n / size) }, (_, i) => [i * size, Math.min(n, (i + 1) * size)])
}

function equal(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i])
}

/** Rows at length 1; those of length 0 stay. Throws RangeError where one is not finite. */
function unitRows(rows: Float32Array, dim: number): Float32Array {
  const units = new Float32Array(rows.length)
  for (let at = 0; at < rows.length; at += dim) {
    const norm = Math.sqrt(dot(rows, at, rows, at, dim))
    if (!Number.isFinite(norm)) throw notFinite(rows, dim)
    if (norm > 0) for (let t = at; t < at + dim; t++) units[t] = (rows[t] as number) / norm
  }
  return units
}

function notFinite(rows: Float32Array, dim: number): RangeError {
  const first = rows.findIndex((value) => !Number.isFinite(value))
  const count = rows.reduce((sum, value) => sum + (Number.isFinite(value) ? 0 : 1), 0)
  const place = `token ${Math.floor(first / dim)}, channel ${first % dim}`
  return new RangeError(`keys: expected finite numbers, got ${rows[first]} at ${place} (${count} such values)`)
}

/**
 * k-means++ (Arthur and Vassilvitskii, 2007): each next seed is a point drawn in proportion to its squared distance to the
 * nearest seed so far; one drawn evenly where all points lie on seeds.
 */
async function seeds(
  points: Float32Array,
  dim: number,
  clusters: number,
  random: Random,
  progress: () => void | Promise<void>,
): Promise<Float64Array> {
  const n = points.length / dim
  const means = new Float64Array(clusters * dim)
  const distances = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  let next = Math.floor(random() * n)
  for (let j = 0; ; ) {
    means.set(points.subarray(next * dim, (next + 1) * dim), j * dim)
    if (++j === clusters) return means
    await progress()
    next = drawn(distances, nearer(points, dim, next, distances), random)
  }
}

/** Lessens `distances` to those from the point `seed` and returns their sum. */
function nearer(points: Float32Array, dim: number, seed: number, distances: Float64Array): number {
  const s = Float64Array.from(points.subarray(seed * dim, (seed + 1) * dim))
  let sum = 0
  for (let i = 0; i < distances.length; i++) {
    const distance = squaredDistance(points, i * dim, s)
    if (distance < (distances[i] as number)) distances[i] = distance
    sum += distances[i] as number
  }
  return sum
}

function squaredDistance(points: Float32Array, at: number, s: Float64Array): number {
  let [even, odd] = [0, 0]
  const whole = s.length - (s.length % 2)
  for (let t = 0; t < whole; t += 2) {
    const a = (points[at + t] as number) - (s[t] as number)
    const b = (points[at + t + 1] as number) - (s[t + 1] as number)
    even += a * a
    odd += b * b
  }
  if (whole < s.length) even += ((points[at + whole] as number) - (s[whole] as number)) ** 2
  return even + odd
}

function drawn(weights: Float64Array, sum: number, random: Random): number {
  const at = random()
  if (!(sum > 0)) return Math.floor(at * weights.length)
  let left = at * sum
  let last = 0
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number
    if (weight === 0) continue
    last = i
    left -= weight
    if (left < 0) return i
  }
  return last
}

/** Gives each empty cluster the point farthest from its mean, where one is off it; returns the sizes. */
function fillEmpty(labels: Int32Array, distances: Float64Array, clusters: number): Int32Array {
  const sizes = clusterSizes(labels, clusters)
  if (!sizes.includes(0)) return sizes
  const farthest = Uint32Array.from(labels.keys()).sort((a, b) => (distances[b] as number) - (distances[a] as number))
  let at = 0
  for (let j = 0; j < clusters; j++) {
    if ((sizes[j] as number) > 0) continue
    while (at < farthest.length && sizes[labels[farthest[at] as number] as number] === 1) at++
    const point = farthest[at++]
    if (point === undefined || (distances[point] as number) <= nothing) break
    ;(sizes[labels[point] as number] as number)--
    sizes[j] = 1
    labels[point] = j
    distances[point] = 0
  }
  return sizes
}

/** How many labels name each of the clusters. */
export function clusterSizes(labels: Int32Array, clusters: number): Int32Array {
  const sizes = new Int32Array(clusters)
  for (let i = 0; i < labels.length; i++) (sizes[labels[i] as number] as number)++
  return sizes
}

/** The mean row of each cluster, [clusters, dim], summed in f64; of an empty one all zeros. */
export function clusterMeans(
  rows: Float32Array | Float64Array,
  dim: number,
  labels: Int32Array,
  sizes: Int32Array,
): Float64Array {
  const means = new Float64Array(sizes.length * dim)
  for (let i = 0; i < labels.length; i++) {
    const to = (labels[i] as number) * dim
    for (let t = 0; t < dim; t++) (means[to + t] as number) += rows[i * dim + t] as number
  }
  for (let at = 0; at < means.length; at++) {
    const size = sizes[Math.floor(at / dim)] as number
    if (size > 0) means[at] = (means[at] as number) / size
  }
  return means
}
