// Which rows of a head's fixed context are read at a sparsity: by clusters, by both levels of them, and, for comparison,
// as many bytes of rows at random or of the most recent ones.
import type { Random } from '../../random.ts'
import type { HeadClusters, Levels } from './clusters.ts'
import { compactIndices } from './compaction.ts'
import { coarseSurvivors, fineImportance, keptKeys } from './lookup.ts'
import { coarseThreshold, type Pools, threshold } from './thresholds.ts'

export const selectionNames = ['clusters', 'hierarchy', 'random', 'recency'] as const
export type SelectionName = (typeof selectionNames)[number]

/** Rows of the context that a selection reads, and centroids that it looks at. */
export interface Choice {
  readonly selection: SelectionName
  readonly rows: Int32Array
  readonly centroids: number
}

export interface Asked {
  readonly clusters: HeadClusters
  readonly levels: Levels
  readonly keyDim: number
  readonly valueDim: number
  /** Tokens of the fixed context. */
  readonly context: number
  /** [n, keyDim] */
  readonly queries: Float32Array
  /** Shuffles the rows that are kept at random. */
  readonly random: Random
}

/** What each selection reads of a head for some queries, by sparsity. */
export function chooser(asked: Asked, pools: Pools): (sparsity: number) => Choice[] {
  const { levels, keyDim, valueDim, queries, context } = asked
  const { labels, first } = asked.clusters
  const scores = fineImportance(levels, keyDim, queries)
  const centroids = filled(levels.fine.sizes)
  const hierarchy = pools.hierarchy && hierarchyChooser(asked, pools.hierarchy)
  const orders = { random: shuffled(labels.length, asked.random), recency: recent(labels.length) }
  return (sparsity) => {
    const mask = keptKeys(asked.clusters, scores, threshold(pools.clusters, sparsity))
    const clusters: Choice = { selection: 'clusters', rows: keptRows(mask, first, context), centroids }
    // The others read rows for the bytes of the centroids too.
    const spared = Math.round((centroids * keyDim) / (keyDim + valueDim))
    const count = Math.min(labels.length, sum(mask) + spared)
    const others = (['random', 'recency'] as const).map((selection): Choice => {
      const rows = keptRows(firstOf(orders[selection], count), first, context)
      return { selection, rows, centroids: 0 }
    })
    return [clusters, ...(hierarchy ? [hierarchy(sparsity)] : []), ...others]
  }
}

function hierarchyChooser(
  asked: Asked,
  { fine, above }: NonNullable<Pools['hierarchy']>,
): (sparsity: number) => Choice {
  const { clusters, levels, keyDim, queries, context } = asked
  const lookup = (coarse: number) => {
    const survivors = coarseSurvivors(levels, keyDim, queries, coarse)
    const scores = fineImportance(levels, keyDim, queries, survivors)
    return { survivors, scores, centroids: filled(levels.coarse?.sizes ?? new Int32Array(0)) + sum(survivors) }
  }
  const usual = lookup(above)
  return (sparsity) => {
    const { survivors, scores, centroids } = sparsity === 0 ? lookup(coarseThreshold(above, 0)) : usual
    const mask = keptKeys(clusters, scores, threshold(fine, sparsity), survivors)
    return { selection: 'hierarchy', rows: keptRows(mask, clusters.first, context), centroids }
  }
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0)
}

function filled(sizes: Int32Array): number {
  return sizes.reduce((count, size) => count + (size > 0 ? 1 : 0), 0)
}

/** Kept rows of the context: those of the mask over the clustered keys, and all before and after these. */
function keptRows(mask: Uint8Array, first: number, context: number): Int32Array {
  const whole = new Uint8Array(context).fill(1)
  whole.set(mask, first)
  return compactIndices(whole)
}

/** A mask of the first `count` of an order. */
function firstOf(order: Int32Array, count: number): Uint8Array {
  const mask = new Uint8Array(order.length)
  for (let i = 0; i < count; i++) mask[order[i] as number] = 1
  return mask
}

/** The first key, on which attention often rests, then from the last one backwards. */
function recent(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => (i === 0 ? 0 : n - i))
}

/** The first key, then the others in random order (Fisher and Yates). */
function shuffled(n: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 1; i--) {
    const j = 1 + Math.floor(random() * i)
    const kept = order[i] as number
    order[i] = order[j] as number
    order[j] = kept
  }
  return order
}
