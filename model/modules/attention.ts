// Self and cross attention with separate key and value heads (MHA, GQA, MQA): projections, rotary, the cache's write,
// and the attention kernel over whatever rows the cache's selections leave.
import type { Attention, Reach } from '../architecture.ts'
import { chunkSelection, type Region, type Row, regionsOf, type Selection, windowSelection } from '../cache.ts'
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
  const keys = { count: kvHeads, length: a.headDim }
  return { kind: 'heads', vectors: [keys, { count: kvHeads, length: valueDim }] }
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
}

/** The pass that first brings a sequence projects its source; later chunks of the prompt read it from the cache. */
function bringsSource(g: Sequences): boolean {
  return g.prompt === true && pastTokens(g) === 0
}

/** Rows of the encoder's output that a group attends: fresh in the pass that projects them. */
function sourceRegions(g: Sequences): Region[] {
  const tokens = g.source ?? 0
  const fresh = bringsSource(g)
  const whole = { begin: 0, end: tokens, read: tokens, attended: tokens }
  return [{ ...whole, copies: g.sequences, sharers: 1, fixed: true, exempt: false, fresh }]
}

export function attention(a: Attention, c: Context): void {
  const { deployment } = c
  const { heads, kvHeads } = rankHeads(a, deployment)
  const valueDim = a.valueDim ?? a.headDim
  project(a, c)
  const row = attentionRow(a, deployment)
  const selections = layerSelections(a.causal, a.reach, deployment)
  const seen = c.groups.map((group) => ({
    group,
    regions: a.source ? sourceRegions(group) : regionsOf(group, a.causal, selections),
  }))
  const elements = { key: kvHeads * a.headDim, value: kvHeads * valueDim, shared: 0 }
  attend(c, a.name, { heads, kvHeads, headDim: a.headDim, valueDim, causal: a.causal, row, elements, seen })
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
    const elements = c.tokens * rotated * a.rotary
    elementwise(c, `${a.name}-rotary`, elements, elements, vectorWork.rotary * elements)
  }
  if (a.causal && !a.source && !a.borrowed) appendRows(c, `${a.name}-kv-write`, attentionRow(a, c.deployment), c.tokens)
}

/** Cross attention's keys and values: projected from the encoder's output once, in the pass that brings the prompt. */
function projectSource(a: Attention, c: Context, key: number, value: number): void {
  let m = 0
  for (const g of c.groups) if (bringsSource(g)) m += g.sequences * (g.source ?? 0)
  if (m === 0) return
  const bias = (a.bias.key ? key : 0) + (a.bias.value ? value : 0)
  product(c, `${a.name}-kv`, { role: 'attention', m, n: key + value, k: a.source?.width ?? a.width, bias })
  appendRows(c, `${a.name}-kv-write`, attentionRow(a, c.deployment), m)
}

/** New rows, read as activations and written as the store keeps them. */
export function appendRows(c: Context, name: string, row: Row, tokens: number): void {
  const { store } = c.deployment
  const elements = row.vectors.reduce((sum, v) => sum + v.count * v.length, 0)
  const { bytes, metadata } = store.row(row)
  const written: Stream = { owner: 'kv', way: 'write', bytes: tokens * bytes, metadata: tokens * metadata }
  const flops = store.format.codec === 'none' ? 0 : 3 * tokens * elements
  emit(c, name, { kind: 'stream', elements: tokens * elements }, 0, flops, [
    activationStream('read', tokens * elements * streamBytes(c)),
    written,
  ])
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
  /** Contiguous bytes of a gathered row. */
  readonly run?: number
}

/** The attention kernel itself, fused or as three kernels that pass scores through memory. */
export function attend(c: Context, name: string, a: Attend): void {
  const { heads, kvHeads, headDim, valueDim, causal, row } = a
  const { store, fusion } = c.deployment
  const rowBytes = store.row(row)
  const { key, value, shared } = a.elements
  const rowElements = key + value + shared
  let pairs = 0
  let rectangle = 0
  let cached = 0
  let fresh = 0
  const rows = []
  for (const { group, regions } of a.seen) {
    const queries = group.sequences * group.query
    let kv = 0
    let read = 0
    for (const r of regions) {
      kv += r.attended
      read += r.read
      if (r.fresh) fresh += r.read * r.copies
      else cached += r.read * r.copies
    }
    pairs += queries * kv
    rectangle += queries * read
    rows.push({ sequences: group.sequences, query: group.query, kv })
  }
  const width = streamBytes(c)
  const queryRead = activationStream('read', (c.tokens * heads * headDim + fresh * rowElements) * width)
  const output = c.tokens * heads * valueDim
  const asActivations = a.expanded !== undefined
  const { codec, bits } = store.format
  const { activations, stream } = c.deployment
  // Scores and values run in 16 bits, unless the rows are stored as narrow as the arithmetic is.
  const narrow = activations.bits < 16 && bits <= activations.bits
  const { unit } = narrow ? activations : stream
  const cacheRead: Stream = asActivations
    ? activationStream('read', a.expanded * rowElements * width)
    : {
        owner: 'kv',
        way: 'read',
        bytes: cached * rowBytes.bytes,
        metadata: cached * rowBytes.metadata,
        ...(a.run !== undefined && { run: a.run }),
        ...(codec !== 'none' && { codec, codes: cached * rowElements }),
      }
  const stored = bits < 16 && !asActivations ? { stored: bits } : {}
  const shape = { kind: 'attention', heads, kvHeads, headDim, valueDim, causal, rows, ...stored } as const
  if (fusion === 'flash') {
    const matrix = 2 * pairs * heads * (headDim + valueDim)
    const vector = vectorWork.softmax * pairs * heads + output
    emit(c, name, shape, matrix, vector, [queryRead, cacheRead, activationStream('write', output * width)], unit)
    return
  }
  const scores = rectangle * heads
  const matrices = heads * c.sequences
  const m = c.tokens / c.sequences
  const n = rectangle / c.tokens
  const keys = key + shared
  const values = value + shared
  emit(
    c,
    `${name}-scores`,
    { kind: 'gemm', m, n, k: headDim, matrices },
    2 * scores * headDim,
    0,
    [
      activationStream('read', (c.tokens * heads * headDim + fresh * keys) * width),
      part(cacheRead, keys / rowElements),
      activationStream('write', scores * width),
    ],
    unit,
  )
  elementwise(c, `${name}-softmax`, scores, scores, vectorWork.softmax * scores)
  emit(
    c,
    `${name}-values`,
    { kind: 'gemm', m, n: valueDim, k: n, matrices },
    2 * scores * valueDim,
    0,
    [
      activationStream('read', (scores + fresh * values) * width),
      part(cacheRead, values / rowElements),
      activationStream('write', output * width),
    ],
    unit,
  )
}

/** A share of a stream. */
function part(s: Stream, share: number): Stream {
  return {
    ...s,
    bytes: s.bytes * share,
    metadata: s.metadata * share,
    ...(s.codes !== undefined && { codes: s.codes * share }),
  }
}
