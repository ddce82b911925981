// One whole block of an encoder as BERT has it (arXiv 1810.04805): attention both ways, a norm after it, the feed-forward
// block, and a norm after that, one kernel after the other, for the pass that the model predicts.
import type { Module } from '../../model/architecture.ts'
import type { Random } from '../../model/random.ts'
import { encode } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { type Fill, reader } from '../input.ts'
import { type Expectation, kernel, type Launch, type Plan, type Tensor } from '../kernel.ts'
import { passOf, plainFormats } from '../ledger.ts'
import { lanesOf } from '../webgpu/wgsl.ts'
import { activationGroups, activationSource } from './activation.ts'
import { attentionModule } from './attention-decode.ts'
import { attentionTolerance, type RowReader } from './attention-reference.ts'
import { gemmPlans } from './gemm.ts'
import { someOf } from './gemv.ts'
import { fillBias, fillScale, normBuffers, normModule, normSource, rowCuts, rowGroups } from './rows.ts'
import { activationStage, attentionStage, half, halvesAt, normStage, type Outputs, productStage } from './stages.ts'
import { fitsTiles, type Tiled, tiledGroups, tiledSource } from './tile-attention.ts'

interface Block extends Record<string, number> {
  batch: number
  tokens: number
  heads: number
  'head-dim': number
  hidden: number
}

const fillX = { kind: 'normal', seed: 131, outliers: 8 } as const satisfies Fill
const weight = (seed: number) => ({ kind: 'normal', seed, scale: -4, outliers: 12 }) as const satisfies Fill
const weights = { qkv: weight(132), out: weight(133), up: weight(134), down: weight(135) } as const

const widthOf = (s: Block) => s.heads * s['head-dim']
const rowsOf = (s: Block) => s.batch * s.tokens

function modules(s: Block): Module[] {
  const width = widthOf(s)
  return [
    { ...attentionModule({ ...s, 'kv-heads': s.heads }), causal: false },
    normModule('layer', width, true, 'attention-norm'),
    { kind: 'ffn', name: 'ffn', width, hidden: s.hidden, gated: false, bias: false, activation: 'gelu' },
    normModule('layer', width, true, 'ffn-norm'),
  ]
}

function tensors(s: Block): Tensor[] {
  const width = widthOf(s)
  const rows = rowsOf(s)
  const input = (name: string, elements: number, fill: Fill): Tensor => ({
    name,
    elements,
    type: 'fp16',
    use: 'input',
    fill,
  })
  return [
    input('x', rows * width, fillX),
    input('scale', width, fillScale),
    input('bias', width, fillBias),
    input('w_qkv', width * 3 * width, weights.qkv),
    input('w_out', width * width, weights.out),
    input('w_up', width * s.hidden, weights.up),
    input('w_down', s.hidden * width, weights.down),
    half('qkv', rows * 3 * width),
    half('output', rows * width),
    half('projected', rows * width),
    half('normed', rows * width),
    half('added', rows * width),
    half('up', rows * s.hidden),
    half('active', rows * s.hidden),
    half('down', rows * width),
    half('y', rows * width),
    half('added_2', rows * width),
  ]
}

/** Queries, keys and values where the projection left them: a token's heads of each, one after the other. */
function tiled(s: Block, facts: Facts): Tiled {
  const { heads, tokens } = s
  const row = (part: number) => (j: string) =>
    `(unit / ${heads}u * ${tokens}u + ${j}) * ${3 * heads}u + ${part * heads}u + unit % ${heads}u`
  return {
    dim: s['head-dim'],
    bits: 16,
    lanes: lanesOf(facts),
    units: s.batch * heads,
    rows: tokens,
    keys: tokens,
    chunk: tokens,
    splits: 1,
    output: (j) => `(unit / ${heads}u * ${tokens}u + ${j}) * ${heads}u + unit % ${heads}u`,
    first: '0u',
    query: row(0),
    key: row(1),
    value: row(2),
  }
}

