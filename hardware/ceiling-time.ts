// What a kernel takes on a machine whose own ceilings were measured: bytes, arithmetic and codes each at the rate that
// probes of this very machine reached, and a launch. Not a model of libraries' tiles (gemm-time) or of other machines.
import type { Operator, Stream } from '../model/operator.ts'
import { type Interval, type Intervals, type Regime, regimes } from './interval.ts'

/** Rates of one machine through one backend, each the median of a probe. SI units. */
export interface Ceilings {
  /** Seconds of a launch in a chain of launches. */
  readonly launch: number
  /** Seconds that a stream out of memory takes beside its bytes. */
  readonly start: number
  /** Bytes/s of a long read. */
  readonly read: number
  /** Seconds of a written byte over those of a read one. */
  readonly write: number
  /** Bytes/s read again and again from a working set of so many bytes, the smallest first. */
  readonly cache: readonly { readonly bytes: number; readonly rate: number }[]
  /** FLOP/s: products in tiles, products of few rows, and chains of multiply-adds. */
  readonly tiles: number
  readonly rows: number
  readonly chains: number
  /** Exponentials/s, with what a softmax does beside them. */
  readonly exponentials: number
  /** Codes/s of 4-bit weights unpacked and multiplied, and of values looked up in a table of 16. */
  readonly codes: number
  readonly tables: number
  /** Bytes that each gathered piece of 256 moves beside itself. */
  readonly gather: number
  /** Seconds that the host adds to a pass. */
  readonly pass: number
  /** How far memory and arithmetic overlap, where not as on a processor. */
  readonly overlap?: number
}

/** What a figure may be, at the least and at the most: a file that says else is damaged, or says it in other units. */
export const ceilingBounds = {
  launch: [1e-8, 1e-2],
  start: [0, 1e-2],
  read: [1e8, 1e14],
  write: [0.3, 5],
  tiles: [1e8, 1e16],
  rows: [1e8, 1e16],
  chains: [1e8, 1e16],
  exponentials: [1e7, 1e16],
  codes: [1e7, 1e16],
  tables: [1e7, 1e16],
  gather: [0, 2 ** 16],
  pass: [0, 1],
} as const satisfies { readonly [K in keyof Omit<Ceilings, 'cache'>]: readonly [low: number, high: number] }

export interface CeilingTime {
  readonly expected: number
  readonly term: 'memory' | 'compute' | 'launch' | 'decode' | 'gather'
}

/** Rows up to which a product is dot products, and no tiles. */
const fewRows = 16

/**
 * How far memory and arithmetic overlap: T^p = M^p + C^p. Each chosen on every second shape of a suite, the processor's
 * and an H200's, and scored on the others (docs/kernels.md).
 */
export const overlaps = { processor: 1.5, gpu: 4 } as const

/**
 * Measured over expected where at least nine in ten rows of the processor's suite lay, none of which a ceiling was fitted
 * on (one run on one machine: docs/kernels.md). No whole pass was measured: it has the same.
 */
const ninety: Interval = [0.77, 1.32]

/** 90 % intervals on a machine with ceilings, in place of those of GPUs and their libraries. */
export const ceilingIntervals: Intervals = {
  operators: Object.fromEntries(regimes.map((r) => [r, ninety])) as unknown as Readonly<Record<Regime, Interval>>,
  pass: ninety,
  serving: ninety,
  untuned: ninety,
}

/** Seconds of one instance; `warm` where its operands are in a cache. */
export function ceilingTime(o: Operator, c: Ceilings, warm: boolean): CeilingTime {
  const launch = o.launches * c.launch
  const memory = memorySeconds(o.streams, c, warm)
  const gather = warm ? 0 : gatherSeconds(o.streams, c)
  const arithmetic = matrixSeconds(o, c) + vectorSeconds(o, c)
  const decode = decodeSeconds(o.streams, c)
  // Codes are unpacked by the units that multiply.
  const compute = arithmetic + decode
  const moved = memory + gather
  const { overlap = overlaps.processor } = c
  const both = Math.max(moved, compute) === 0 ? 0 : (moved ** overlap + compute ** overlap) ** (1 / overlap)
  return { expected: launch + both, term: termOf(launch, memory, gather, arithmetic, decode) }
}

function termOf(launch: number, memory: number, gather: number, arithmetic: number, decode: number) {
  const most = Math.max(launch, memory, gather, arithmetic, decode)
  if (most === memory) return 'memory'
  if (most === arithmetic) return 'compute'
  if (most === decode) return 'decode'
  return most === launch ? 'launch' : 'gather'
}

function memorySeconds(streams: readonly Stream[], c: Ceilings, warm: boolean): number {
  let bytes = 0
  let weighed = 0
  for (const s of streams) {
    bytes += s.bytes
    weighed += s.way === 'write' ? s.bytes * c.write : s.bytes
  }
  if (bytes === 0) return 0
  return warm ? bytes / cacheRate(bytes, c.cache) : c.start + weighed / c.read
}

/** Bytes/s from a working set, between the measured ones by their logarithms. */
export function cacheRate(bytes: number, curve: Ceilings['cache']): number {
  const after = curve.findIndex((p) => p.bytes >= bytes)
  const high = curve[after === -1 ? curve.length - 1 : after]
  const low = curve[after <= 0 ? (after === 0 ? 0 : curve.length - 1) : after - 1]
  if (!high || !low) throw new RangeError('calibrated.cache: expected at least one working set')
  if (high === low) return high.rate
  const share = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes)
  return low.rate * (high.rate / low.rate) ** share
}

function gatherSeconds(streams: readonly Stream[], c: Ceilings): number {
  let beside = 0
  for (const s of streams) if (s.run !== undefined) beside += (s.bytes / s.run) * c.gather
  return beside / c.read
}

/** Unpacked weights are no cheaper: what they are multiplied with is loaded all the same. */
function matrixSeconds({ matrix, shape }: Operator, c: Ceilings): number {
  return matrix / (isOfFewRows(shape) ? c.rows : c.tiles)
}

/** Vector operations on each byte from which they must be on registers; fewer load what they work on. */
const onRegisters = 100

/** Work that is no product; exponentials take so long that what is done beside them hides. */
function vectorSeconds({ vector, exponentials = 0, streams }: Operator, c: Ceilings): number {
  if (vector === 0) return 0
  let bytes = 0
  for (const s of streams) bytes += s.bytes
  const plain = vector / (vector > onRegisters * bytes ? c.chains : c.rows)
  return Math.max(plain, exponentials / c.exponentials)
}

/** Whether a kernel takes this shape by dot products: each row by itself, nothing kept in tiles. */
function isOfFewRows(shape: Operator['shape']): boolean {
  switch (shape.kind) {
    case 'gemm':
      return shape.m <= fewRows
    case 'attention':
      return shape.rows.every((r) => r.query <= fewRows)
    case 'convolution':
      return shape.groups === undefined || shape.groups > 1
    default:
      return true
  }
}

function decodeSeconds(streams: readonly Stream[], c: Ceilings): number {
  let seconds = 0
  for (const { codec, codes = 0, bytes, metadata } of streams) {
    if (codec === 'table') seconds += codes / c.tables
    // Eight bits and more are converted by the instructions that read them.
    else if (codes > 0 && (8 * (bytes - metadata)) / codes < 8) seconds += codes / c.codes
  }
  return seconds
}
