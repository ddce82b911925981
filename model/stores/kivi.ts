// KIVI's cache (arXiv 2402.02750): integer codes with a scale and a zero point per group, keys grouped along the tokens of
// each channel and values along the channels of each token; the newest tokens wait in a residual of 16 bits.
import type { Store } from '../cache.ts'
import { format } from '../format.ts'

export interface Kivi {
  readonly bits: 2 | 3 | 4 | 8
  /** Elements that share a scale and a zero point, of 16 bits each. */
  readonly group: number
  /** Newest tokens kept in 16 bits. */
  readonly residual: number
}

const scaleBits = 32

export function kiviStore({ bits, group, residual }: Kivi): Store {
  return {
    name: `kivi ${bits}-bit`,
    accepts: ['heads'],
    format: { ...format(`int${bits}`), group, groupBits: scaleBits },
    granule: group,
    // Whole groups of keys are encoded together, so tokens that were encoded cannot be dropped one by one.
    rollback: 'snapshot',
    ...(residual > 0 && { wide: { first: 0, last: residual } }),
    row: (row) => {
      const elements = row.vectors.reduce((n, v) => n + v.count * v.length, 0)
      // A group of keys spans `group` tokens: per token its share. A group of values may not span two heads.
      const groups = row.vectors.reduce(
        (n, v) => n + v.count * (v.of === 'key' ? v.length / group : Math.ceil(v.length / group)),
        0,
      )
      const metadata = (groups * scaleBits) / 8
      return { bytes: (elements * bits) / 8 + metadata, metadata, codes: elements, scattered: 0 }
    },
  }
}
