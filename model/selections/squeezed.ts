// Squeezed Attention (arXiv 2411.09688): the keys of a document known beforehand are clustered offline; a pass compares
// its queries with the centroids, keeps the keys of the clusters that matter, and attends those exactly. Which rows are
// read, not how they are kept. Kernels and their traffic follow the released ones.
import type { Choice, ChoiceKernel, Region, Selection } from '../cache.ts'
import type { Operator, Stream } from '../operator.ts'

export interface Squeezed {
  /** Share of the clustered keys that are not read. */
  readonly sparsity: number
  /** Centroids per clustered key; 0 with sparsity 0 is no method at all. */
  readonly clusters: number
  /** Centroids of the first level of a hierarchy per clustered key; 0 without one. */
  readonly coarse: number
  /** Share of the centroids that the first level leaves. */
  readonly survive: number
  /** Last tokens of the document that are always read. */
  readonly window: number
  /** Bits of a label and of the index of a kept key: 64 as released, 32 suffice. */
  readonly index: 16 | 32 | 64
  /** Times that a lookup reads its centroids: twice as released, for the denominator and for the shares. */
  readonly passes: 1 | 2
  /** Clusters are marked before the keys are gone through: no score or mask of a key passes through memory. */
  readonly marked?: true
}

/** Kept keys that one block of the sparse kernel attends. */
const blockKeys = 2048
/** Queries whose shares the lookup adds up before it writes them. */
const blockQueries = 128

export function squeezedSelection(s: Squeezed): Selection {
  const on = s.clusters > 0
  return {
    name: `squeezed ${s.sparsity}`,
    accepts: ['heads'],
    holds: (tokens) => tokens,
    thin: (regions, _, mask) => (on && full(mask) ? regions.flatMap((r) => thinned(r, s)) : [...regions]),
    choose: (choice) => (on && full(choice.mask) ? kernels(choice, s) : []),
    keeps: (choice) => (on && full(choice.mask) ? keptBytes(choice, s) : 0),
  }
}

/** Layers that forget are left alone: their past is short already. */
function full({ window, chunk }: Choice['mask']): boolean {
  return !Number.isFinite(window) && !Number.isFinite(chunk)
}

function clusters(r: Region): boolean {
  return r.fixed && !r.exempt && !r.fresh
}

/** A document's clustered part, of which each sequence picks its own rows, and its window, read as before. */
function thinned(r: Region, s: Squeezed): Region[] {
  if (!clusters(r)) return [r]
  const rows = r.end - r.begin
  const clustered = Math.max(0, rows - s.window)
  const part = (begin: number, end: number) => ({ ...r, begin, end, ...scaled(r, (end - begin) / rows) })
  const picked = part(r.begin, r.begin + clustered)
  const keep = 1 - s.sparsity
  return [
    {
      ...picked,
      copies: r.copies * r.sharers,
      sharers: 1,
      gathered: true,
      read: picked.read * keep,
      attended: picked.attended * keep,
    },
    part(r.begin + clustered, r.end),
  ].filter((p) => p.begin < p.end)
}

function scaled(r: Region, share: number) {
  return { read: r.read * share, attended: r.attended * share }
}

/** What is clustered of a region: keys, and the centroids that stand for them. */
interface Clustered {
  readonly keys: number
  readonly fine: number
  readonly coarse: number
  readonly copies: number
  readonly sharers: number
}

function clusteredOf({ begin, end, copies, sharers }: Region, s: Squeezed): Clustered {
  const keys = Math.max(0, end - begin - s.window)
  return { keys, fine: Math.floor(s.clusters * keys), coarse: Math.floor(s.coarse * keys), copies, sharers }
}

const centroidBytes = 2
const countBytes = 4

/** Centroids with the sizes of their clusters, and every key's label (and every centroid's, in a hierarchy). */
function keptBytes({ regions, kvHeads, headDim }: Choice, s: Squeezed): number {
  let bytes = 0
  for (const r of regions) {
    if (!clusters(r)) continue
    const c = clusteredOf(r, s)
    const centroids = (c.fine + c.coarse) * (headDim * centroidBytes + countBytes)
    const labels = ((c.keys + (c.coarse > 0 ? c.fine : 0)) * s.index) / 8
    bytes += c.copies * kvHeads * (centroids + labels)
  }
  return bytes
}

function kernels(choice: Choice, s: Squeezed): ChoiceKernel[] {
  const out: ChoiceKernel[] = []
  for (const r of choice.regions) {
    if (!clusters(r)) continue
    const c = clusteredOf(r, s)
    if (c.fine === 0) continue
    if (c.coarse > 0) out.push(lookup('coarse-lookup', choice, c, c.coarse, s.passes))
    const looked = c.coarse > 0 ? c.fine * s.survive : c.fine
    const run = c.coarse > 0 ? { run: choice.headDim * centroidBytes } : {}
    out.push(lookup('lookup', choice, c, looked, s.passes, run), selectKeys(choice, c, s), indices(choice, c, s))
    out.push(merge(choice, c, s))
  }
  return out
}

