// Squeezed Attention (arXiv 2411.09688) on the tensors of a cache: the keys of a fixed context are clustered, one threshold
// is set for all layers and heads, and the attention of the user's tokens after the context is compared with attention over
// everything, beside keys kept at random and the most recent ones. The source is gone through layer by layer, once to
// cluster, once for each threshold and once to compare; between them only labels and scores are kept.

import type { KvSource } from '../source.ts'
import type { Assign } from './assign.ts'
import type { Reading } from './bytes.ts'
import { type ClusterShares, clusterCounts, clusterHead, type HeadClusters, headRandom, levelsOf } from './clusters.ts'
import { type CurvePoint, CurveTally } from './curve.ts'
import { type HeadTensors, headTensors } from './head-tensors.ts'
import { coarseImportance, coarseSurvivors, fineImportance } from './lookup.ts'
import { type HeadLoss, headLoss } from './selection-loss.ts'
import { type Choice, chooser, type SelectionName } from './selections.ts'
import {
  calibrationQueries,
  checkSparsity,
  coarseSparsity,
  coarseThreshold,
  type Pools,
  ScorePool,
  threshold,
} from './thresholds.ts'

export interface SqueezeOptions extends ClusterShares {
  /** Share of the keys that the threshold drops. */
  readonly sparsity: number
  /** Tokens at the end that are the user's: they read the context, which is what comes before. */
  readonly input: number
  readonly seed: number
  /** Of k-means, as in `cosineClusters`. */
  readonly iterations?: number
  readonly tolerance?: number
  readonly assign?: Assign
  /** Sparsities of the curves; the asked one is always among them. */
  readonly curve?: readonly number[]
  /** Other data to set the thresholds by; else the context's own last queries. */
  readonly calibrate?: KvSource
  /** Awaited, so that long work can be watched and interrupted. */
  readonly progress?: (at: SqueezeProgress) => void | Promise<void>
}

export interface SqueezeProgress {
  readonly stage: 'cluster' | 'calibrate' | 'compare'
  readonly source: string
  readonly layer: number
  readonly head: number
  /** This head's number in this stage, from 1, and of how many. */
  readonly at: number
  readonly of: number
  /** Of k-means. */
  readonly iteration?: number
}

/** One selection of one head at the asked sparsity. */
export interface HeadSelection extends Reading {
  readonly selection: SelectionName
  /** Probability of what is left out, the mean over the queries. */
  readonly lostMass: number
  /** Length of the output's error over that of the output. */
  readonly outputError: number
  readonly keepsFirst: boolean
}

export interface SqueezedHead {
  readonly layer: number
  readonly head: number
  readonly clusters: number
  readonly empty: number
  readonly coarse?: number
  readonly iterations: number
  readonly converged: boolean
  readonly inertia: number
  /** Probability of the first token, the mean over the queries: of an attention sink it is large. */
  readonly firstMass: number
  readonly selections: readonly HeadSelection[]
}

export interface Squeezed {
  readonly heads: readonly SqueezedHead[]
  readonly curve: readonly CurvePoint[]
  /** Importance of a key above which it is read; with a coarse level also of that. */
  readonly thresholds: { readonly clusters: number; readonly hierarchy?: number; readonly coarse?: number }
}

const usualCurve = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95] as const

/** Squeezes the fixed context of every layer and head. Throws RangeError for options, Error for what the source has. */
export async function squeeze(source: KvSource, options: SqueezeOptions): Promise<Squeezed> {
  const { calibrate = source, sparsity } = options
  checkSqueeze(source, options)
  if (calibrate !== source) checkSqueeze(calibrate, options)
  const own = await clusterAll(source, options)
  const others = calibrate === source ? own : await clusterAll(calibrate, options)
  const pools = await poolsOf(calibrate, others, options)
  const { clusters, hierarchy } = pools
  const thresholds = {
    clusters: threshold(clusters, sparsity),
    ...(hierarchy && {
      hierarchy: threshold(hierarchy.fine, sparsity),
      coarse: coarseThreshold(hierarchy.above, sparsity),
    }),
  }
  return { ...(await compare(source, own, pools, options)), thresholds }
}

/** Throws where the options do not fit the source. */
export function checkSqueeze(source: KvSource, { sparsity, input, seed, curve = [], ...shares }: SqueezeOptions): void {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new RangeError(`seed: expected a whole number from 0 to below 2^32, got ${seed}`)
  }
  for (const share of [sparsity, ...curve]) checkSparsity(share)
  if (!Number.isInteger(input) || input < 1) {
    throw new RangeError(`input: expected a whole number of tokens from 1, got ${input}`)
  }
  for (const { layer, key, query } of source.layers) {
    const context = Math.max(0, key.tokens - input)
    clusterCounts(context, shares)
    const need = input + Math.min(calibrationQueries, context)
    if (query === undefined || query.tokens < need) {
      const got = query === undefined ? 'none' : `those of ${query.tokens}`
      throw new Error(`layers.${layer}.query: expected queries of the last ${need} tokens, got ${got}`)
    }
  }
}

interface Head extends HeadTensors {
  /** Tokens of the fixed context. */
  readonly context: number
  readonly place: SqueezeProgress
}

