// What an attention kernel takes, from the datasheet. Decode is a grid of blocks of 64 rows (the query heads that share
// a key head lie in one block), each walking its share of the keys: few blocks split the keys (FlashAttention-2's rule:
// the fewest splits that fill 85 % of the slots), many run in waves, and memory bounds them all. Prefill is 128 × 64
// tiles below the diagonal plus its traffic. Latencies are clocks, so they scale with the machine. Rules of tiles, splits
// and kernels are those of vLLM's FlashAttention 2 and 3 and FlashInfer. Not here: the GEMMs around attention (MLA's
// projections), sliding windows' extra tiles, the host's time.
import type { Operator } from '../model/operator.ts'
import type { Machine } from './machine.ts'

export type AttentionShape = Extract<Operator['shape'], { kind: 'attention' }>

/** Decode kernels: dimensionless, or clocks, or per clock and unit. */
export interface DecodeConstants {
  /** Clocks of one kernel of the chain: launch and drain inside a replayed graph. */
  readonly launch: number
  /** Clocks of a block before its first and after its last tile. */
  readonly start: number
  /** Clocks of a tile of keys beyond its matrix work: wait, softmax, barriers. */
  readonly tile: number
  /** Matrix clocks of a tile over those at the dense peak. */
  readonly matrix: number
  /** Stored elements of fewer than 16 bits that a unit unpacks per clock. */
  readonly unpack: number
  /** Tile clocks of such elements in heads wider than 128, over those without spilled registers. */
  readonly wide: number
  /** Clocks that combining takes per split of the keys. */
  readonly split: number
  /** Share of the datasheet bandwidth. */
  readonly memory: number
}

/** Kernels over many queries, causal or not. */
export interface PrefillConstants {
  /** Clocks of one kernel, as above. */
  readonly launch: number
  /** Clocks of a block before its first and after its last tile. */
  readonly start: number
  /** Matrix clocks of a tile over those at the dense peak. */
  readonly matrix: number
  /** Vector FLOPs per score that softmax and masks take. */
  readonly softmax: number
  /** Stored elements of fewer than 16 bits that a unit unpacks per clock, where no asynchronous unit takes them. */
  readonly unpack: number
  /** Tile clocks of such elements in heads wider than 128, over those without spilled registers. */
  readonly wide: number
  /** Seconds of traffic that tiles do not hide, over those at the datasheet bandwidth. */
  readonly exposed: number
  /** Seconds of work until half of the fall of the clock under the power limit. */
  readonly settle: number
}

export interface AttentionConstants {
  readonly decode: DecodeConstants
  readonly prefill: PrefillConstants
}

type Bounds<C> = { readonly [K in keyof C]: readonly [low: number, high: number] }

/** Where a constant is physical: a fit must end inside. */
export const attentionBounds = {
  decode: {
    launch: [500, 12e3],
    start: [500, 20e3],
    tile: [30, 10e3],
    matrix: [1, 3],
    unpack: [8, 1000],
    wide: [1, 4],
    split: [5, 2000],
    memory: [0.5, 1],
  },
  prefill: {
    launch: [500, 40e3],
    start: [100, 20e3],
    matrix: [1, 3],
    softmax: [0.5, 60],
    unpack: [4, 1000],
    wide: [1, 4],
    exposed: [0.3, 1.5],
    settle: [0.2e-3, 100e-3],
  },
} as const satisfies { decode: Bounds<DecodeConstants>; prefill: Bounds<PrefillConstants> }

/** What attention needs of a machine; computed once. */
export interface AttentionFacts {
  readonly units: number
  /** Hz; of the matrix units where that differs. */
  readonly clock: number
  readonly matrixClock: number
  /** Dense 16-bit matrix FLOPs per unit and clock. */
  readonly matrix: number
  /** fp32 vector FLOPs per unit and clock. */
  readonly vector: number
  /** Bytes/s that data can use. */
  readonly bandwidth: number
  /** Clock of the dense peak over the clock that the power limit sustains; 1 where it suffices. */
  readonly throttle: number
  /** Matrix units so fast that only asynchronous instructions feed them: FlashAttention-3's kernels instead of 2's. */
  readonly asynchronous: boolean
}

/** Seconds by cause; they overlap, so they do not add up to the total. */
export interface AttentionTerms {
  launch: number
  compute: number
  memory: number
}

