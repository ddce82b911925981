// What reading compressed rows costs beyond their bytes: codes are unpacked at a rate per unit and clock, outliers are
// scattered one by one, gathered rows move more than themselves. Rates are those of published kernels, so a faster memory
// does not make them faster. Not here: the attention arithmetic and the bytes, which other models have.
import type { Codec } from '../model/format.ts'
import type { Stream } from '../model/operator.ts'

export interface CodecConstants {
  /** Clocks of one kernel of a chain that is launched kernel by kernel. */
  readonly launch: number
  /** Share of the datasheet bandwidth. */
  readonly memory: number
  /** Codes that a unit looks up per clock. */
  readonly table: number
  /** Codes of fewer than 8 bits that a unit scales per clock. */
  readonly affine: number
  /** Outliers that a unit adds to their places per clock. */
  readonly scatter: number
  /** Bytes that each gathered piece moves beside its sectors. */
  readonly gather: number
}

/** Where a constant is physical. */
export const codecBounds = {
  launch: [500, 20e3],
  memory: [0.2, 1],
  table: [0.5, 64],
  affine: [0.5, 256],
  scatter: [0.001, 8],
  gather: [0, 256],
} as const satisfies { readonly [K in keyof CodecConstants]: readonly [low: number, high: number] }

/** Lanes of a unit's shared memory, and what KVQuant's kernel loads from it per code (table, scale, zero, angle, query, its pair). */
const sharedLanes = 32
const loadsPerCode = 6

/**
 * Of kernels in print. launch, memory and scatter: KVQuant's table 6 (RTX A6000, eight times). table: not fitted, the
 * shared-memory loads of its kernel. affine: QuantSpec's kernels on the same machine (a 4-bit trace, and both
 * ratios to 16 bits), counting two codes where both planes are read.
 * gather: rows of 32 to 4096 bytes, one in ten, read by a copy kernel on an H200.
 */
export const publishedKernels: CodecConstants = {
  launch: 6726,
  memory: 0.847,
  table: sharedLanes / loadsPerCode,
  affine: 6.2,
  scatter: 0.135,
  gather: 20,
}

/** Bytes of a memory access. */
const sector = 64

/** Share of the bandwidth that pieces of `run` bytes use, scattered over the memory. */
export function gatherEfficiency(run: number, k: CodecConstants): number {
  return run / (sector * Math.ceil(run / sector) + k.gather)
}

/** Seconds beyond those of the same bytes in 16 bits and in order. */
export interface CodecTime {
  /** To unpack all codes, were nothing else to do. */
  decode: number
  scatter: number
  gather: number
}

interface Rates {
  readonly units: number
  readonly clock: number
  readonly bandwidth: number
}

/** What the cache's streams cost beyond their bytes; the weights' outliers are scattered, their codes others unpack. */
export function codecTime(
  streams: readonly Stream[],
  { units, clock, bandwidth }: Rates,
  k: CodecConstants,
): CodecTime {
  const time = { decode: 0, scatter: 0, gather: 0 }
  const rate = units * clock
  for (const s of streams) {
    if (s.codes !== undefined && s.owner === 'kv') time.decode += s.codes / (rate * codesPerClock(s.codec, s, k))
    if (s.scattered !== undefined) time.scatter += s.scattered / (rate * k.scatter)
    if (s.run !== undefined) time.gather += (s.bytes / bandwidth) * (1 / gatherEfficiency(s.run, k) - 1)
  }
  return time
}

/** Eight bits and more are converted by the instructions that read them: attention's own model has their rate. */
function codesPerClock(codec: Codec | undefined, s: Stream, k: CodecConstants): number {
  if (codec === 'table') return k.table
  const bits = (8 * (s.bytes - s.metadata)) / (s.codes ?? 1)
  return bits < 8 ? k.affine : Number.POSITIVE_INFINITY
}