function plans(s: Block, facts: Facts): Plan[] {
  const width = widthOf(s)
  const { hidden } = s
  const m = rowsOf(s)
  const shape = { rows: m, width, bits: 16 }
  const [cut] = rowCuts(shape, facts)
  if (!fitsTiles(s['head-dim'], facts) || hidden % 8 !== 0 || !cut) return []
  const { inputs } = normBuffers('layer', true)
  const norm = (x: string, residual: string, y: string, sum: string): Launch => ({
    source: normSource(shape, cut, lanesOf(facts), 'layer', true),
    buffers: [...inputs.map((name) => ({ x, residual })[name] ?? name), y, sum],
    groups: rowGroups(shape, cut),
  })
  const t = tiled(s, facts)
  const gelu = { rows: m, width: hidden, bits: 16 }
  const product = (n: number, k: number, buffers: string[], way: number): Launch => {
    const all = gemmPlans({ m, n, k, bits: 16 }, facts)
    const [launch] = (all[way] ?? all[0])?.launches ?? []
    if (!launch) throw new Error('expected a product to have a plan')
    return { ...launch, buffers }
  }
  return [0, 1].map((way) => ({
    variant: way === 0 ? '' : 'second tiles',
    launches: [
      product(3 * width, width, ['x', 'w_qkv', 'qkv'], way),
      { source: tiledSource(t), buffers: ['qkv', 'qkv', 'qkv', 'output'], groups: tiledGroups(t) },
      product(width, width, ['output', 'w_out', 'projected'], way),
      norm('projected', 'x', 'normed', 'added'),
      product(hidden, width, ['normed', 'w_up', 'up'], way),
      {
        source: activationSource(gelu, 'gelu', 256, 2),
        buffers: ['up', 'active'],
        groups: activationGroups(gelu, 256, 2),
      },
      product(width, hidden, ['active', 'w_down', 'down'], way),
      norm('down', 'normed', 'y', 'added_2'),
    ],
  }))
}

function* following(s: Block, outputs: Outputs, random: Random): Iterable<Expectation> {
  const width = widthOf(s)
  const dim = s['head-dim']
  const { heads, tokens, hidden } = s
  const m = rowsOf(s)
  const at = (name: string) => halvesAt(outputs, name)
  const of = (fill: Fill, n: number) => {
    const w = reader(fill)
    return (i: number, j: number) => w(i * n + j)
  }
  const product = (to: string, n: number, k: number, x: (i: number) => number, fill: Fill) =>
    productStage({ to, m, n, k, x, w: of(fill, n) }, random)
  const norms = { type: 'layer', rows: m, width, scale: reader(fillScale), bias: reader(fillBias) } as const
  yield* product('qkv', 3 * width, width, reader(fillX), weights.qkv)
  const qkv = at('qkv')
  const few = Math.max(2, Math.min(16, Math.floor(2 ** 20 / (tokens * dim))))
  for (const row of someOf(m * heads, random, few)) {
    const token = Math.floor(row / heads)
    const head = row % heads
    const first = Math.floor(token / tokens) * tokens
    const rows =
      (part: number): RowReader =>
      (j, out, sizes) => {
        for (let i = 0; i < dim; i++) {
          out[i] = qkv(((first + j) * 3 * heads + part * heads + head) * dim + i)
          sizes[i] = Math.abs(out[i] as number)
        }
      }
    yield attentionStage('output', row * dim, {
      query: Float64Array.from({ length: dim }, (_, i) => qkv((token * 3 * heads + head) * dim + i) / Math.sqrt(dim)),
      keys: tokens,
      key: rows(1),
      value: rows(2),
      valueDim: dim,
    })
  }
  yield* product('projected', width, width, at('output'), weights.out)
  yield* normStage({ ...norms, to: 'normed', sum: 'added', x: at('projected'), residual: reader(fillX) }, random)
  yield* product('up', hidden, width, at('normed'), weights.up)
  yield* activationStage('active', 'gelu', m, hidden, at('up'), random)
  yield* product('down', width, hidden, at('active'), weights.down)
  yield* normStage({ ...norms, to: 'y', sum: 'added_2', x: at('down'), residual: at('normed') }, random)
}

export const encoderBlock = kernel<Block>({
  name: 'encoder-block',
  means: "one whole block of an encoder, kernel after kernel (BERT's)",
  sizes: {
    batch: { means: 'sequences', default: 32 },
    tokens: { means: 'tokens of each', default: 512 },
    heads: { means: 'heads', default: 12 },
    'head-dim': { means: 'elements of a head, a multiple of 8', default: 64 },
    hidden: { means: 'width of the feed-forward block, a multiple of 8', default: 3072 },
  },
  shapes: {
    small: [{ batch: 1, tokens: 128, heads: 4, hidden: 1024 }],
    large: [{}, { batch: 1 }],
  },
  problem: (s) => ({
    tensors: tensors(s),
    operators: passOf(modules(s), encode(s.batch, s.tokens), plainFormats(16)),
    tolerance: `each stage from what the one before left: sums of its products; ${attentionTolerance}`,
    expectations: () => [],
    following: (outputs, random) => following(s, outputs, random),
  }),
  plans: { webgpu: plans },
})
