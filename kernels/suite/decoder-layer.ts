// One whole decoder layer as decoding runs it: norm, projections, rotation, the cache's write, attention, and the gated
// feed-forward block, one kernel after the other, for the pass that the model predicts.
import type { Module } from '../../model/architecture.ts'
import type { Random } from '../../model/random.ts'
import { decode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type Expectation, kernel, type Launch, type Plan, type Tensor } from '../kernel.ts'
import { passOf, plainFormats } from '../ledger.ts'
import { roundings, stored } from '../rounding.ts'
import { bindings, groupIndex, lanesOf, spread } from '../webgpu/wgsl.ts'
import { activationGroups, activationSource } from './activation.ts'
import { attentionDecode, attentionModule, fillK, fillV } from './attention-decode.ts'
import { attentionTolerance, plainRows } from './attention-reference.ts'
import { gemvPlans, someOf } from './gemv.ts'
import { fillScale, normBuffers, normModule, normSource, rowCuts, rowGroups } from './rows.ts'
import { activationStage, attentionStage, half, halvesAt, normStage, type Outputs, productStage } from './stages.ts'

interface Layer extends Record<string, number> {
  batch: number
  width: number
  heads: number
  'kv-heads': number
  'head-dim': number
  hidden: number
  tokens: number
}

const fillX = { kind: 'normal', seed: 121, outliers: 8 } as const satisfies Fill
const fillResidual = { kind: 'normal', seed: 122, scale: 1, outliers: 8 } as const satisfies Fill
/** Weights as small as those of a trained layer, so that its numbers stay in fp16's range. */
const weight = (seed: number) => ({ kind: 'normal', seed, scale: -5, outliers: 12 }) as const satisfies Fill
const weights = { qkv: weight(123), out: weight(124), up: weight(125), down: weight(126) } as const

const columns = (s: Layer) => ({
  query: s.heads * s['head-dim'],
  key: s['kv-heads'] * s['head-dim'],
  all: (s.heads + 2 * s['kv-heads']) * s['head-dim'],
})

function modules(s: Layer): Module[] {
  return [
    normModule('rms', s.width, true, 'attention-norm'),
    { ...attentionModule(s), width: s.width, rotary: s['head-dim'] },
    normModule('rms', s.width, true, 'ffn-norm'),
    { kind: 'ffn', name: 'ffn', width: s.width, hidden: s.hidden, gated: true, bias: false, activation: 'silu' },
  ]
}

/** Cosine and sine of each pair at the new token's position. */
function turns(s: Layer): Float64Array {
  const pairs = s['head-dim'] / 2
  return Float64Array.from({ length: 2 * pairs }, (_, i) => {
    const angle = (s.tokens - 1) * 10000 ** (-Math.floor(i / 2) / pairs)
    return Math.fround(i % 2 === 0 ? Math.cos(angle) : Math.sin(angle))
  })
}

function tensors(s: Layer): Tensor[] {
  const { batch, width, hidden } = s
  const { query, key, all } = columns(s)
  const input = (name: string, elements: number, fill: Fill, type: Tensor['type'] = 'fp16'): Tensor => ({
    name,
    elements,
    type,
    use: 'input',
    fill,
  })
  const cache = key * batch * s.tokens
  return [
    input('x', batch * width, fillX),
    input('residual', batch * width, fillResidual),
    input('scale', width, fillScale),
    input('w_qkv', all * width, weights.qkv),
    input('w_out', width * query, weights.out),
    input('w_up', 2 * hidden * width, weights.up),
    input('w_down', width * hidden, weights.down),
    input('turns', s['head-dim'], { kind: 'values', values: turns(s) }, 'fp32'),
    input('k', cache, fillK),
    input('v', cache, fillV),
    half('normed', batch * width),
    half('added', batch * width),
    half('qkv', batch * all),
    half('q', batch * query),
    half('k_new', batch * key),
    half('output', batch * query),
    half('projected', batch * width),
    half('normed_2', batch * width),
    half('added_2', batch * width),
    half('up', batch * 2 * hidden),
    half('active', batch * hidden),
    half('y', batch * width),
  ]
}

