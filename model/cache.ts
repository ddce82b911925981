// What is kept of the past. A store says how rows are kept; selections say which rows a pass reads, as rewrites of
// token regions. What a row *is* (heads, a latent, an index key) belongs to the layer, not to the cache.
import { codeBytes, type Format, scaleBytes } from './format.ts'
import type { Sequences } from './workload.ts'
import { pastTokens } from './workload.ts'

/** One token's row in one layer of one rank: vectors of a length each, kept separately (keys, values). */
export interface Row {
  readonly kind: 'heads' | 'latent' | 'index'
  readonly vectors: readonly { readonly count: number; readonly length: number }[]
}

export interface RowBytes {
  /** All bytes of the row. */
  readonly bytes: number
  /** Of which scales and the like. */
  readonly metadata: number
}

/** A stretch of token positions that some of a pass's queries attend. */
export interface Region {
  /** Positions in the sequence, from 0. */
  readonly begin: number
  readonly end: number
  readonly copies: number
  readonly sharers: number
  readonly fixed: boolean
  /** Kept as it is: no later selection may thin it out (sinks, residuals). */
  readonly exempt: boolean
  /** New in this pass: read as activations, not from the cache. */
  readonly fresh: boolean
  /** Rows of it that are read, per copy. */
  readonly read: number
  /** Rows of it that one query attends, averaged over the pass's queries. */
  readonly attended: number
}

export interface Store {
  readonly name: string
  readonly accepts: readonly Row['kind'][]
  /** The format of `--kv` that it stands for. */
  readonly format: Format
  /** Tokens that are allocated and shared together. */
  readonly granule: number
  /** How rejected tokens are dropped: by moving a pointer, or by restoring a snapshot. */
  readonly rollback: 'pointer' | 'snapshot'
  /** Bytes of one token's row. */
  row(row: Row): RowBytes
}

export interface Selection {
  readonly name: string
  /** Rewrites the regions that a group's queries see. */
  select(regions: readonly Region[], group: Sequences): Region[]
  /** Rows that must be held for a sequence of `tokens`, at most. */
  holds(tokens: number): number
}

/** Rows stored one after the other in one format. */
export function denseStore(format: Format): Store {
  return {
    name: 'dense',
    accepts: ['heads', 'latent', 'index'],
    format,
    granule: 1,
    rollback: 'pointer',
    row: (row) => {
      let codes = 0
      let metadata = 0
      for (const { count, length } of row.vectors) {
        codes += codeBytes(format, count * length)
        metadata += scaleBytes(format, count, length)
      }
      return { bytes: codes + metadata, metadata }
    },
  }
}

/** Regions of a group before any selection: its past, and its own new tokens. */
export function regionsOf(group: Sequences, causal: boolean): Region[] {
  const regions: Region[] = []
  let begin = 0
  for (const s of group.past) {
    const end = begin + s.tokens
    const { copies, sharers, tokens } = s
    const fixed = s.fixed === true
    regions.push({ begin, end, copies, sharers, fixed, exempt: false, fresh: false, read: tokens, attended: tokens })
    begin = end
  }
  const { query, sequences } = group
  regions.push({
    begin,
    end: begin + query,
    copies: sequences,
    sharers: 1,
    fixed: false,
    exempt: false,
    fresh: true,
    read: query,
    attended: causal ? (query + 1) / 2 : query,
  })
  return regions
}

/** Sum over i in [0, n) of clamp(first + i·step, 0, limit), step 1 or 0, in closed form. */
function clampedRamp(n: number, first: number, limit: number): number {
  const zeros = Math.min(n, Math.max(0, -first))
  const start = first + zeros
  const rising = Math.max(0, Math.min(n - zeros, limit - start))
  const flat = n - zeros - rising
  return rising * start + (rising * (rising - 1)) / 2 + flat * limit
}

/** Sliding window: a query sees itself and the `size - 1` tokens before it (Longformer, arXiv 2004.05150; Mistral). */
export function windowSelection(size: number): Selection {
  return {
    name: `window ${size}`,
    holds: (tokens) => Math.min(tokens, size),
    select: (regions, group) => {
      const past = pastTokens(group)
      const { query } = group
      // The first query stands at position `past` and sees positions from past - size + 1 on.
      const first = past - size + 1
      if (first <= 0 && query <= size - past) return [...regions]
      return regions
        .filter((r) => r.fresh || r.end > first)
        .map((r) => {
          if (r.fresh) return { ...r, attended: clampedRamp(query, 1, size) / query }
          const begin = Math.max(r.begin, first)
          // Query i no longer sees what lies before first + i.
          const seen = clampedRamp(query, r.end - first - query + 1, r.end - begin)
          return { ...r, begin, read: r.end - begin, attended: seen / query }
        })
    },
  }
}

/** Chunked attention (Llama 4): a query sees the tokens of its own chunk up to itself. */
export function chunkSelection(size: number): Selection {
  return {
    name: `chunk ${size}`,
    holds: (tokens) => Math.min(tokens, size),
    select: (regions, group) => {
      const past = pastTokens(group)
      const { query } = group
      const start = Math.floor(past / size) * size
      if (start === 0 && past + query <= size) return [...regions]
      // Queries of the first chunk, which also holds the tail of the past.
      const head = Math.min(query, start + size - past)
      return regions
        .filter((r) => r.fresh || r.end > start)
        .map((r) => {
          if (r.fresh) return { ...r, attended: (triangle(head) + chunks(query - head, size)) / query }
          const begin = Math.max(r.begin, start)
          return { ...r, begin, read: r.end - begin, attended: ((r.end - begin) * head) / query }
        })
    },
  }
}

function triangle(n: number): number {
  return (n * (n + 1)) / 2
}

/** Pairs of n tokens in chunks of `size`, the last one begun. */
function chunks(n: number, size: number): number {
  return Math.floor(n / size) * triangle(size) + triangle(n % size)
}
