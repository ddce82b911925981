// Multi-head latent attention: expanded to ordinary heads where a prompt is read, absorbed into the latent where tokens
// are decoded (DeepSeek-V2, arXiv 2405.04434, section 2.1), with V3.2's sparse indexer where there is one.
import type { LatentAttention } from '../architecture.ts'
import { type Row, regionsOf, type Selection, seenAtMost } from '../cache.ts'
import type { Operator, Stream } from '../operator.ts'
import { appendRows, attend } from './attention.ts'
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

/** One token's row: the latent and the rotated key, once for all heads, on every rank. */
export function latentRow(a: LatentAttention): Row {
  return { kind: 'latent', vectors: [{ of: 'both', count: 1, length: a.kvRank + a.ropeDim }] }
}

/** One token's row of the indexer. */
export function indexRow(a: LatentAttention): Row | undefined {
  return a.indexer && { kind: 'index', vectors: [{ of: 'key', count: 1, length: a.indexer.headDim }] }
}

/**
 * The `size` highest-scored tokens. Each query gathers its own rows: nothing is shared across the sharers of a region,
 * and several queries together read at most the whole region.
 */
export function topkSelection(size: number): Selection {
  return {
    name: `top-${size}`,
    accepts: ['latent'],
    holds: (tokens) => tokens,
    thin: (regions, group, mask) => {
      const attended = regions.reduce((sum, r) => sum + r.attended, 0)
      const keep = seenAtMost(group, mask, size) / group.query / attended
      if (keep >= 1) return [...regions]
      return regions.map((r) => ({
        ...r,
        copies: r.copies * r.sharers,
        sharers: 1,
        gathered: !r.fresh,
        attended: r.attended * keep,
        read: Math.min(r.read, r.attended * keep * group.query),
      }))
    },
  }
}

export function latentAttention(a: LatentAttention, c: Context): void {
  const { deployment, tokens } = c
  const heads = a.heads / deployment.parallel.tensor
  down(a, c)
  const queryDim = a.nopeDim + a.ropeDim
  const n = heads * queryDim
  if (a.queryRank !== undefined) product(c, `${a.name}-query-up`, { role: 'attention', m: tokens, n, k: a.queryRank })
  const rotated = tokens * (heads + 1) * a.ropeDim
  elementwise(c, `${a.name}-rotary`, rotated, rotated, vectorWork.rotary * rotated)
  appendRows(c, `${a.name}-kv-write`, latentRow(a))
  if (a.indexer) index(a, a.indexer, c)
  const prompts = { ...c, ...counts(c, true) }
  const steps = { ...c, ...counts(c, false) }
  if (prompts.tokens > 0) expanded(a, prompts, heads)
  if (steps.tokens > 0) absorbed(a, steps, heads)
  const bias = a.bias ? a.width : 0
  product(c, `${a.name}-out`, { role: 'attention', m: tokens, n: a.width, k: heads * a.valueDim, bias })
  collective(c, `${a.name}-all-reduce`, 'all-reduce', deployment.parallel.tensor, tokens * a.width)
}

/** The part of the pass that brings prompts, or the part that does not. */
function counts(c: Context, prompt: boolean): Pick<Context, 'groups' | 'tokens' | 'sequences'> {
  const groups = c.groups.filter((g) => (g.prompt === true) === prompt)
  return {
    groups,
    tokens: groups.reduce((sum, g) => sum + g.sequences * g.query, 0),
    sequences: groups.reduce((sum, g) => sum + g.sequences, 0),
  }
}

/** Down-projections of query and latent (one product; replicated on every rank), and the norms of both. */
function down(a: LatentAttention, c: Context): void {
  const heads = a.heads / c.deployment.parallel.tensor
  const latent = a.kvRank + a.ropeDim
  const query = a.queryRank ?? heads * (a.nopeDim + a.ropeDim)
  const bias = a.bias ? (a.queryRank ?? 0) + latent : 0
  product(c, `${a.name}-down`, { role: 'attention', m: c.tokens, n: query + latent, k: a.width, bias })
  const normed = c.tokens * (a.kvRank + (a.queryRank ?? 0))
  elementwise(c, `${a.name}-latent-norm`, normed, normed, vectorWork.rms * normed)
}