/** Queries per sequence up to which decode kernels run. */
const decodeQueries = 16
/** Rows of a decode block, and keys of its tile by head dimension. */
const packedRows = 64
/** Rows and keys of a prefill tile. */
const tileRows = 128
const tileKeys = 64
/** Joules per FLOP at 1 GHz: an H100 that just holds the matrix clock of its datasheet with its watts. */
const energy = 2.11e-13
/** Bytes per clock that a unit draws from the last-level cache: `gemm.cache` as fitted on products, rounded; a test holds them together. */
export const cacheRate = 33
/**
 * Traffic of queries and outputs where asynchronous kernels first copy the queries to 8 bits, over that without the copy.
 * Set by hand while looking at an H100's 8-bit rows, not fitted.
 */
const copiedQueries = 1.75
/** The splits' rule: most splits, and the share of full slots that is enough. */
const mostSplits = 128
const fullEnough = 0.85

/** The facts, or undefined where the datasheet lacks one: then attention has only its roofline. */
export function attentionFacts(machine: Machine): AttentionFacts | undefined {
  const { count, clock, matrixClock = clock } = machine.units
  const peak = machine.peaks.fp16 ?? machine.peaks.bf16
  if (machine.kind !== 'gpu' || !clock || !matrixClock || !peak) return undefined
  const matrix = machine.units.matrixOperationsPerClock ?? peak / (count * matrixClock)
  const bandwidth = machine.memory.bandwidth * (inlineEcc(machine) ? 15 / 16 : 1)
  return {
    units: count,
    clock,
    matrixClock,
    matrix,
    bandwidth,
    vector: machine.units.vectorOperationsPerClock ?? 256,
    throttle: throttle(machine.power, matrix * count * matrixClock, matrixClock),
    asynchronous: matrix >= 4096,
  }
}

/** Power goes with the cube of the clock: the FLOPs, each at the energy of a voltage that follows the clock. */
function throttle(watts = Number.POSITIVE_INFINITY, peak: number, clock: number): number {
  return Math.cbrt(Math.max(1, (energy * peak * (clock / 1e9) ** 2) / watts))
}

/** GDDR has no chips for check bits: with ECC on, 1/16 of capacity and of bandwidth holds them. */
function inlineEcc({ memory }: Machine): boolean {
  if (!memory.capacity || (memory.busBits ?? 0) > 512) return false
  const gib = memory.capacity / 2 ** 30
  const share = gib / (8 * Math.ceil(gib / 8))
  return share > 0.93 && share < 0.945
}

/** Keys and values as the cache holds them. */
export interface StoredKeys {
  /** Bytes of one element. */
  readonly element: number
  /** Bytes of one token and key head, values included; of a latent that serves as both, once. */
  readonly row: number
  /** Whether the last-level cache holds them: in a model no layer's keys stay there from step to step. */
  readonly warm?: boolean
  /** Whether a kernel of its own, timed apart, writes the new rows. */
  readonly apart?: boolean
}

/** Seconds of one attention kernel, with its cache write unless that is apart; `terms`, where given, receives the parts. */
export function attentionTime(
  shape: AttentionShape,
  stored: StoredKeys,
  facts: AttentionFacts,
  constants: AttentionConstants,
  terms?: AttentionTerms,
): number {
  if (terms) {
    terms.launch = 0
    terms.compute = 0
    terms.memory = 0
  }
  const decode = decodeTime(shape, stored, facts, constants.decode, terms)
  return decode + prefillTime(shape, stored, facts, constants.prefill, decode > 0, terms)
}

/** Blocks that fit a unit at once: shared memory grew with the matrix rate, and FlashAttention-3 keeps one. */
function resident(facts: AttentionFacts, headDim: number): number {
  return !facts.asynchronous && facts.matrix >= 2048 && headDim <= 128 ? 2 : 1
}

/** Keys of one decode tile, as the kernels choose by head dimension. */
function keysPerTile(asynchronous: boolean, headDim: number): number {
  if (asynchronous) return headDim <= 128 ? 128 : 80
  if (headDim <= 64) return 256
  return headDim <= 128 ? 128 : 64
}

