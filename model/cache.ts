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

/** What a query may see: the last `window` tokens (itself included), and only its own chunk. Masks intersect exactly. */
export interface Mask {
  readonly window: number
  readonly chunk: number
}

export interface Selection {
  readonly name: string
  /** A mask by position, or … */
  readonly mask?: Mask
  /** … a choice among the rows that the masks leave: rewrites the regions that a group's queries see. */
  thin?(regions: readonly Region[], group: Sequences, mask: Mask): Region[]
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

/** Sees everything up to itself. */
export const unmasked: Mask = { window: Number.POSITIVE_INFINITY, chunk: Number.POSITIVE_INFINITY }

/** Sliding window: a query sees itself and the `size - 1` tokens before it (Longformer, arXiv 2004.05150; Mistral). */
export function windowSelection(size: number): Selection {
  return {
    name: `window ${size}`,
    mask: { ...unmasked, window: size },
    holds: (tokens) => Math.min(tokens, size),
  }
}

/** Chunked attention (Llama 4): a query sees the tokens of its own chunk up to itself. */
export function chunkSelection(size: number): Selection {
  return {
    name: `chunk ${size}`,
    mask: { ...unmasked, chunk: size },
    holds: (tokens) => Math.min(tokens, size),
  }
}

/** The mask that all of these are together. Chunks of two sizes nest or have no closed form: then RangeError. */
export function mergeMasks(selections: readonly Selection[]): Mask {
  let { window, chunk } = unmasked
  for (const { mask } of selections) {
    if (!mask) continue
    window = Math.min(window, mask.window)
    const [less, more] = mask.chunk < chunk ? [mask.chunk, chunk] : [chunk, mask.chunk]
    if (Number.isFinite(more) && more % less !== 0) {
      throw new RangeError(`chunks of ${less} and ${more}: expected one to be a multiple of the other`)
    }
    chunk = less
  }
  return { window, chunk }
}

/** Regions of a group under all the selections of a layer: its past, and its own new tokens. */
export function regionsOf(group: Sequences, causal: boolean, selections: readonly Selection[] = []): Region[] {
  const mask = selections.length === 0 ? unmasked : mergeMasks(selections)
  let regions = maskedRegions(group, causal, mask)
  for (const s of selections) if (s.thin) regions = s.thin(regions, group, mask)
  return regions
}

function maskedRegions(group: Sequences, causal: boolean, mask: Mask): Region[] {
  const { query, sequences } = group
  const past = pastTokens(group)
  const oldest = firstSeen(past, mask)
  const regions: Region[] = []
  let position = 0
  for (const s of group.past) {
    const end = position + s.tokens
    const begin = Math.max(position, oldest)
    position = end
    if (begin >= end) continue
    regions.push({
      begin,
      end,
      copies: s.copies,
      sharers: s.sharers,
      fixed: s.fixed === true,
      exempt: false,
      fresh: false,
      read: end - begin,
      attended: seen(begin, end, past, query, mask) / query,
    })
  }
  regions.push({
    begin: past,
    end: past + query,
    copies: sequences,
    sharers: 1,
    fixed: false,
    exempt: false,
    fresh: true,
    read: query,
    attended: (causal ? seen(past, past + query, past, query, mask) : seenBothWays(query, mask)) / query,
  })
  return regions
}

/** The first position that the query at `position` sees. */
function firstSeen(position: number, { window, chunk }: Mask): number {
  const inWindow = position - window + 1
  return Math.max(0, Number.isFinite(chunk) ? Math.max(inWindow, Math.floor(position / chunk) * chunk) : inWindow)
}

/** Sum over i in [0, n) of clamp(first + i, 0, limit), in closed form. */
export function clampedRamp(n: number, first: number, limit: number): number {
  if (limit <= 0) return 0
  const zeros = Math.min(n, Math.max(0, -first))
  const start = first + zeros
  const rising = Math.max(0, Math.min(n - zeros, limit - start))
  const flat = n - zeros - rising
  return rising * start + (rising * (rising - 1)) / 2 + flat * limit
}

/** Keys in [begin, end) seen by the queries at positions [first, first + n), summed over them, in a window. */
function seenInWindow(begin: number, end: number, first: number, n: number, window: number): number {
  const length = end - begin
  const upTo = clampedRamp(n, first + 1 - begin, length)
  return Number.isFinite(window) ? upTo - clampedRamp(n, first - window + 1 - begin, length) : upTo
}

/** Keys in [begin, end) seen by a causal group's queries, summed over them: the first chunk, whole ones, the last. */
function seen(begin: number, end: number, first: number, query: number, { window, chunk }: Mask): number {
  if (!Number.isFinite(chunk)) return seenInWindow(begin, end, first, query, window)
  const last = first + query
  const firstEnd = Math.min(last, (Math.floor(first / chunk) + 1) * chunk)
  const inFirst = seenInWindow(begin, Math.min(end, firstEnd), first, firstEnd - first, window)
  // Later chunks see fresh keys only.
  if (end <= firstEnd) return inFirst
  const whole = Math.floor((last - firstEnd) / chunk)
  const rest = (last - firstEnd) % chunk
  return inFirst + whole * seenInWindow(0, chunk, 0, chunk, window) + seenInWindow(0, rest, 0, rest, window)
}

/** Pairs of a bidirectional group of `query` tokens: a window reaches both ways, a chunk is a block. */
function seenBothWays(query: number, { window, chunk }: Mask): number {
  const block = (n: number) => (n <= window ? n * n : n + 2 * clampedRamp(n, 0, window - 1))
  if (!Number.isFinite(chunk) || query <= chunk) return block(query)
  return Math.floor(query / chunk) * block(chunk) + block(query % chunk)
}

/** Rows that a group's queries see at most `cap` of, summed over the queries. */
export function seenAtMost(group: Sequences, mask: Mask, cap: number): number {
  const past = pastTokens(group)
  if (Number.isFinite(mask.chunk)) {
    throw new RangeError('a choice of the best rows within chunks: expected a layer without chunked attention')
  }
  return clampedRamp(group.query, past + 1, Math.min(cap, mask.window))
}
