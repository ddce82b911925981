// KVQuant's cache (arXiv 2401.18079) as the kernels lay it out. Keys before their rotation: a byte holds both channels that
// a rotation turns together, 16 neighbouring bytes a token's 16 pairs, 32 tokens next to each other. Values: 16 bytes hold
// 32 tokens of a channel. Codes stand for entries of a table, scaled for each channel of the keys and each token of the
// values; outliers are added to them before the scale, listed for every 64 tokens.
import { type Fill, hash, reader, sparseAt, sparseValue } from '../input.ts'
import type { Tensor } from '../kernel.ts'
import type { RowReader } from './attention-reference.ts'

export interface Kvquant extends Record<string, number> {
  batch: number
  heads: number
  'kv-heads': number
  'head-dim': number
  tokens: number
  outliers: number
  bits: number
}

/** Tokens whose codes lie together, and tokens whose outliers are listed together. */
export const run = 32
export const tile = 64
/** Pairs of channels in 16 bytes. */
export const loadPairs = 16

const seeds = { k: 111, v: 112 } as const
const fillKeyScales = { kind: 'affine', seed: 113, scale: -2 } as const satisfies Fill
const fillValueScales = { kind: 'affine', seed: 114, scale: -2 } as const satisfies Fill
const outlierScale = 1
/** Small enough that many keys count. */
export const fillQuery = { kind: 'normal', seed: 117, outliers: 7 } as const satisfies Fill

export const pairsOf = (s: Kvquant) => s['head-dim'] / 2
export const loadsOf = (s: Kvquant) => Math.ceil(pairsOf(s) / loadPairs)
export const tilesOf = (s: Kvquant) => Math.ceil(s.tokens / tile)
/** Runs of 32 tokens, with what fills up the last tile. */
export const runsOf = (s: Kvquant) => (tilesOf(s) * tile) / run
export const unitsOf = (s: Kvquant) => s.batch * s['kv-heads']
/** Outliers of a tile of one head, of keys and of values each. */
export const outliersOf = (s: Kvquant) => Math.round((tile * s['head-dim'] * s.outliers) / 1000)

function fillOutliers(s: Kvquant, seed: number) {
  const each = outliersOf(s)
  const stride = Math.floor((tile * s['head-dim']) / each)
  return { kind: 'sparse', seed, each, stride, scale: outlierScale } as const satisfies Fill
}
const outlierSeeds = { k: 115, v: 116 } as const

/** Tables in [-1, 1], denser near 0, as those fitted to keys and to values are; exact in halves. */
function tablesOf({ bits }: Kvquant): Readonly<Record<'k' | 'v', Float64Array>> {
  const middle = (2 ** bits - 1) / 2
  const table = (of: (x: number) => number) =>
    Float64Array.from({ length: 2 ** bits }, (_, i) => Math.round(1024 * of((i - middle) / middle)) / 1024)
  return { k: table((x) => Math.sin(x * 1.2) ** 3), v: table((x) => 0.6 * x + 0.4 * x ** 3) }
}

/** Where the turns begin, and those of the first positions. */
export const firstTurn = 16
export const placeTurns = (s: Kvquant) => firstTurn + runsOf(s) * pairsOf(s)

/** Entries of the tables of keys and values, sixteen in any case; cosine and sine of every pair at every 32nd position; at the first 64. */
function turns(s: Kvquant): Float64Array {
  const pairs = pairsOf(s)
  const { k, v } = tablesOf(s)
  const entries = [...k].flatMap((entry, i) => [entry, v[i] as number])
  const rows = [...Array(runsOf(s)).keys()].map((i) => i * run).concat([...Array(tile).keys()])
  const out = new Float64Array(2 * (firstTurn + rows.length * pairs))
  out.set(entries)
  rows.forEach((position, r) => {
    for (let p = 0; p < pairs; p++) {
      const angle = position * 10000 ** (-p / pairs)
      out.set([Math.cos(angle), Math.sin(angle)], 2 * (firstTurn + r * pairs + p))
    }
  })
  return out
}

/** Where each head's tile of outliers begins, and where the last one ends. */
function starts(s: Kvquant): Float64Array {
  return Float64Array.from({ length: unitsOf(s) * tilesOf(s) + 1 }, (_, i) => i * outliersOf(s))
}

export function kvquantTensors(s: Kvquant): Tensor[] {
  const dim = s['head-dim']
  const units = unitsOf(s)
  const input = (name: string, elements: number, type: Tensor['type'], fill: Fill): Tensor => ({
    name,
    elements,
    type,
    use: 'input',
    fill,
  })
  const values = (name: string, type: Tensor['type'], numbers: Float64Array) =>
    input(name, numbers.length, type, { kind: 'values', values: numbers })
  const sparse = (of: 'k' | 'v') =>
    input(`${of}_outliers`, units * tilesOf(s) * outliersOf(s), 'u32', fillOutliers(s, outlierSeeds[of]))
  return [
    input('k', units * runsOf(s) * loadsOf(s) * run * s.bits, 'u32', { kind: 'bits', seed: seeds.k }),
    input('v', units * runsOf(s) * dim * s.bits, 'u32', { kind: 'bits', seed: seeds.v }),
    input('k_scales', units * dim * 2, 'fp16', fillKeyScales),
    input('v_scales', s.batch * tilesOf(s) * tile * 2, 'fp16', fillValueScales),
    values('turns', 'fp32', turns(s)),
    ...(s.outliers > 0 ? [sparse('k'), sparse('v'), values('starts', 'u32', starts(s))] : []),
  ]
}

