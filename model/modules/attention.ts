// Self and cross attention with separate key and value heads (MHA, GQA, MQA): projections, rotary, the cache's write,
// and the attention kernel over whatever rows the cache's selections leave.
import type { Attention, Reach } from '../architecture.ts'
import {
  type ChoiceKernel,
  choices,
  chunkSelection,
  pieces,
  type Region,
  type Row,
  regionsOf,
  type Selection,
  type StoredRow,
  windowSelection,
} from '../cache.ts'
import type { Deployment } from '../deployment.ts'
import type { Stream } from '../operator.ts'
import { projectionWidths } from '../parameters.ts'
import { pastTokens, type Sequences } from '../workload.ts'
import {
  activationStream,
  type Context,
  collective,
  elementwise,
  emit,
  product,
  streamBytes,
  vectorWork,
} from './emit.ts'

const windows = new Map<string, Selection[]>()

/** The selection that an architecture's own mask is. */
export function reachSelections(reach: Reach): readonly Selection[] {
  if (reach.kind === 'full') return []
  const key = `${reach.kind} ${reach.tokens}`
  let known = windows.get(key)
  if (!known) {
    known = [reach.kind === 'window' ? windowSelection(reach.tokens) : chunkSelection(reach.tokens)]
    windows.set(key, known)
  }
  return known
}

/** Heads of one rank. Key and value heads are copied where there are more ranks than heads. */
export function rankHeads(a: { heads: number; kvHeads: number }, { parallel }: Deployment) {
  return { heads: a.heads / parallel.tensor, kvHeads: Math.max(1, a.kvHeads / parallel.tensor) }
}

/** One token's row in this layer on one rank. */
export function attentionRow(a: Attention, deployment: Deployment): Row {
  const { kvHeads } = rankHeads(a, deployment)
  const valueDim = a.valueDim ?? a.headDim
  const keys = { of: 'key', count: kvHeads, length: a.headDim } as const
  return { kind: 'heads', vectors: [keys, { of: 'value', count: kvHeads, length: valueDim }] }
}

/** The selections of one layer: its own mask, then the cache's, which are for causal layers. */
export function layerSelections(causal: boolean, reach: Reach, deployment: Deployment): readonly Selection[] {
  const own = reachSelections(reach)
  if (!causal || deployment.selections.length === 0) return own
  return own.length === 0 ? deployment.selections : [...own, ...deployment.selections]
}

interface Seen {
  readonly group: Sequences
  readonly regions: readonly Region[]
  /** Kernels that chose these regions, or that join what was attended apart. */
  readonly kernels?: readonly ChoiceKernel[]
}

/** The pass that first brings a sequence projects its source; later chunks of the prompt read it from the cache. */
function bringsSource(g: Sequences): boolean {
  return g.prompt === true && pastTokens(g) === 0
}

/** Rows of the encoder's output that a group attends: fresh in the pass that projects them. */
function sourceRegions(g: Sequences): Region[] {
  const tokens = g.source ?? 0
  const fresh = bringsSource(g)
  const whole = { begin: 0, end: tokens, read: tokens, attended: tokens, wide: false, gathered: false }
  return [{ ...whole, copies: g.sequences, sharers: 1, fixed: true, exempt: false, fresh }]
}

export function attention(a: Attention, c: Context): void {
  const { deployment } = c
  const { heads } = rankHeads(a, deployment)
  const valueDim = a.valueDim ?? a.headDim
  project(a, c)
  attendCache(a, c)
  if (a.gate)
    elementwise(
      c,
      `${a.name}-gate`,
      2 * c.tokens * heads * valueDim,
      c.tokens * heads * valueDim,
      5 * c.tokens * heads * valueDim,
    )
  const bias = a.bias.output ? a.width : 0
  product(c, `${a.name}-out`, { role: 'attention', m: c.tokens, n: a.width, k: heads * valueDim, bias })
  collective(c, `${a.name}-all-reduce`, 'all-reduce', deployment.parallel.tensor, c.tokens * a.width)
}