/** Queries and keys of the new tokens turned to their position: two pairs of one head to a lane. */
function rotaryLaunch(s: Layer): Launch {
  const { query, key, all } = columns(s)
  const words = s['head-dim'] / 4
  const heads = s.heads + s['kv-heads']
  const lanes = s.batch * heads * words
  const groups = Math.ceil(lanes / 64)
  const source = `${bindings([
    ['qkv', 'array<u32>'],
    ['turns', 'array<vec4f>'],
    ['q', 'array<u32>', true],
    ['k_new', 'array<u32>', true],
  ])}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = (${groupIndex(groups)}) * 64u + local;
  if (lane >= ${lanes}u) { return; }
  let word = lane % ${words}u;
  let head = lane / ${words}u % ${heads}u;
  let row = lane / ${words * heads}u;
  let at = row * ${all / 2}u + head * ${2 * words}u + word;
  let a = unpack2x16float(qkv[at]);
  let b = unpack2x16float(qkv[at + ${words}u]);
  let t = turns[word];
  let low = pack2x16float(vec2f(a.x * t.x - b.x * t.y, a.y * t.z - b.y * t.w));
  let high = pack2x16float(vec2f(b.x * t.x + a.x * t.y, b.y * t.z + a.y * t.w));
  if (head < ${s.heads}u) {
    let to = row * ${query / 2}u + head * ${2 * words}u + word;
    q[to] = low; q[to + ${words}u] = high;
  } else {
    let to = row * ${key / 2}u + (head - ${s.heads}u) * ${2 * words}u + word;
    k_new[to] = low; k_new[to + ${words}u] = high;
  }
}
`
  return { source, buffers: ['qkv', 'turns', 'q', 'k_new'], groups: spread(groups) }
}

/** The new tokens' keys and values to their rows of the cache. */
function writeLaunch(s: Layer): Launch {
  const { query, key, all } = columns(s)
  const words = s['head-dim'] / 2
  const lanes = (s.batch * key) / 2
  const groups = Math.ceil(lanes / 64)
  const source = `${bindings([
    ['qkv', 'array<u32>'],
    ['k_new', 'array<u32>'],
    ['k', 'array<u32>', true],
    ['v', 'array<u32>', true],
  ])}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let lane = (${groupIndex(groups)}) * 64u + local;
  if (lane >= ${lanes}u) { return; }
  let to = (lane / ${words}u * ${s.tokens}u + ${s.tokens - 1}u) * ${words}u + lane % ${words}u;
  k[to] = k_new[lane];
  v[to] = qkv[lane / ${key / 2}u * ${all / 2}u + ${(query + key) / 2}u + lane % ${key / 2}u];
}
`
  return { source, buffers: ['qkv', 'k_new', 'k', 'v'], groups: spread(groups) }
}

function norm(s: Layer, facts: Facts, from: readonly string[], to: readonly string[]): Launch {
  const shape = { rows: s.batch, width: s.width, bits: 16 }
  const [cut] = rowCuts(shape, facts)
  if (!cut) throw new RangeError(`decoder-layer: width: expected one that a row's lanes hold, got ${s.width}`)
  const { inputs } = normBuffers('rms', true)
  return {
    source: normSource(shape, cut, lanesOf(facts), 'rms', true),
    buffers: [...inputs.map((name) => ({ x: from[0], scale: 'scale', residual: from[1] })[name] as string), ...to],
    groups: rowGroups(shape, cut),
  }
}

function plans(s: Layer, facts: Facts): Plan[] {
  const { batch, width, hidden } = s
  const { query, all } = columns(s)
  if ([width, hidden, s['head-dim']].some((n) => n % 8 !== 0) || s.heads % s['kv-heads'] !== 0 || batch > 16) return []
  const product = (n: number, k: number, x: string, w: string, y: string): Launch => {
    const [usual] = gemvPlans({ m: batch, n, k, bits: 16 }, facts)
    const [launch] = usual?.launches ?? []
    if (!launch) throw new Error('expected a product to have a plan')
    return { ...launch, buffers: [x, w, y] }
  }
  const attention = attentionDecode.plans.webgpu?.({ ...decodeShape(s) }, facts) ?? []
  const swiglu = { rows: batch, width: hidden, bits: 16 }
  return attention.slice(0, 2).map((attend) => ({
    ...attend,
    launches: [
      norm(s, facts, ['x', 'residual'], ['normed', 'added']),
      product(all, width, 'normed', 'w_qkv', 'qkv'),
      rotaryLaunch(s),
      writeLaunch(s),
      ...attend.launches,
      product(width, query, 'output', 'w_out', 'projected'),
      norm(s, facts, ['projected', 'added'], ['normed_2', 'added_2']),
      product(2 * hidden, width, 'normed_2', 'w_up', 'up'),
      {
        source: activationSource(swiglu, 'swiglu', 64, 1),
        buffers: ['up', 'active'],
        groups: activationGroups(swiglu, 64, 1),
      },
      product(width, hidden, 'active', 'w_down', 'y'),
    ],
  }))
}

function decodeShape(s: Layer) {
  const { batch, heads, tokens } = s
  return { batch, heads, 'kv-heads': s['kv-heads'], 'head-dim': s['head-dim'], tokens, query: 1, bits: 16 }
}