/**
 * Code `i` of the 32 that lie together, in as many words as a code has bits. Of four bits: in order. Of fewer, the lower
 * two: byte b of eight holds those of places 2b and 2b + 1, then those of 16 more; the third: byte b of four holds those
 * of the even places from 8b on, then those of the odd ones.
 */
function code({ bits }: Kvquant, seed: number, load: number, i: number): number {
  const at = (bit: number) => hash(seed, load * bits + (bit >>> 5)) >>> (bit & 31)
  if (bits === 4) return at(4 * i) & 15
  const [pair, odd] = [i >>> 1, i & 1]
  const lower = at(8 * (pair & 7) + 4 * (pair >>> 3) + 2 * odd) & 3
  return bits === 2 ? lower : lower + 4 * (at(64 + 8 * (pair >>> 2) + 4 * odd + (pair & 3)) & 1)
}

/** Outliers of a head's tile by place. */
function outlierReader(s: Kvquant, of: 'k' | 'v', unit: number): (tile: number) => Map<number, number> {
  const fill = fillOutliers(s, outlierSeeds[of])
  let at = -1
  let found = new Map<number, number>()
  return (t) => {
    if (t === at || s.outliers === 0) return found
    at = t
    found = new Map()
    const first = (unit * tilesOf(s) + t) * fill.each
    for (let i = first; i < first + fill.each; i++) found.set(sparseAt(fill, i) & 0xffff, sparseValue(fill, i))
    return found
  }
}

/** A head's keys, rotated to their positions. */
export function keyRows(s: Kvquant, unit: number): RowReader {
  const dim = s['head-dim']
  const pairs = pairsOf(s)
  const table = tablesOf(s).k
  const scales = reader(fillKeyScales)
  const outliers = outlierReader(s, 'k', unit)
  const flat = new Float64Array(dim)
  const flatSizes = new Float64Array(dim)
  return (j, out, sizes) => {
    const first = (unit * runsOf(s) + Math.floor(j / run)) * loadsOf(s)
    const aside = outliers(Math.floor(j / tile))
    for (let c = 0; c < dim; c++) {
      const pair = c % pairs
      const load = (first + Math.floor(pair / loadPairs)) * run + (j % run)
      const entry = table[code(s, seeds.k, load, 2 * (pair % loadPairs) + (c < pairs ? 0 : 1))] as number
      // Keys' outliers are listed channel by channel.
      const outlier = aside.get(c * tile + (j % tile)) ?? 0
      const [scale, zero] = [scales((unit * dim + c) * 2), scales((unit * dim + c) * 2 + 1)]
      flat[c] = (entry + outlier) * scale + zero
      flatSizes[c] = (Math.abs(entry) + Math.abs(outlier)) * scale + Math.abs(zero)
    }
    for (let p = 0; p < pairs; p++) {
      const angle = j * 10000 ** (-p / pairs)
      const [low, high] = [flat[p] as number, flat[p + pairs] as number]
      out[p] = low * Math.cos(angle) - high * Math.sin(angle)
      out[p + pairs] = high * Math.cos(angle) + low * Math.sin(angle)
      const size = (flatSizes[p] as number) + (flatSizes[p + pairs] as number)
      sizes[p] = size
      sizes[p + pairs] = size
    }
  }
}

/** A head's values. */
export function valueRows(s: Kvquant, unit: number): RowReader {
  const dim = s['head-dim']
  const table = tablesOf(s).v
  const scales = reader(fillValueScales)
  const outliers = outlierReader(s, 'v', unit)
  const sequence = Math.floor(unit / s['kv-heads'])
  return (j, out, sizes) => {
    const first = (unit * runsOf(s) + Math.floor(j / run)) * dim
    const aside = outliers(Math.floor(j / tile))
    const token = sequence * tilesOf(s) * tile + j
    const [scale, zero] = [scales(token * 2), scales(token * 2 + 1)]
    for (let c = 0; c < dim; c++) {
      const entry = table[code(s, seeds.v, first + c, j % run)] as number
      // Values' outliers are listed token by token.
      const outlier = aside.get((j % tile) * dim + c) ?? 0
      out[c] = (entry + outlier) * scale + zero
      sizes[c] = (Math.abs(entry) + Math.abs(outlier)) * scale + Math.abs(zero)
    }
  }
}
