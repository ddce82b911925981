// What is kept of the past. A store says how rows are kept; selections say which rows a pass reads, as rewrites of
// token regions. What a row *is* (heads, a latent, an index key) belongs to the layer, not to the cache.
import { codeBytes, type Format, scaleBytes } from './format.ts'
import type { Operator } from './operator.ts'
import type { Segment, Sequences } from './workload.ts'
import { pastTokens } from './workload.ts'

export const rowKinds = ['heads', 'latent', 'index'] as const

/** One token's row in one layer of one rank: vectors of a length each, kept separately (keys, values). */
export interface Row {
  readonly kind: (typeof rowKinds)[number]
  readonly vectors: readonly Vectors[]
}

export interface Vectors {
  readonly of: 'key' | 'value' | 'both'
  readonly count: number
  readonly length: number
}

/** A row as a store keeps it, and what reading it back takes. */
export interface StoredRow {
  /** All bytes of the row. */
  readonly bytes: number
  /** Of which scales, indices, pointers. */
  readonly metadata: number
  /** Codes to unpack. */
  readonly codes: number
  /** Elements added one by one at places of their own. */
  readonly scattered: number
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
  /** Kept by the store as wide as activations travel. */
  readonly wide: boolean
  /** Its rows are picked one by one. */
  readonly gathered: boolean
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
  /** One token's row. */
  row(row: Row): StoredRow
  /** Bytes of one layer's look-up tables and scales of channels: all metadata, kept once and read in every pass. */
  tables?(row: Row): number
  /** Tokens of a sequence that stay as wide as activations travel: the first (sinks) and the last (a residual). */
  readonly wide?: Wide
  /** Room for so many wide tokens that every sequence has, however many are in it. */
  readonly buffer?: number
  /** Share of the tokens appended to a residual that stay, so that as many leave it and are encoded. Default 1. */
  readonly encoded?: number
  /** Keys are kept before their rotation: readers turn every key that they read. */
  readonly unrotated?: true
  /** Kernels that read keys, and that read values, where no fused kernel reads both; and one between them. */
  readonly kernels?: number
  /** What encoding a new row takes, beyond reading and writing it. */
  readonly encoding?: { readonly launches: number; flops(row: Row): number }
}

export interface Wide {
  readonly first: number
  readonly last: number
}

/** What a query may see: the last `window` tokens (itself included), and only its own chunk. Masks intersect exactly. */
export interface Mask {
  readonly window: number
  readonly chunk: number
}

export interface Selection {
  readonly name: string
  /** Kinds of rows that it can choose among. */
  readonly accepts: readonly Row['kind'][]
  /** A mask by position, or … */
  readonly mask?: Mask
  /** … a choice among the rows that the masks leave: rewrites the regions that a group's queries see. */
  thin?(regions: readonly Region[], group: Sequences, mask: Mask): Region[]
  /** The kernels of that choice. */
  choose?(choice: Choice): readonly ChoiceKernel[]
  /** Bytes that choosing keeps beside the rows, of one layer and group. */
  keeps?(choice: Choice): number
  /** Rows that must be held for a sequence of `tokens`, at most. */
  holds(tokens: number): number
  /** They are copies, kept apart from all others: each sequence has its own, in pages of their own. */
  readonly apart?: true
}

/** What a choice among rows is made from: one layer's heads on one rank, and the regions before it. */
export interface Choice {
  readonly group: Sequences
  readonly regions: readonly Region[]
  readonly mask: Mask
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly valueDim: number
  /** Bytes of one element as activations travel. */
  readonly width: number
}

/** A kernel beside attention: `before` it, `after` it, or a stream more that attention itself reads (`within`). */
export interface ChoiceKernel extends Pick<Operator, 'name' | 'launches' | 'shape' | 'matrix' | 'vector' | 'streams'> {
  readonly when: 'before' | 'within' | 'after'
}

/** Rows stored one after the other in one format. */
export function denseStore(format: Format): Store {
  return {
    name: 'dense',
    accepts: rowKinds,
    format,
    granule: 1,
    rollback: 'pointer',
    row: (row) => {
      let elements = 0
      let metadata = 0
      for (const { count, length } of row.vectors) {
        elements += count * length
        metadata += scaleBytes(format, count, length)
      }
      const bytes = codeBytes(format, elements) + metadata
      return { bytes, metadata, codes: format.codec === 'none' ? 0 : elements, scattered: 0 }
    },
  }
}

