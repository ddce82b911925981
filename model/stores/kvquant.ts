// KVQuant's cache (arXiv 2401.18079): non-uniform codes in few bits, keys scaled per channel before their rotation and
// values per token, the largest of each kept aside exactly, and the first tokens as they are. How rows are kept; the
// quantizer itself, on tensors, is elsewhere.
import type { Store, StoredRow } from '../cache.ts'
import type { Format } from '../format.ts'
import { format } from '../format.ts'

export const kvquantBits = [2, 3, 4] as const

/** `paper`: 16-bit values and indices. `released`: the code's 32-bit ones, and where each thread starts. */
export const kvquantStorages = ['paper', 'released'] as const
export type KvquantStorage = (typeof kvquantStorages)[number]

export interface Kvquant {
  readonly bits: (typeof kvquantBits)[number]
  /** Share of the elements kept aside. */
  readonly outliers: number
  /** First tokens of a sequence that stay in 16 bits. */
  readonly sink: number
  readonly storage: KvquantStorage
}

/** Bits of one outlier's value and index, of a token's pointers, of a scale or zero point, of a table's entry. */
const widths = {
  // Appendix M counts a 32-bit pointer for keys and for values; only one of the two gives the published 4.32 to 4.35. A
  // value's outliers are as many for every token and need none.
  paper: { value: 16, index: 16, pointer: { key: 32, value: 0 }, scale: 16, entry: 16, start: 0 },
  // One start row for every ten outliers.
  released: { value: 32, index: 32, pointer: { key: 32, value: 32 }, scale: 32, entry: 32, start: 32 / 10 },
} as const

/** The store. Rows are of one rank: a token's scales and pointers are kept by every rank. */
export function kvquantStore({ bits, outliers, sink, storage }: Kvquant): Store {
  const w = widths[storage]
  const nuq: Format = { ...format(`nuq${bits}`), groupBits: 0, ...(outliers > 0 && { outliers }) }
  return {
    name: `kvquant ${bits}-bit`,
    accepts: ['heads'],
    format: nuq,
    granule: 1,
    // A token's outliers end the arrays, so a token is dropped with them.
    rollback: 'pointer',
    unrotated: true,
    // Codes, then outliers.
    kernels: outliers > 0 ? 2 : 1,
    ...(sink > 0 && { wide: { first: sink, last: 0 } }),
    row: (row) => sum(row.vectors.map((v) => stored(v.of, v.count * v.length))),
    tables: (row) => {
      const entries = 2 ** bits * w.entry
      return row.vectors.reduce((n, v) => n + entries + (v.of === 'key' ? 2 * w.scale * v.count * v.length : 0), 0) / 8
    },
    // Each code is the nearest of the table's entries; both thresholds are compared; keys and values are packed apart.
    encoding: {
      launches: 2,
      flops: (row) => row.vectors.reduce((n, v) => n + v.count * v.length * (3 * 2 ** bits + 4), 0),
    },
  }

  function stored(of: 'key' | 'value' | 'both', elements: number): StoredRow {
    const aside = elements * outliers
    const scales = of === 'key' ? 0 : 2 * w.scale
    const places = aside === 0 ? 0 : aside * (w.index + w.start) + w.pointer[of === 'key' ? 'key' : 'value']
    const metadata = (scales + places) / 8
    return {
      bytes: (elements * bits + aside * w.value) / 8 + metadata,
      metadata,
      codes: elements,
      scattered: aside,
    }
  }
}

function sum(rows: readonly StoredRow[]): StoredRow {
  const total = { bytes: 0, metadata: 0, codes: 0, scattered: 0 }
  for (const r of rows) {
    total.bytes += r.bytes
    total.metadata += r.metadata
    total.codes += r.codes
    total.scattered += r.scattered
  }
  return total
}