/** What of the module depends on the past beyond the numbers of tokens: choosing among its rows, and attending them. */
export function attendCache(a: Attention, c: Context): void {
  const { deployment } = c
  const { heads, kvHeads } = rankHeads(a, deployment)
  const valueDim = a.valueDim ?? a.headDim
  const row = attentionRow(a, deployment)
  const selections = layerSelections(a.causal, a.reach, deployment)
  const { wide } = deployment.store
  const { headDim } = a
  const chooses = a.causal && selections.some((s) => s.choose)
  const seen = c.groups.map((group): Seen => {
    if (a.source) return { group, regions: sourceRegions(group) }
    const regions = regionsOf(group, a.causal, selections, a.causal ? wide : undefined)
    if (!chooses) return { group, regions }
    const ask = { heads, kvHeads, headDim, valueDim, width: streamBytes(c), group }
    return { group, regions, kernels: choices(ask, selections, wide) }
  })
  const elements = { key: kvHeads * headDim, value: kvHeads * valueDim, shared: 0 }
  const turned = a.source || !deployment.store.unrotated ? 0 : kvHeads * a.rotary
  attend(c, a.name, { heads, kvHeads, headDim, valueDim, causal: a.causal, row, elements, seen, turned })
}

/** Queries, keys and values of the new tokens, normed and rotated, and their rows written to the cache. */
function project(a: Attention, c: Context): void {
  const { parallel } = c.deployment
  const { heads, kvHeads } = rankHeads(a, c.deployment)
  const widths = projectionWidths(a)
  const query = widths.query / parallel.tensor
  const key = (widths.key / a.kvHeads) * kvHeads
  const value = (widths.value / a.kvHeads) * kvHeads
  const biases = (a.bias.query ? query : 0) + (a.source ? 0 : (a.bias.key ? key : 0) + (a.bias.value ? value : 0))
  const each = { role: 'attention', m: c.tokens, k: a.width } as const
  if (a.source) {
    product(c, `${a.name}-query`, { ...each, n: query, bias: biases })
    projectSource(a, c, key, value)
  } else if (a.fused) {
    product(c, `${a.name}-qkv`, { ...each, n: query + key + value, bias: biases })
  } else {
    product(c, `${a.name}-query`, { ...each, n: query, bias: a.bias.query ? query : 0 })
    product(c, `${a.name}-key`, { ...each, n: key, bias: a.bias.key ? key : 0 })
    product(c, `${a.name}-value`, { ...each, n: value, bias: a.bias.value ? value : 0 })
  }
  const rotated = heads + (a.borrowed ? 0 : kvHeads)
  const normed = a.queryKeyNorm ? c.tokens * rotated * a.headDim : 0
  const valueNormed = a.valueNorm && !a.borrowed ? c.tokens * kvHeads * (a.valueDim ?? a.headDim) : 0
  if (normed + valueNormed > 0) {
    const work = vectorWork[a.queryKeyNorm?.type ?? 'rms']
    elementwise(c, `${a.name}-qk-norm`, normed + valueNormed, normed + valueNormed, work * (normed + valueNormed))
  }
  if (a.rotary > 0) {
    const elements = c.tokens * (c.deployment.store.unrotated && !a.source ? heads : rotated) * a.rotary
    elementwise(c, `${a.name}-rotary`, elements, elements, vectorWork.rotary * elements)
  }
  if (a.causal && !a.source && !a.borrowed) appendRows(c, `${a.name}-kv-write`, attentionRow(a, c.deployment))
}

/** Cross attention's keys and values: projected from the encoder's output once, in the pass that brings the prompt. */
function projectSource(a: Attention, c: Context, key: number, value: number): void {
  let m = 0
  for (const g of c.groups) if (bringsSource(g)) m += g.sequences * (g.source ?? 0)
  if (m === 0) return
  const bias = (a.bias.key ? key : 0) + (a.bias.value ? value : 0)
  product(c, `${a.name}-kv`, { role: 'attention', m, n: key + value, k: a.source?.width ?? a.width, bias })
  writeRows(c, `${a.name}-kv-write`, attentionRow(a, c.deployment), { coded: m, wide: 0, aged: 0 })
}

/** Rows written coded, written wide, and coded from what was kept wide until now. */
interface WrittenRows {
  coded: number
  wide: number
  aged: number
}

/** New rows of every sequence, read as activations and written as the store keeps them. */
export function appendRows(c: Context, name: string, row: Row): void {
  const { wide, encoded = 1 } = c.deployment.store
  const written = { coded: c.tokens, wide: 0, aged: 0 }
  if (wide) {
    written.coded = 0
    for (const g of c.groups) {
      const past = pastTokens(g)
      const after = past + g.query
      for (const p of pieces(past, after, after, wide)) {
        written[p.wide ? 'wide' : 'coded'] += g.sequences * (p.end - p.begin)
      }
      // What the residual held and holds no longer is encoded now.
      for (const p of pieces(Math.min(past, wide.first), past, past, wide)) {
        if (p.wide) written.aged += encoded * g.sequences * Math.max(0, Math.min(p.end, after - wide.last) - p.begin)
      }
    }
  }
  writeRows(c, name, row, written)
}