/** Splits of `tiles` tiles of keys by FlashAttention-2's rule, in closed form but for the last steps. */
function splitsToFill(blocks: number, slots: number, tiles: number): number {
  if (blocks >= 0.8 * slots) return 1
  const most = Math.min(mostSplits, slots / 2, tiles)
  const enough = fullEnough * Math.min(1, (blocks * most) / slots)
  let splits = Math.max(1, Math.ceil((enough * slots) / blocks - 1e-9))
  for (; splits < most; splits++) {
    const waves = (blocks * splits) / slots
    if (waves < enough * Math.ceil(waves) - 1e-9) continue
    if (splits === 1 || Math.ceil(tiles / splits) !== Math.ceil(tiles / (splits - 1))) break
  }
  return Math.max(1, Math.min(splits, most))
}

/** Splits by FlashAttention-3's scheduler: equal shares of all tiles per unit, none of up to four tiles. */
function splitsToBalance(blocks: number, units: number, tiles: number): number {
  if (tiles <= 4) return 1
  return Math.ceil(tiles / Math.ceil((1.1 * blocks * tiles) / units))
}

/** How many splits: FlashAttention-2 splits only heads that it packs; kernels for small formats split any. */
function splitsOf(blocks: number, tiles: number, packs: boolean, facts: AttentionFacts): number {
  if (facts.asynchronous) return splitsToBalance(blocks, facts.units, tiles)
  return packs ? splitsToFill(blocks, 2 * facts.units, tiles) : 1
}

/** Matrix clocks of one decode tile at the dense peak. */
function decodeTile(shape: AttentionShape, keys: number, small: boolean, facts: AttentionFacts): number {
  const rows = small && !facts.asynchronous ? 16 : packedRows
  const rate = facts.matrix * (small && facts.asynchronous ? 2 : 1)
  return (2 * rows * keys * (shape.headDim + shape.valueDim)) / rate
}

/** Kernels besides attention and its cache write: FlashAttention-3's scheduler; 2's copies that pack the heads. */
function extraKernels(group: number, batch: number, kvHeads: number, small: boolean, asynchronous: boolean): number {
  if (asynchronous) return small ? 2 : 1
  return !small && group > 1 && batch > 1 && kvHeads > 1 ? 2 : 0
}

function decodeTime(
  shape: AttentionShape,
  stored: StoredKeys,
  facts: AttentionFacts,
  k: DecodeConstants,
  terms: AttentionTerms | undefined,
): number {
  const { heads, kvHeads, headDim, valueDim, rows } = shape
  const group = heads / kvHeads
  let batch = 0
  let queries = 0
  let keys = 0
  let blocks = 0
  for (const { sequences, query, kv } of rows) {
    if (query > decodeQueries) continue
    batch += sequences
    queries += sequences * query
    keys += sequences * kv
    blocks += sequences * kvHeads * Math.ceil((group * query) / packedRows)
  }
  if (batch === 0) return 0

  const small = stored.element < 2
  const width = keysPerTile(facts.asynchronous, headDim)
  const perUnit = resident(facts, headDim)
  const matrix = k.matrix * decodeTile(shape, width, small, facts)
  const unpack = small ? (width * (headDim + valueDim)) / k.unpack : 0
  const spill = small && headDim > 128 ? k.wide : 1
  let ctas = 0
  let clocks = 0
  let longest = 0
  let most = 1
  for (const { sequences, query, kv } of rows) {
    if (query > decodeQueries) continue
    const tiles = Math.ceil(kv / width)
    const splits = splitsOf(blocks, tiles, small || group > 1, facts)
    const n = sequences * kvHeads * Math.ceil((group * query) / packedRows) * splits
    const concurrent = Math.min(perUnit, Math.ceil((blocks * splits) / facts.units))
    const cta = k.start + Math.ceil(tiles / splits) * spill * (concurrent * (matrix + unpack) + k.tile)
    ctas += n
    clocks += n * cta
    longest = Math.max(longest, cta)
    most = Math.max(most, splits)
  }

  const waves = Math.max(1, Math.ceil(ctas / (facts.units * perUnit)))
  const compute = (Math.max(longest, (waves * clocks) / ctas) - k.start) / facts.clock
  const extra = extraKernels(group, batch, kvHeads, small, facts.asynchronous)
  const kernels = (stored.apart ? 1 : 2) + extra + (most > 1 ? 1 : 0)
  const copied = extra > 0 && !facts.asynchronous ? 6 : 2
  const queryBytes = queries * heads * (headDim + valueDim)
  const written = stored.apart ? 0 : queries * kvHeads * stored.row
  const side = queryBytes * (copied + (most > 1 ? 2 * most : 0)) + written
  const read = stored.warm ? 0 : keys * kvHeads * stored.row
  const memory = (read + side) / (facts.bandwidth * k.memory)
  const launch = (kernels * k.launch + (most > 1 ? most * k.split : 0)) / facts.clock
  if (terms) add(terms, launch, compute + k.start / facts.clock, memory)
  return launch + k.start / facts.clock + softMaximum(compute, memory)
}