function sequencesOf(c: Clustered): number {
  return c.copies * c.sharers
}

/** Queries against centroids: scores, their denominator over the clusters' sizes, and the shares added up. */
function lookup(
  name: string,
  { group, heads, kvHeads, headDim, width }: Choice,
  c: Clustered,
  centroids: number,
  passes: number,
  run: Partial<Stream> = {},
): ChoiceKernel {
  const sequences = sequencesOf(c)
  const queries = sequences * group.query
  const pairs = queries * heads * centroids
  const read = passes * c.copies * kvHeads * centroids
  const blocks = Math.ceil(group.query / blockQueries)
  return {
    name,
    when: 'before',
    launches: 1,
    shape: {
      kind: 'gemm',
      m: (queries * heads) / (c.copies * kvHeads),
      n: centroids,
      k: headDim,
      // A second pass multiplies again.
      matrices: passes * c.copies * kvHeads,
    },
    matrix: passes * 2 * pairs * headDim,
    vector: passes * 3 * pairs,
    streams: [
      { owner: 'activations', way: 'read', bytes: queries * heads * headDim * width, metadata: 0 },
      { owner: 'kv', way: 'read', bytes: read * headDim * centroidBytes, metadata: 0, ...run },
      { owner: 'kv', way: 'read', bytes: read * countBytes, metadata: read * countBytes },
      { owner: 'activations', way: 'write', bytes: sequences * blocks * kvHeads * centroids * 4, metadata: 0 },
    ],
  }
}

/** Each key takes its cluster's share, is compared with the threshold, and the kept ones' indices are written in a row. */
function selectKeys({ kvHeads }: Choice, c: Clustered, s: Squeezed): ChoiceKernel {
  const labels = (c.copies * kvHeads * c.keys * s.index) / 8
  const scored = sequencesOf(c) * kvHeads * c.keys
  const kept = scored * (1 - s.sparsity)
  // A score of 4 bytes written and read, and one byte of mask.
  const passed = s.marked ? { launches: 2, read: 0, written: 0 } : { launches: 3, read: 4, written: 5 }
  return {
    name: 'select',
    when: 'before',
    launches: passed.launches,
    shape: { kind: 'stream', elements: scored },
    matrix: 0,
    vector: 2 * scored,
    streams: [
      { owner: 'kv', way: 'read', bytes: labels, metadata: labels },
      { owner: 'activations', way: 'read', bytes: passed.read * scored, metadata: 0 },
      { owner: 'activations', way: 'write', bytes: passed.written * scored + (kept * s.index) / 8, metadata: 0 },
    ],
  }
}

const nothing: Operator['shape'] = { kind: 'stream', elements: 0 }

/** The indices that the sparse kernel reads. */
function indices({ kvHeads }: Choice, c: Clustered, s: Squeezed): ChoiceKernel {
  const bytes = (sequencesOf(c) * kvHeads * c.keys * (1 - s.sparsity) * s.index) / 8
  const streams: Stream[] = [{ owner: 'activations', way: 'read', bytes, metadata: bytes }]
  return { name: 'indices', when: 'within', launches: 0, shape: nothing, matrix: 0, vector: 0, streams }
}

/** Partial outputs of the blocks of kept keys and of the user's own tokens, joined by their log-sum-exp. */
function merge({ group, heads, valueDim, width }: Choice, c: Clustered, s: Squeezed): ChoiceKernel {
  const parts = 1 + Math.ceil((c.keys * (1 - s.sparsity)) / blockKeys)
  const rows = sequencesOf(c) * group.query * heads
  const elements = rows * valueDim
  const partials = parts * (elements * width + 8 * rows)
  return {
    name: 'merge',
    when: 'after',
    launches: 1,
    shape: { kind: 'stream', elements: parts * elements },
    matrix: 0,
    vector: 2 * parts * elements,
    streams: [
      // Written by the sparse kernel, read here.
      { owner: 'activations', way: 'write', bytes: partials + elements * width, metadata: 0 },
      { owner: 'activations', way: 'read', bytes: partials, metadata: 0 },
    ],
  }
}

/** One iteration of k-means over one group's documents in every layer of so many: keys against centroids, per head. */
export function clusteringWork(
  keys: number,
  { clusters: share, coarse }: Squeezed,
  heads: number,
  headDim: number,
): { readonly flops: number; readonly bytes: number } {
  const fine = Math.floor(share * keys)
  const products = keys * fine + fine * Math.floor(coarse * keys)
  return { flops: 2 * products * headDim * heads, bytes: heads * headDim * (keys + fine) * 4 }
}