function writeRows(c: Context, name: string, row: Row, { coded, wide, aged }: WrittenRows): void {
  const { store } = c.deployment
  const elements = row.vectors.reduce((sum, v) => sum + v.count * v.length, 0)
  const width = streamBytes(c)
  const { bytes, metadata, codes } = store.row(row)
  const encoded = coded + aged
  const streams: Stream[] = [
    activationStream('read', (coded + wide) * elements * width),
    { owner: 'kv', way: 'write', bytes: encoded * bytes + wide * elements * width, metadata: encoded * metadata },
  ]
  if (aged > 0) streams.push({ owner: 'kv', way: 'read', bytes: aged * elements * width, metadata: 0 })
  // A scale, a subtraction and a rounding per code, unless the store says otherwise.
  const flops = encoded * (store.encoding?.flops(row) ?? 3 * codes)
  const launches = store.encoding && encoded > 0 ? store.encoding.launches : 1
  emit(c, name, { kind: 'stream', elements: (encoded + wide) * elements }, 0, flops, streams, undefined, launches)
}

interface Attend {
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly valueDim: number
  readonly causal: boolean
  readonly row: Row
  readonly seen: readonly Seen[]
  /** Elements of one row that only scores need, only values need, and both do (a latent). */
  readonly elements: { readonly key: number; readonly value: number; readonly shared: number }
  /** Further rows read as activations (a past that was expanded in this pass). */
  readonly expanded?: number
  /** Elements of a cached row that are turned as they are read. */
  readonly turned?: number
}

/** Rows of the past that the pass reads, by how they are kept and found. */
interface CachedRows {
  coded: number
  gathered: number
  wide: number
}

/** Vector operations per code: its scale and its zero point. */
const unpacking = 2
/** Vector operations per element that is turned as it is read: its angle, sine and cosine, two products and two sums. */
const turning = 7

/** What is read of the past: rows in a row, rows picked one by one, and rows that were never encoded. */
function cacheStreams(c: Context, row: Row, stored: StoredRow, elements: number, cached: CachedRows): Stream[] {
  const { store } = c.deployment
  const { codec } = store.format
  const streams: Stream[] = []
  const rows = (n: number, extra: number, run?: number) => {
    const bytes = n * stored.bytes + extra
    const metadata = n * stored.metadata + extra
    const plain: Stream = { owner: 'kv', way: 'read', bytes, metadata }
    if (stored.codes === 0 && run === undefined) {
      streams.push(plain)
      return
    }
    streams.push({
      ...plain,
      ...(run !== undefined && { run }),
      ...(stored.codes > 0 && { codec, codes: n * stored.codes }),
      ...(stored.scattered > 0 && { scattered: n * stored.scattered }),
    })
  }
  const { coded, gathered, wide } = cached
  const tables = coded + gathered > 0 ? (store.tables?.(row) ?? 0) : 0
  if (coded > 0 || gathered + wide === 0) rows(coded, tables)
  if (gathered > 0) {
    const vectors = row.vectors.reduce((sum, v) => sum + v.count, 0)
    rows(gathered, coded > 0 ? 0 : tables, stored.bytes / vectors)
  }
  if (wide > 0) streams.push({ owner: 'kv', way: 'read', bytes: wide * elements * streamBytes(c), metadata: 0 })
  return streams
}

