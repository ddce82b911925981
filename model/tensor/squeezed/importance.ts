// How much attention each cluster of keys can expect (Squeezed Attention, arXiv 2411.09688, section 4): a softmax over
// centroids in which a centroid stands for all the keys of its cluster, S_i = exp(q.C_i / sqrt d) / sum_j N_j exp(q.C_j /
// sqrt d). It estimates the probability of one key, so that sum_i N_i S_i = 1.
import { dot } from './assign.ts'

/**
 * S of each cluster from its logit, and ln of the denominator. Empty clusters (size 0) and those outside `among` are not in
 * the denominator; empty ones score 0. A cluster outside `among` that would score above 1 scores 1.
 */
export function clusterSoftmax(
  logits: Float64Array,
  sizes: Int32Array,
  among?: Uint8Array,
): { scores: Float64Array; logDenominator: number } {
  const counted = (j: number) => (sizes[j] as number) > 0 && (among === undefined || among[j] === 1)
  let most = Number.NEGATIVE_INFINITY
  for (let j = 0; j < logits.length; j++) if (counted(j)) most = Math.max(most, logits[j] as number)
  // The released code subtracts no maximum, and overflows on models with large keys.
  let sum = 0
  for (let j = 0; j < logits.length; j++) {
    if (counted(j)) sum += (sizes[j] as number) * Math.exp((logits[j] as number) - most)
  }
  const scores = new Float64Array(logits.length)
  for (let j = 0; j < logits.length; j++) {
    if ((sizes[j] as number) > 0 && sum > 0) scores[j] = Math.min(1, Math.exp((logits[j] as number) - most) / sum)
  }
  return { scores, logDenominator: most + Math.log(sum) }
}

/** q.C / sqrt(dim) of the query that begins at `at` with each centroid. */
export function centroidLogits(
  queries: Float32Array | Float64Array,
  at: number,
  centroids: Float64Array,
  dim: number,
): Float64Array {
  const logits = new Float64Array(centroids.length / dim)
  const scale = 1 / Math.sqrt(dim)
  for (let j = 0; j < logits.length; j++) logits[j] = dot(queries, at, centroids, j * dim, dim) * scale
  return logits
}

/** The mean over queries, [n, dim], of S of each cluster; with grouped-query attention over the group's queries too. */
export function importance(
  queries: Float32Array | Float64Array,
  centroids: Float64Array,
  sizes: Int32Array,
  dim: number,
  among?: Uint8Array,
): Float64Array {
  const mean = new Float64Array(sizes.length)
  const n = queries.length / dim
  for (let i = 0; i < n; i++) {
    const { scores } = clusterSoftmax(centroidLogits(queries, i * dim, centroids, dim), sizes, among)
    for (let j = 0; j < mean.length; j++) (mean[j] as number) += (scores[j] as number) / n
  }
  return mean
}
