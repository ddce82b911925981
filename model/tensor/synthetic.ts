// Keys, values and queries with the structure that papers report of real caches, from a seed. Each structure can be left
// out, which is the control: what a method gains by it must vanish.
//
// channel-outliers: before rotation a few fixed channels of the keys have a large mean and spread (KVQuant, arXiv
//   2401.18079); value-outliers: values have scales by token and large elements anywhere;
// rope: keys and queries are yet to be rotated, which mixes pairs of channels;
// clusters: keys lie around a few directions, in runs, and a query points to one of them (Squeezed Attention, arXiv
//   2411.09688); sink: every query attends to the first token, whose key is large and whose value is small
//   (KVQuant); bell: noise is normal; without, it is uniform, where even steps are the best ones.

import { normals, type Random, seeded } from '../random.ts'
import { roundFp16 } from './half.ts'
import { type KvSource, type LayerSource, layerInMemory } from './source.ts'
import { elements, type Shape, type Tensor, tensor } from './tensor.ts'

export const structures = ['channel-outliers', 'value-outliers', 'rope', 'clusters', 'sink', 'bell'] as const
export type Structure = (typeof structures)[number]

export interface SyntheticOptions {
  readonly seed?: number
  readonly layers?: number
  readonly tokens?: number
  /** Heads of keys and values. */
  readonly heads?: number
  /** A multiple of 8. */
  readonly headDim?: number
  /** Queries, of the last tokens. */
  readonly queries?: number
  /** Query heads per head of keys. */
  readonly group?: number
  readonly theta?: number
  /** Directions that the keys of a head lie around. */
  readonly clusters?: number
  /** Adds `key_fisher` and `value_fisher`: squares of normal numbers, larger at the tokens that are attended to. */
  readonly fisher?: boolean
  readonly without?: readonly Structure[]
}

export const syntheticDefaults = {
  seed: 1,
  layers: 2,
  tokens: 2048,
  heads: 4,
  headDim: 64,
  queries: 128,
  group: 1,
  theta: 10000,
  clusters: 32,
  fisher: false,
} as const

/** Share of a head's channels that are outliers, and their means in units of the noise. */
const outlierChannels = 1 / 16
const outlierMean = [8, 16] as const
const outlierSpread = 2
/** Share of a value's elements that are outliers, their factor, and the spread of a token's scale (log-normal). */
const outlierElements = 0.005
const outlierFactor = 8
const tokenSpread = 0.5
/** Length of a cluster's direction per channel, mean tokens in a row from one cluster, and the logit that leads there. */
const clusterScale = 2
const runTokens = 4
const clusterLogit = 6
/** The first key's length per channel, and the factor of its value. The logit is such that it gets about half. */
const sinkScale = 8
const sinkValue = 0.1

/** Elements of one tensor at most: a layer is made whole. */
const mostElements = 2 ** 27

/** A source of synthetic layers, each made when it is read. Same options, same numbers. Throws RangeError. */
export function synthetic(options: SyntheticOptions = {}): KvSource {
  const { without = [], ...given } = options
  const o = { ...syntheticDefaults, ...given, without: new Set(without) }
  o.queries = Math.min(o.queries, o.tokens)
  checkOptions(o)
  return {
    name: 'synthetic',
    elementBytes: 2,
    ...(!o.without.has('rope') && { rope: { keys: 'pre', theta: o.theta } }),
    layers: Array.from({ length: o.layers }, (_, layer) => lazyLayer(o, layer)),
  }
}

type Options = { -readonly [K in keyof typeof syntheticDefaults]: K extends 'fisher' ? boolean : number } & {
  without: ReadonlySet<Structure>
}

function checkOptions(o: Options): void {
  for (const key of ['layers', 'tokens', 'heads', 'headDim', 'queries', 'group', 'clusters'] as const) {
    if (!Number.isInteger(o[key]) || o[key] < 1)
      throw new RangeError(`${key}: expected a whole number from 1, got ${o[key]}`)
  }
  if (!Number.isSafeInteger(o.seed)) throw new RangeError(`seed: expected a whole number, got ${o.seed}`)
  if (o.headDim % 8 !== 0) throw new RangeError(`headDim: expected a multiple of 8, got ${o.headDim}`)
  if (!(o.theta > 1)) throw new RangeError(`theta: expected a number above 1, got ${o.theta}`)
  const size = elements(o)
  if (size > mostElements || o.queries * o.heads * o.group * o.headDim > mostElements) {
    throw new RangeError(`expected at most 2^27 elements in a synthetic tensor, got ${size} (tokens x heads x headDim)`)
  }
}

/** One layer at a time is kept: a source of many layers takes the memory of one. */
let kept: { options: Options; layer: number; source: LayerSource } | undefined

function lazyLayer(options: Options, layer: number): LayerSource {
  const { tokens, heads, headDim, queries, group, fisher } = options
  const shape = { tokens, heads, headDim }
  return {
    layer,
    key: shape,
    value: shape,
    query: { tokens: queries, heads: heads * group, headDim },
    ...(fisher && { key_fisher: shape, value_fisher: shape }),
    read(part, tokenRange, headRange) {
      if (kept?.options !== options || kept.layer !== layer) {
        kept = { options, layer, source: syntheticLayer(options, layer) }
      }
      return kept.source.read(part, tokenRange, headRange)
    },
  }
}