/** Every head of a source, told to the progress. */
async function* heads(
  source: KvSource,
  stage: SqueezeProgress['stage'],
  { input, progress }: SqueezeOptions,
): AsyncGenerator<Head> {
  const of = source.layers.reduce((sum, { key }) => sum + key.heads, 0)
  let at = 0
  for (const head of headTensors(source, stage === 'compare')) {
    const place = { stage, source: source.name, layer: head.layer, head: head.head, at: ++at, of }
    await progress?.(place)
    yield { ...head, context: head.keys.length / head.keyDim - input, place }
  }
}

async function clusterAll(source: KvSource, options: SqueezeOptions): Promise<HeadClusters[]> {
  const found: HeadClusters[] = []
  for await (const { layer, head, keys, keyDim, context, place } of heads(source, 'cluster', options)) {
    const progress = (iteration: number) => options.progress?.({ ...place, iteration })
    const random = headRandom(options.seed, layer, head)
    found.push(await clusterHead(keys.subarray(0, context * keyDim), keyDim, { ...options, random, progress }))
  }
  return found
}

async function poolsOf(source: KvSource, clusters: readonly HeadClusters[], options: SqueezeOptions): Promise<Pools> {
  const [fine, coarse] = [new ScorePool(), new ScorePool()]
  for await (const head of heads(source, 'calibrate', options)) {
    const levels = levelsIn(clusters, head)
    const queries = lastQueries(head)
    fine.add(fineImportance(levels, head.keyDim, queries), levels.fine.sizes)
    if (levels.coarse) coarse.add(coarseImportance(levels, head.keyDim, queries), levels.coarse.sizes)
  }
  if (options.coarse === undefined) return { clusters: fine.quantiles() }
  const above = threshold(coarse.quantiles(), coarseSparsity)
  // Only now is it known which clusters the coarse level leaves to the fine one.
  const left = new ScorePool()
  for await (const head of heads(source, 'calibrate', options)) {
    const levels = levelsIn(clusters, head)
    const queries = lastQueries(head)
    const survivors = coarseSurvivors(levels, head.keyDim, queries, above)
    left.add(fineImportance(levels, head.keyDim, queries, survivors), levels.fine.sizes)
  }
  return { clusters: fine.quantiles(), hierarchy: { fine: left.quantiles(), above } }
}

function clustersOf(clusters: readonly HeadClusters[], { place }: Head): HeadClusters {
  return clusters[place.at - 1] as HeadClusters
}

function levelsIn(clusters: readonly HeadClusters[], head: Head) {
  return levelsOf(head.keys, head.keyDim, clustersOf(clusters, head))
}

/** Queries of the last tokens of the context. */
function lastQueries({ context, queries }: Head): Float32Array {
  return queries(Math.max(0, context - calibrationQueries), context)
}

async function compare(
  source: KvSource,
  clusters: readonly HeadClusters[],
  pools: Pools,
  options: SqueezeOptions,
): Promise<Omit<Squeezed, 'thresholds'>> {
  const { sparsity, curve = usualCurve, input, seed } = options
  const sparsities = [...new Set([...curve, sparsity])]
  const tally = new CurveTally()
  const squeezed: SqueezedHead[] = []
  for await (const head of heads(source, 'compare', options)) {
    const own = clustersOf(clusters, head)
    const queries = head.queries(head.context, head.context + input)
    const random = headRandom(seed, head.layer, head.head, 1)
    const choose = chooser({ ...head, clusters: own, levels: levelsIn(clusters, head), queries, random }, pools)
    const choices = choose(sparsity)
    const rows = choices.map((choice) => choice.rows)
    const loss = headLoss({ ...head, queries }, rows)
    squeezed.push(squeezedHead(head, own, choices, loss))
    for (const s of sparsities) {
      for (const choice of choose(s)) {
        tally.add(choice.selection, s, reading(head, own, choice), lostMass(loss, choice))
      }
    }
  }
  return { heads: squeezed, curve: tally.points() }
}

function squeezedHead(head: Head, own: HeadClusters, choices: readonly Choice[], loss: HeadLoss): SqueezedHead {
  const { clusters, empty, iterations, converged, inertia, coarse } = own
  return {
    layer: head.layer,
    head: head.head,
    clusters,
    empty,
    ...(coarse && { coarse: coarse.clusters }),
    iterations,
    converged,
    inertia,
    firstMass: loss.probabilities[0] as number,
    selections: choices.map((choice, i) => ({
      selection: choice.selection,
      ...reading(head, own, choice),
      lostMass: lostMass(loss, choice),
      outputError: loss.errors[i] as number,
      keepsFirst: choice.rows[0] === 0,
    })),
  }
}

function reading({ context, keyDim, valueDim }: Head, own: HeadClusters, { rows, centroids }: Choice): Reading {
  const clustered = own.labels.length
  const stored = own.clusters - own.empty + (own.coarse?.clusters ?? 0)
  const labels = clustered + (own.coarse ? own.clusters : 0)
  return { tokens: context, clustered, stored, labels, kept: rows.length, centroids, keyDim, valueDim }
}

/** Probability of the keys that are not in the rows. */
function lostMass({ probabilities }: HeadLoss, { rows }: Choice): number {
  const left = probabilities.slice()
  for (const row of rows) left[row] = 0
  return left.reduce((sum, p) => sum + p, 0)
}
