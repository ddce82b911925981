// Attention of a prompt's rows over everything up to themselves, in tiles whose scores stay on chip; and the same in three
// kernels that pass scores through memory, as it was done before (unfused).
import type { Random } from '../../model/random.ts'
import { prefill } from '../../model/workload.ts'
import type { Facts } from '../backend.ts'
import { reader } from '../input.ts'
import { type AnyKernel, type Expectation, kernel, type Plan, type Problem } from '../kernel.ts'
import { passOf, pick, plainFormats } from '../ledger.ts'
import { libraryPlans } from '../tfjs/plan.ts'
import { lanesOf, padded } from '../webgpu/wgsl.ts'
import { attentionModule, decodeSizes, fillK, fillQ, fillV } from './attention-decode.ts'
import { attended, attentionTolerance, plainRows } from './attention-reference.ts'
import { someOf } from './gemv.ts'
import { fitsTiles, type Tiled, tiledBuffers, tiledGroups, tiledSource } from './tile-attention.ts'
import { keysOfHead, type Prefill, unfusedLaunches, unfusedScratch } from './unfused.ts'

function tiled(s: Prefill, facts: Facts): Tiled {
  const keys = s.past + s.tokens
  return {
    dim: s['head-dim'],
    bits: s.bits,
    lanes: lanesOf(facts),
    units: s.batch * s.heads,
    rows: s.tokens,
    keys,
    past: s.past,
    chunk: keys,
    splits: 1,
    output: (row) => `unit * ${s.tokens}u + ${row}`,
    first: keysOfHead(s),
  }
}

function plans(s: Prefill, facts: Facts): Plan[] {
  if (s.heads % s['kv-heads'] !== 0 || !fitsTiles(s['head-dim'], facts)) return []
  const t = tiled(s, facts)
  return [{ variant: '', launches: [{ source: tiledSource(t), buffers: tiledBuffers(t), groups: tiledGroups(t) }] }]
}

function libraryAttention(s: Prefill): Plan[] {
  const dim = s['head-dim']
  const kv = s['kv-heads']
  if (s.heads % kv !== 0 || dim !== padded(dim)) return []
  const args = [s.batch * kv, s.heads / kv, s.tokens, s.past + s.tokens, dim]
  return libraryPlans('attention', s.bits, ['q', 'k', 'v', 'output'], args)
}

function expectations(s: Prefill, passed: boolean, random: Random): Expectation[] {
  const { tokens, past, bits } = s
  const dim = s['head-dim']
  const [q, k, v] = [reader(fillQ), reader(fillK), reader(fillV)]
  const keys = past + tokens
  const units = someOf(s.batch * s.heads, random, 3)
  const few = Math.max(3, Math.min(tokens, Math.floor(2 ** 20 / (keys * dim))))
  return units.flatMap((unit) =>
    someOf(tokens, random, few).map((row) => {
      const at = (unit * tokens + row) * dim
      const kv = Math.floor(unit / s.heads) * s['kv-heads'] + Math.floor((unit % s.heads) / (s.heads / s['kv-heads']))
      return {
        tensor: 'output',
        offset: at,
        ...attended(
          {
            query: Float64Array.from({ length: dim }, (_, i) => q(at + i) / Math.sqrt(dim)),
            keys: past + row + 1,
            key: plainRows(k, kv * keys * dim, dim),
            value: plainRows(v, kv * keys * dim, dim),
            valueDim: dim,
            ...(passed && { passed: bits === 32 ? 'fp32' : 'fp16' }),
          },
          bits === 32 ? 'fp32' : 'fp16',
        ),
      }
    }),
  )
}

function problem(s: Prefill, fusion: 'flash' | 'unfused', names: readonly string[]): Problem {
  const dim = s['head-dim']
  const type = s.bits === 32 ? 'fp32' : 'fp16'
  const rows = s.batch * s.heads * s.tokens * dim
  const kv = s.batch * s['kv-heads'] * (s.past + s.tokens) * dim
  const options = { ...plainFormats(s.bits), fusion }
  return {
    tensors: [
      { name: 'q', elements: rows, type, use: 'input', fill: fillQ },
      { name: 'k', elements: kv, type, use: 'input', fill: fillK },
      { name: 'v', elements: kv, type, use: 'input', fill: fillV },
      { name: 'output', elements: rows, type, use: 'output' },
    ],
    operators: pick(passOf([attentionModule(s)], prefill(s.batch, s.tokens, s.past), options), ...names),
    tolerance:
      fusion === 'flash' ? attentionTolerance : `${attentionTolerance}; scores and weights stored between kernels`,
    expectations: (random) => expectations(s, fusion === 'unfused', random),
  }
}

const { batch, heads, tokens: _, query: __, ...others } = decodeSizes
const sizes = {
  batch,
  heads,
  'kv-heads': others['kv-heads'],
  'head-dim': others['head-dim'],
  tokens: { means: 'new tokens, each of which sees those up to itself', default: 4096 },
  past: { means: 'tokens before them', default: 0, least: 0 },
  bits: { means: 'storage of all operands', default: 16, of: [16, 32] },
} as const

export const attentionPrefill: AnyKernel = kernel<Prefill>({
  name: 'attention-prefill',
  means: "a prompt's attention in tiles, causal, scores on chip (flash)",
  sizes,
  shapes: {
    small: [{ heads: 4, 'kv-heads': 4, 'head-dim': 64, tokens: 512 }],
    large: [{ tokens: 2048 }, { tokens: 8192 }, { 'kv-heads': 8, tokens: 4096 }, { tokens: 512, past: 8192 }],
  },
  problem: (s) => problem(s, 'flash', ['attention']),
  plans: { webgpu: plans },
})

export const attentionUnfused: AnyKernel = kernel<Prefill>({
  name: 'attention-unfused',
  means: "a prompt's attention as three kernels: scores, softmax, values",
  sizes,
  shapes: {
    small: [{ heads: 4, 'kv-heads': 4, 'head-dim': 64, tokens: 512 }],
    large: [{ tokens: 2048 }, { tokens: 4096 }],
  },
  problem: (s) => problem(s, 'unfused', ['attention-scores', 'attention-softmax', 'attention-values']),
  plans: {
    webgpu: (s, facts) =>
      s.heads % s['kv-heads'] !== 0 || !fitsTiles(s['head-dim'], facts)
        ? []
        : [{ variant: '', scratch: unfusedScratch(s), launches: unfusedLaunches(s, facts) }],
    tfjs: libraryAttention,
  },
})