function syntheticLayer(o: Options, layer: number): LayerSource {
  const shape: Shape = o
  const random = seeded((o.seed >>> 0) + layer * 2 ** 32)
  const noise = o.without.has('bell') ? () => (2 * random() - 1) * Math.sqrt(3) : normals(random)
  const key = tensor({ tokens: o.tokens, heads: o.heads, headDim: o.headDim })
  const query = tensor({ tokens: o.queries, heads: o.heads * o.group, headDim: o.headDim })
  for (let h = 0; h < o.heads; h++) fillHead(o, h, key, query, random, noise)
  const value = values(o, random, noise)
  for (const { data } of [key, query, value])
    for (let i = 0; i < data.length; i++) data[i] = roundFp16(data[i] as number)
  const fisher = () => weights(shape, random)
  return layerInMemory(layer, {
    key,
    value,
    query,
    ...(o.fisher && { key_fisher: fisher(), value_fisher: fisher() }),
  })
}

/** Channels that turn slowly under the rotation, the last quarter of the pairs: where meaning outlives distance. */
function slowChannels(headDim: number): number[] {
  const half = headDim / 2
  return Array.from({ length: headDim }, (_, c) => c).filter((c) => c % half >= (3 * half) / 4)
}

/** A direction on the slow channels, of unit length. */
function direction(headDim: number, normal: Random): Float64Array {
  const of = new Float64Array(headDim)
  for (const c of slowChannels(headDim)) of[c] = normal()
  const length = Math.hypot(...of)
  return of.map((x) => x / length)
}

function fillHead(o: Options, h: number, key: Tensor, query: Tensor, random: Random, noise: Random): void {
  const { tokens, headDim, queries, group } = o
  const has = (structure: Structure) => !o.without.has(structure)
  const normal = normals(random)
  const slow = slowChannels(headDim)
  const mean = new Float64Array(headDim)
  const spread = new Float64Array(headDim).fill(1)
  if (has('channel-outliers')) plantChannels(mean, spread, new Set(slow), random)
  const centres = has('clusters') ? Array.from({ length: o.clusters }, () => direction(headDim, normal)) : []
  const sink = has('sink') ? direction(headDim, normal) : undefined
  const length = Math.sqrt(slow.length)
  // In the slow channels the noise is halved where there are clusters, so that these stand apart.
  if (has('clusters')) for (const c of slow) spread[c] = 0.5

  let cluster = 0
  for (let t = 0; t < tokens; t++) {
    if (t === 0 || random() < 1 / runTokens) cluster = Math.floor(random() * centres.length)
    const at = (t * o.heads + h) * headDim
    const centre = centres[cluster]
    const first = t === 0 ? sink : undefined
    for (let c = 0; c < headDim; c++) {
      const towards = first ? sinkScale * (first[c] as number) : clusterScale * (centre?.[c] ?? 0)
      key.data[at + c] = (mean[c] as number) + (spread[c] as number) * noise() + length * towards
    }
  }

  // A logit is q k / sqrt(headDim); with one cluster's keys about clusterLogit above the others, the first token needs
  // the logarithm of their number more to get as much as they do.
  const root = Math.sqrt(headDim)
  const towardsCluster = (clusterLogit * root) / (clusterScale * length)
  const others = has('clusters') ? clusterLogit + Math.log(Math.max(1, tokens / o.clusters)) : Math.log(tokens)
  const towardsSink = (others * root) / (sinkScale * length)
  for (let g = 0; g < group; g++) {
    for (let t = 0; t < queries; t++) {
      if (t === 0 || random() < 1 / runTokens) cluster = Math.floor(random() * centres.length)
      const at = (t * query.heads + h * group + g) * headDim
      const centre = centres[cluster]
      for (let c = 0; c < headDim; c++) {
        const aim = towardsCluster * (centre?.[c] ?? 0) + (sink ? towardsSink * (sink[c] as number) : 0)
        query.data[at + c] = 0.5 * noise() + aim
      }
    }
  }
}

function plantChannels(mean: Float64Array, spread: Float64Array, except: ReadonlySet<number>, random: Random): void {
  const free = [...mean.keys()].filter((c) => !except.has(c))
  for (let n = Math.max(1, Math.round(mean.length * outlierChannels)); n > 0; n--) {
    const [c = 0] = free.splice(Math.floor(random() * free.length), 1)
    const [low, high] = outlierMean
    mean[c] = (random() < 0.5 ? -1 : 1) * (low + (high - low) * random())
    spread[c] = outlierSpread
  }
}

function values(o: Options, random: Random, noise: Random): Tensor {
  const value = tensor({ tokens: o.tokens, heads: o.heads, headDim: o.headDim })
  const row = o.heads * o.headDim
  const outliers = !o.without.has('value-outliers')
  const normal = normals(random)
  for (let t = 0; t < o.tokens; t++) {
    const scale = outliers ? Math.exp(tokenSpread * normal()) : 1
    const factor = t === 0 && !o.without.has('sink') ? sinkValue : scale
    for (let i = t * row; i < (t + 1) * row; i++) {
      value.data[i] = factor * noise() * (outliers && random() < outlierElements ? outlierFactor : 1)
    }
  }
  return value
}

/** Squares of gradients: of normal numbers whose scale differs by token. */
function weights(shape: Shape, random: Random): Tensor {
  const { tokens, heads, headDim } = shape
  const fisher = tensor({ tokens, heads, headDim })
  const normal = normals(random)
  const row = heads * headDim
  for (let t = 0; t < tokens; t++) {
    const scale = Math.exp(normal())
    for (let i = t * row; i < (t + 1) * row; i++) fisher.data[i] = (scale * normal()) ** 2
  }
  return fisher
}