/** The attention kernel itself, fused or as three kernels that pass scores through memory. */
export function attend(c: Context, name: string, a: Attend): void {
  const { heads, kvHeads, headDim, valueDim, causal, row } = a
  const { store, fusion } = c.deployment
  const { key, value, shared } = a.elements
  const rowElements = key + value + shared
  let pairs = 0
  let rectangle = 0
  let fresh = 0
  const cached = { coded: 0, gathered: 0, wide: 0 }
  const rows = []
  const chosen: ChoiceKernel[] = []
  for (const { group, regions, kernels } of a.seen) {
    const queries = group.sequences * group.query
    let kv = 0
    let read = 0
    for (const r of regions) {
      kv += r.attended
      read += r.read
      const n = r.read * r.copies
      if (r.fresh) fresh += n
      else if (r.wide) cached.wide += n
      else if (r.gathered) cached.gathered += n
      else cached.coded += n
    }
    pairs += queries * kv
    rectangle += queries * read
    rows.push({ sequences: group.sequences, query: group.query, kv })
    if (kernels) chosen.push(...kernels)
  }
  for (const k of chosen) if (k.when === 'before') emitChoice(c, name, k)
  const width = streamBytes(c)
  const output = c.tokens * heads * valueDim
  const { codec, bits } = store.format
  const { activations, stream } = c.deployment
  // Scores and values run in 16 bits, unless the rows are stored as narrow as the arithmetic is.
  const narrow = activations.bits < 16 && bits <= activations.bits && codec !== 'table'
  const { unit } = narrow ? activations : stream
  const { expanded } = a
  const encoded = expanded === undefined ? cached.coded + cached.gathered : 0
  const turned = expanded === undefined ? (encoded + cached.wide) * (a.turned ?? 0) * turning : 0
  const each = encoded > 0 ? store.kernels : undefined
  const within = chosen.flatMap((k) => (k.when === 'within' ? k.streams : []))
  if (fusion === 'flash') {
    const stored = store.row(row)
    const past =
      expanded === undefined
        ? cacheStreams(c, row, stored, rowElements, cached)
        : [activationStream('read', expanded * rowElements * width)]
    const streams = [
      activationStream('read', (c.tokens * heads * headDim + fresh * rowElements) * width),
      ...past,
      activationStream('write', output * width),
      ...within,
    ]
    const matrix = 2 * pairs * heads * (headDim + valueDim)
    const vector = vectorWork.softmax * pairs * heads + output + encoded * stored.codes * unpacking + turned
    const packed = bits < 16 && expanded === undefined ? { stored: bits } : {}
    const shape = { kind: 'attention', heads, kvHeads, headDim, valueDim, causal, rows, ...packed } as const
    emit(c, name, shape, matrix, vector, streams, unit, each === undefined ? 1 : 2 * each + 1, pairs * heads)
  } else {
    const scores = rectangle * heads
    const matrices = heads * c.sequences
    const m = c.tokens / c.sequences
    const n = rectangle / c.tokens
    const past = (of: 'key' | 'value', elements: number): Stream[] => {
      if (expanded !== undefined) return [activationStream('read', expanded * elements * width)]
      const part = { ...row, vectors: row.vectors.filter((v) => v.of === of || v.of === 'both') }
      const stored = store.row(part)
      // Values need of a latent only what keys and values share.
      return cacheStreams(c, part, shared > 0 ? shareOf(stored, elements / rowElements) : stored, elements, cached)
    }
    const keyStreams = past('key', key + shared)
    const valueStreams = past('value', value + shared)
    emit(
      c,
      `${name}-scores`,
      { kind: 'gemm', m, n, k: headDim, matrices },
      2 * scores * headDim,
      codesOf(keyStreams) * unpacking + turned,
      [
        activationStream('read', (c.tokens * heads * headDim + fresh * (key + shared)) * width),
        ...keyStreams,
        activationStream('write', scores * width),
        ...within,
      ],
      unit,
      each,
    )
    elementwise(c, `${name}-softmax`, scores, scores, vectorWork.softmax * scores, undefined, scores)
    emit(
      c,
      `${name}-values`,
      { kind: 'gemm', m, n: valueDim, k: n, matrices },
      2 * scores * valueDim,
      codesOf(valueStreams) * unpacking,
      [
        activationStream('read', (scores + fresh * (value + shared)) * width),
        ...valueStreams,
        activationStream('write', output * width),
        ...within,
      ],
      unit,
      each,
    )
  }
  for (const k of chosen) if (k.when === 'after') emitChoice(c, name, k)
}

function emitChoice(c: Context, name: string, k: ChoiceKernel): void {
  emit(c, `${name}-${k.name}`, k.shape, k.matrix, k.vector, [...k.streams], undefined, k.launches)
}

function codesOf(streams: readonly Stream[]): number {
  return streams.reduce((sum, s) => sum + (s.codes ?? 0), 0)
}

/** A share of every stored row. */
function shareOf(row: StoredRow, part: number): StoredRow {
  return {
    bytes: row.bytes * part,
    metadata: row.metadata * part,
    codes: row.codes * part,
    scattered: row.scattered * part,
  }
}