function seen(a: LatentAttention, c: Context) {
  const selections = [...c.deployment.selections, ...(a.indexer ? [topkSelection(a.indexer.topk)] : [])]
  return c.groups.map((group) => ({ group, regions: regionsOf(group, true, selections) }))
}

/** Prompts: latents (the past's too) are expanded to keys and values per head. */
function expanded(a: LatentAttention, c: Context, heads: number): void {
  const { store } = c.deployment
  const row = store.row(latentRow(a))
  const past = c.groups.reduce((sum, g) => sum + g.past.reduce((rows, s) => rows + s.tokens * s.copies, 0), 0)
  const m = c.tokens + past
  const cached: Stream[] =
    past > 0 ? [{ owner: 'kv', way: 'read', bytes: past * row.bytes, metadata: past * row.metadata }] : []
  product(c, `${a.name}-expand`, {
    role: 'attention',
    m,
    n: heads * (a.nopeDim + a.valueDim),
    k: a.kvRank,
    input: c.tokens * a.kvRank,
    streams: cached,
  })
  const headDim = a.nopeDim + a.ropeDim
  // An expanded row has every head's key and value, and one rotated key that all heads use.
  const elements = { key: heads * a.nopeDim + a.ropeDim, value: heads * a.valueDim, shared: 0 }
  attend(c, a.name, {
    heads,
    kvHeads: heads,
    headDim,
    valueDim: a.valueDim,
    causal: true,
    row: latentRow(a),
    seen: seen(a, c),
    elements,
    expanded: past,
  })
}

/** Decoding: the query is taken into the latent space, and one latent row serves every head as key and as value. */
function absorbed(a: LatentAttention, c: Context, heads: number): void {
  const { tokens } = c
  const absorb = { role: 'attention', m: tokens, matrices: heads, wide: true } as const
  product(c, `${a.name}-absorb-key`, { ...absorb, n: a.kvRank, k: a.nopeDim })
  attend(c, a.name, {
    heads,
    kvHeads: 1,
    headDim: a.kvRank + a.ropeDim,
    valueDim: a.kvRank,
    causal: true,
    row: latentRow(a),
    elements: { key: a.ropeDim, value: 0, shared: a.kvRank },
    seen: seen(a, c),
  })
  product(c, `${a.name}-absorb-value`, { ...absorb, n: a.valueDim, k: a.kvRank })
}

/** The indexer scores every token of the past for every new one and keeps the best. It is replicated on every rank. */
function index(a: LatentAttention, i: NonNullable<LatentAttention['indexer']>, c: Context): void {
  const { tokens, deployment } = c
  const name = `${a.name}-index`
  product(c, `${name}-query`, { role: 'attention', m: tokens, n: i.heads * i.headDim, k: a.queryRank ?? a.width })
  product(c, `${name}-key`, { role: 'attention', m: tokens, n: i.headDim + i.heads, k: a.width })
  const row: Row = { kind: 'index', vectors: [{ of: 'key', count: 1, length: i.headDim }] }
  appendRows(c, `${name}-kv-write`, row)
  const { bytes, metadata } = deployment.store.row(row)
  let pairs = 0
  let cached = 0
  const rows: Extract<Operator['shape'], { kind: 'attention' }>['rows'][number][] = []
  for (const g of c.groups) {
    let kv = 0
    for (const r of regionsOf(g, true, deployment.selections)) {
      kv += r.attended
      if (!r.fresh) cached += r.read * r.copies
    }
    pairs += g.sequences * g.query * kv
    rows.push({ sequences: g.sequences, query: g.query, kv })
  }
  const width = streamBytes(c)
  const shape = {
    kind: 'attention',
    heads: i.heads,
    kvHeads: 1,
    headDim: i.headDim,
    valueDim: 0,
    causal: true,
    rows,
  } as const
  // Per head and pair: ReLU, weight, sum; then one pass over the scores finds the best.
  emit(c, `${name}-scores`, shape, 2 * pairs * i.heads * i.headDim, 3 * pairs * i.heads, [
    activationStream('read', tokens * (i.heads * i.headDim + i.heads + i.headDim) * width),
    { owner: 'kv', way: 'read', bytes: cached * bytes, metadata: cached * metadata },
    activationStream('write', pairs * 4),
  ])
  elementwise(c, `${name}-topk`, (pairs * 4) / width, (tokens * i.topk * 4) / width, pairs)
}