/** Mean bits of an element of this row in a sequence of so many tokens, with everything that is kept for it. */
export function storedBits(store: Store, row: Row, tokens: number): number {
  const elements = row.vectors.reduce((n, v) => n + v.count * v.length, 0)
  const wide = pieces(0, tokens, tokens, store.wide).reduce((n, p) => n + (p.wide ? p.end - p.begin : 0), 0)
  const coded = 8 * ((tokens - wide) * store.row(row).bytes + (store.tables?.(row) ?? 0))
  return (coded + wide * elements * 16) / (tokens * elements)
}

/** Sees everything up to itself. */
export const unmasked: Mask = { window: Number.POSITIVE_INFINITY, chunk: Number.POSITIVE_INFINITY }

/** Sliding window: a query sees itself and the `size - 1` tokens before it (Longformer, arXiv 2004.05150; Mistral). */
export function windowSelection(size: number): Selection {
  return {
    name: `window ${size}`,
    accepts: rowKinds,
    mask: { ...unmasked, window: size },
    holds: (tokens) => Math.min(tokens, size),
  }
}

/** Chunked attention (Llama 4): a query sees the tokens of its own chunk up to itself. */
export function chunkSelection(size: number): Selection {
  return {
    name: `chunk ${size}`,
    accepts: rowKinds,
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
export function regionsOf(
  group: Sequences,
  causal: boolean,
  selections: readonly Selection[] = [],
  wide?: Wide,
): Region[] {
  const mask = selections.length === 0 ? unmasked : mergeMasks(selections)
  let regions = maskedRegions(group, causal, mask, wide)
  for (const s of selections) if (s.thin) regions = s.thin(regions, group, mask)
  return regions
}

/** The kernels of a group's choices, each made among what the one before left. */
export function choices(
  ask: Omit<Choice, 'regions' | 'mask'>,
  selections: readonly Selection[],
  wide?: Wide,
): ChoiceKernel[] {
  if (!selections.some((s) => s.choose)) return []
  const kernels: ChoiceKernel[] = []
  for (const [s, choice] of inTurn(ask, selections, wide)) if (s.choose) kernels.push(...s.choose(choice))
  return kernels
}

/** The bytes that a group's choices keep beside its rows. */
export function choiceBytes(
  ask: Omit<Choice, 'regions' | 'mask'>,
  selections: readonly Selection[],
  wide?: Wide,
): number {
  let bytes = 0
  for (const [s, choice] of inTurn(ask, selections, wide)) bytes += s.keeps?.(choice) ?? 0
  return bytes
}

function* inTurn(
  ask: Omit<Choice, 'regions' | 'mask'>,
  selections: readonly Selection[],
  wide?: Wide,
): Generator<readonly [Selection, Choice]> {
  const mask = mergeMasks(selections)
  let regions = maskedRegions(ask.group, true, mask, wide)
  for (const s of selections) {
    yield [s, { ...ask, regions, mask }]
    if (s.thin) regions = s.thin(regions, ask.group, mask)
  }
}

function maskedRegions(group: Sequences, causal: boolean, mask: Mask, wide?: Wide): Region[] {
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
    if (wide) {
      for (const p of pieces(begin, end, past, wide))
        regions.push(pastRegion(p.begin, p.end, s, past, query, mask, p.wide))
    } else regions.push(pastRegion(begin, end, s, past, query, mask, false))
  }
  regions.push({
    begin: past,
    end: past + query,
    copies: sequences,
    sharers: 1,
    fixed: false,
    exempt: false,
    fresh: true,
    wide: false,
    gathered: false,
    read: query,
    attended: (causal ? seen(past, past + query, past, query, mask) : seenBothWays(query, mask)) / query,
  })
  return regions
}

function pastRegion(
  begin: number,
  end: number,
  s: Segment,
  past: number,
  query: number,
  mask: Mask,
  wide: boolean,
): Region {
  return {
    begin,
    end,
    copies: s.copies,
    sharers: s.sharers,
    fixed: s.fixed === true,
    exempt: wide,
    fresh: false,
    wide,
    gathered: false,
    read: end - begin,
    attended: seen(begin, end, past, query, mask) / query,
  }
}

interface Piece {
  readonly begin: number
  readonly end: number
  readonly wide: boolean
}

/** Positions [begin, end) of `tokens`, cut where the store begins or ends to keep them wide. */
export function pieces(begin: number, end: number, tokens: number, wide?: Wide): readonly Piece[] {
  if (begin >= end) return []
  if (!wide) return [{ begin, end, wide: false }]
  const first = Math.min(tokens, wide.first)
  const last = Math.max(first, tokens - wide.last)
  const cuts: Piece[] = [
    { begin, end: Math.min(end, first), wide: true },
    { begin: Math.max(begin, first), end: Math.min(end, last), wide: false },
    { begin: Math.max(begin, last), end, wide: true },
  ]
  return cuts.filter((c) => c.begin < c.end)
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
