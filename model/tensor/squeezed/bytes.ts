// What Squeezed Attention reads of a head's fixed context in one pass, against all of it: the paper's budget, the rows and
// centroids counted, and the bytes that its released kernels move, labels and indices included.

/** Bytes of a cache's element: fp16 and bf16. */
const element = 2

/**
 * The paper's budget: bytes read of keys, values and centroids as a share of all keys and values. `surviving` is the share
 * of fine centroids that the coarse level leaves to look at.
 */
export function budgetFormula(sparsity: number, clusters: number, coarse?: number, surviving = 1): number {
  const kept = 1 - sparsity
  return coarse === undefined ? kept + clusters / 2 : kept + coarse / 2 + (surviving * clusters) / 2
}

/** What one head of a selection has to look at and to read. */
export interface Reading {
  /** Tokens of the fixed context, the window included. */
  readonly tokens: number
  /** Those with labels. */
  readonly clustered: number
  /** Clusters that have keys, of both levels: their centroids are stored. */
  readonly stored: number
  /** Labels stored: of the clustered keys and, with a coarse level, of the centroids. */
  readonly labels: number
  /** Rows of keys and values read. */
  readonly kept: number
  /** Fine and coarse centroids read; of fine ones those that survive. */
  readonly centroids: number
  readonly keyDim: number
  readonly valueDim: number
}

/** All keys and values. */
export function denseBytes({ tokens, keyDim, valueDim }: Reading): number {
  return tokens * (keyDim + valueDim) * element
}

/** Rows and centroids alone, each once. */
export function rowBytes({ kept, centroids, keyDim, valueDim }: Reading): number {
  return (kept * (keyDim + valueDim) + centroids * keyDim) * element
}

/** Bytes of a label and of an index in the released code, and of a cluster's size. */
const label = 8
const size = 4

/** What labels, scores and indices add in the released kernels, which also read the centroids twice. */
export function lookupBytes({ tokens, clustered, kept, centroids, keyDim }: Reading): number {
  const score = 4 + 4
  const mask = 1
  // Written and read; what is always kept needs none.
  const indices = 2 * label * (kept - (tokens - clustered))
  return centroids * (keyDim * element + 2 * size) + clustered * (label + score + mask) + indices
}

/** Centroids, sizes and labels, which are kept beside the rows. */
export function storedBytes({ labels, stored, keyDim }: Reading): number {
  return stored * (keyDim * element + size) + labels * label
}
