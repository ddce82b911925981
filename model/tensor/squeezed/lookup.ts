// Which clusters queries read: those whose importance is above a threshold. With a coarse level the clusters of coarse
// clusters that matter little are dropped first (Squeezed Attention, arXiv 2411.09688, section 4).
import type { HeadClusters, Levels } from './clusters.ts'
import { importance } from './importance.ts'

/** Importance of the coarse clusters to queries [n, dim]; none without a coarse level. */
export function coarseImportance({ coarse }: Levels, dim: number, queries: Float32Array): Float64Array {
  return coarse ? importance(queries, coarse.centroids, coarse.sizes, dim) : new Float64Array(0)
}

/** Which of the fine clusters the coarse level keeps for these queries, as a mask. */
export function coarseSurvivors(levels: Levels, dim: number, queries: Float32Array, above: number): Uint8Array {
  const { fine, coarse } = levels
  if (coarse === undefined) return new Uint8Array(fine.sizes.length).fill(1)
  const scores = coarseImportance(levels, dim, queries)
  return Uint8Array.from(coarse.labels, (label) => (label >= 0 && (scores[label] as number) > above ? 1 : 0))
}

/** The clusters' importance to queries [n, dim], the denominators counting only keys of clusters that survive. */
export function fineImportance(
  { fine }: Levels,
  dim: number,
  queries: Float32Array,
  survivors?: Uint8Array,
): Float64Array {
  return importance(queries, fine.centroids, fine.sizes, dim, survivors)
}

/** Which of the clustered keys are read, as a mask: those of clusters above the threshold that survive. */
export function keptKeys(
  { labels }: HeadClusters,
  scores: Float64Array,
  above: number,
  survivors?: Uint8Array,
): Uint8Array {
  const read = Uint8Array.from(scores, (s, j) => (s > above && (survivors === undefined || survivors[j] === 1) ? 1 : 0))
  return Uint8Array.from(labels, (label) => read[label] as number)
}