/** The 4-norm: a kernel near both bounds reaches neither. */
function softMaximum(a: number, b: number): number {
  return Math.sqrt(Math.sqrt(a * a * a * a + b * b * b * b))
}

/** Work of all prefill rows in one grid; `fused` where decode rows already paid the launch. */
function prefillTime(
  shape: AttentionShape,
  stored: StoredKeys,
  facts: AttentionFacts,
  k: PrefillConstants,
  fused: boolean,
  terms: AttentionTerms | undefined,
): number {
  const { heads, kvHeads, headDim, valueDim, causal, rows } = shape
  const small = stored.element < 2
  // FlashInfer packs the heads that share a key head into one tile; FlashAttention's long queries fill theirs alone.
  const packed = small && !facts.asynchronous ? heads / kvHeads : 1
  let blocks = 0
  let tiles = 0
  let furthest = 0
  let queries = 0
  let keys = 0
  let pairs = 0
  for (const { sequences, query, kv } of rows) {
    if (query <= decodeQueries) continue
    pairs += sequences * query * kv
    const perHead = Math.ceil((query * packed) / tileRows) / packed
    const windowed = causal && kv < query / 2
    const reach = causal && !windowed ? kv + (query - 1) / 2 : kv
    blocks += sequences * perHead
    tiles += sequences * tilesPerHead(query, kv, causal, perHead, tileRows / packed)
    furthest = Math.max(furthest, reach / tileKeys)
    queries += sequences * query
    // All keys that a window slides over are read.
    keys += sequences * (windowed ? query + kv : reach)
  }
  if (blocks === 0) return 0

  const dims = 16 * Math.ceil(headDim / 16) + 16 * Math.ceil(valueDim / 16)
  const inTile = tileRows * tileKeys
  const unpack = small && !facts.asynchronous ? (tileKeys * dims) / k.unpack : 0
  const spill = small && headDim > 128 ? k.wide : 1
  const matrix = (k.matrix * 2 * inTile * dims) / facts.matrix
  const softmax = (k.softmax * inTile) / facts.vector
  const tile = spill * (matrix + softmax + unpack)
  const mean = (heads * (tiles * tile + blocks * k.start)) / facts.units
  const longest = furthest * tile + k.start
  const compute = throttled(Math.max(mean, longest) / facts.matrixClock, facts, k)
  const writes = causal && !stored.apart
  const copied = small && facts.asynchronous ? copiedQueries : 1
  // Terms of the scores that come from memory are 16 bits each.
  const terms16 = shape.bias ? 2 * pairs * heads : 0
  const bytes = (headDim + valueDim) * 2 * (copied * queries * heads + kvHeads * keys) + terms16
  const memory = stored.warm ? bytes / (cacheRate * facts.units * facts.clock) : bytes / facts.bandwidth
  const launch = fused ? 0 : ((writes ? 2 : 1) * k.launch) / facts.matrixClock
  // A kernel of its own, which no tile hides, reads the new rows and writes them.
  const write = writes ? ((headDim + valueDim) * 2 * 2 * queries * kvHeads) / facts.bandwidth : 0
  if (terms) add(terms, launch, compute, memory + write)
  return launch + Math.max(compute + k.exposed * memory, memory) + write
}

/** Seconds of matrix work under the power limit, which long work feels and short work escapes. */
function throttled(seconds: number, facts: AttentionFacts, k: PrefillConstants): number {
  return seconds * (1 + ((facts.throttle - 1) * seconds) / (seconds + k.settle))
}

/** Tiles that one head of a sequence computes in blocks of `span` queries: all pairs, and what each masked edge wastes. */
function tilesPerHead(query: number, kv: number, causal: boolean, blocks: number, span: number): number {
  if (!causal) return blocks * Math.ceil(kv / tileKeys)
  const edges = kv < query / 2 ? 2 : 1
  return (query * kv) / (tileRows * tileKeys) + (edges * blocks * Math.max(span, tileKeys)) / (2 * tileKeys)
}

function add(terms: AttentionTerms, launch: number, compute: number, memory: number): void {
  terms.launch += launch
  terms.compute += compute
  terms.memory += memory
}