function* following(s: Layer, outputs: Outputs, random: Random): Iterable<Expectation> {
  const { batch, width, hidden, tokens } = s
  const dim = s['head-dim']
  const pairs = dim / 2
  const { query, key, all } = columns(s)
  const at = (name: string) => halvesAt(outputs, name)
  const scale = reader(fillScale)
  const none = () => 0
  const norms = { type: 'rms', rows: batch, width, scale, bias: none } as const
  const first = { ...norms, to: 'normed', sum: 'added', x: reader(fillX), residual: reader(fillResidual) }
  yield* normStage(first, random)
  const of = (fill: Fill, k: number) => {
    const w = reader(fill)
    return (i: number, j: number) => w(j * k + i)
  }
  yield* productStage({ to: 'qkv', m: batch, n: all, k: width, x: at('normed'), w: of(weights.qkv, width) }, random)
  const qkv = at('qkv')
  const turn = turns(s)
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < s.heads + s['kv-heads']; head++) {
      const low = (p: number) => qkv(row * all + head * dim + p)
      const high = (p: number) => qkv(row * all + head * dim + pairs + p)
      const values = Float64Array.from({ length: dim }, (_, i) => {
        const p = i % pairs
        const [c, t] = [turn[2 * p] as number, turn[2 * p + 1] as number]
        return i < pairs ? low(p) * c - high(p) * t : high(p) * c + low(p) * t
      })
      const tolerances = values.map(
        (v, i) => stored(v, 'fp16') + roundings(3) * (Math.abs(low(i % pairs)) + Math.abs(high(i % pairs))),
      )
      yield head < s.heads
        ? { tensor: 'q', offset: row * query + head * dim, values, tolerances }
        : { tensor: 'k_new', offset: row * key + (head - s.heads) * dim, values, tolerances }
    }
  }
  const [q, newKey] = [at('q'), at('k_new')]
  const [k, v] = [reader(fillK), reader(fillV)]
  const group = s.heads / s['kv-heads']
  const newValue = (i: number) => qkv(Math.floor(i / key) * all + query + key + (i % key))
  for (const unit of someOf(batch * s['kv-heads'], random, 8)) {
    const exact = (name: 'k' | 'v', from: (i: number) => number) => ({
      tensor: name,
      offset: (unit * tokens + tokens - 1) * dim,
      values: Float64Array.from({ length: dim }, (_, i) => from(unit * dim + i)),
      tolerances: new Float64Array(dim),
    })
    yield exact('k', newKey)
    yield exact('v', newValue)
  }
  for (const head of someOf(batch * s.heads, random, Math.max(2, Math.min(8, Math.floor(2 ** 22 / (tokens * dim)))))) {
    const unit = Math.floor(head / group)
    const rows = (old: typeof k, fresh: (i: number) => number) => {
      const [cached, written] = [plainRows(old, unit * tokens * dim, dim), plainRows(fresh, unit * dim, dim)]
      return (j: number, row: Float64Array, sizes: Float64Array) =>
        j < tokens - 1 ? cached(j, row, sizes) : written(0, row, sizes)
    }
    yield attentionStage('output', head * dim, {
      query: Float64Array.from({ length: dim }, (_, i) => q(head * dim + i) / Math.sqrt(dim)),
      keys: tokens,
      key: rows(k, newKey),
      value: rows(v, newValue),
      valueDim: dim,
    })
  }
  const out = { to: 'projected', m: batch, n: width, k: query, x: at('output'), w: of(weights.out, query) }
  yield* productStage(out, random)
  const second = { ...norms, to: 'normed_2', sum: 'added_2', x: at('projected'), residual: at('added') }
  yield* normStage(second, random)
  const up = { to: 'up', m: batch, n: 2 * hidden, k: width, x: at('normed_2'), w: of(weights.up, width) }
  yield* productStage(up, random)
  yield* activationStage('active', 'swiglu', batch, hidden, at('up'), random)
  yield* productStage({ to: 'y', m: batch, n: width, k: hidden, x: at('active'), w: of(weights.down, hidden) }, random)
}

export const decoderLayer = kernel<Layer>({
  name: 'decoder-layer',
  means: 'one whole decoder layer in a decode step, kernel after kernel',
  sizes: {
    batch: { means: 'sequences, 1 to 16', default: 1, of: Array.from({ length: 16 }, (_, i) => i + 1) },
    width: { means: 'width of the layer, a multiple of 8', default: 4096 },
    heads: { means: 'query heads', default: 32 },
    'kv-heads': { means: 'key and value heads', default: 32 },
    'head-dim': { means: 'elements of a head, a multiple of 8', default: 128 },
    hidden: { means: 'width of the feed-forward block, a multiple of 8', default: 11008 },
    tokens: { means: 'keys, the new one included', default: 4096 },
  },
  shapes: {
    small: [{ width: 512, heads: 8, 'kv-heads': 8, 'head-dim': 64, hidden: 1376, tokens: 1024 }],
    large: [{}, { tokens: 32768 }, { batch: 8, 'kv-heads': 8, hidden: 14336, tokens: 8192 }],
  },
  problem: (s) => ({
    tensors: tensors(s),
    operators: passOf(modules(s), decode(s.batch, s.tokens - 1), plainFormats(16)),
    tolerance: `each stage from what the one before left: sums of its products; ${attentionTolerance}`,
    expectations: () => [],
    following: (outputs, random) => following(s, outputs, random),
  }),
  plans: { webgpu: plans },
})
