// QuantSpec's cache (arXiv 2502.10424): two planes of 4-bit codes, of which the upper alone is a 4-bit cache and both are
// an 8-bit one, keys grouped along tokens per channel and values along channels per token; the newest tokens wait in a
// double buffer of 16 bits. How rows are kept; the quantizer itself, on tensors, is elsewhere.
import type { Store, StoredRow, Vectors } from '../cache.ts'
import { format } from '../format.ts'

/** `both`: 8 bits, as the target reads; `upper`: 4 bits, as the draft does. */
export type Planes = 'both' | 'upper'

export interface Hierarchical {
  /** Elements that share a scale and a least value of 16 bits each; tokens that are encoded together. */
  readonly group: number
  readonly planes: Planes
  /** Share of the appended tokens that stay, and are encoded in time: rejected ones never leave the buffer. */
  readonly kept: number
}

const planeBits = 4
const scaleBits = 32

export function hierarchicalStore({ group, planes, kept }: Hierarchical): Store {
  const count = planes === 'both' ? 2 : 1
  return {
    name: planes === 'both' ? 'quantspec 4+4-bit' : 'quantspec upper 4-bit',
    accepts: ['heads'],
    format: { ...format('int4'), group, groupBits: scaleBits },
    granule: group,
    // Rejected tokens are in the buffer still.
    rollback: 'pointer',
    // One to two groups wait: between them lies what a step finds on average. Two and the newest token have room.
    wide: { first: 0, last: 1.5 * group },
    buffer: 2 * group + 1,
    encoded: kept,
    row: (row) => {
      const sum = { bytes: 0, metadata: 0, codes: 0, scattered: 0 }
      for (const v of row.vectors) add(sum, v, count, group)
      return sum
    },
    // Least and largest, scale, code, remainder and its code; keys and values apart.
    encoding: { launches: 2, flops: (row) => row.vectors.reduce((n, v) => n + 10 * v.count * v.length, 0) },
  }
}

function add(sum: { -readonly [K in keyof StoredRow]: number }, v: Vectors, planes: number, group: number): void {
  const elements = v.count * v.length
  // A group of keys spans `group` tokens of a channel; one of values the channels of one token, within its head.
  const groups = v.of === 'key' ? elements / group : v.count * Math.ceil(v.length / group)
  const metadata = (groups * scaleBits) / 8
  sum.bytes += (elements * planes * planeBits) / 8 + metadata
  sum.metadata += metadata
  sum.codes += planes * elements
}
