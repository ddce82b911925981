// Rows of fused mixtures of experts with balanced routing: one rank's experts, between router and sum.
import type { MixtureOfExperts } from '../../model/architecture.ts'
import { type Format, type FormatName, format } from '../../model/format.ts'
import type { Operator, Stream } from '../../model/operator.ts'
import { prefill } from '../../model/workload.ts'
import { type Case, count, type Line, operatorsOf, timed, Unmappable } from './case.ts'
import { blocks } from './products.ts'

const formats: Readonly<Record<string, { weights: Format; activations: FormatName }>> = {
  bfloat16: { weights: format('bf16'), activations: 'bf16' },
  fp8: { weights: format('fp8'), activations: 'fp8' },
  fp8_block: { weights: blocks, activations: 'fp8' },
  int4_wo: { weights: format('int4'), activations: 'bf16' },
  w4a16_mxfp4: { weights: format('mxfp4'), activations: 'bf16' },
}

/** The operators of one of `ranks` shares of the experts: it holds whole experts, and a token's in proportion. */
function module(line: Line): MixtureOfExperts {
  const [tensor, expert, all] = [count(line, 'tp'), count(line, 'ep'), count(line, 'num_experts')]
  if (all % expert !== 0) throw new Unmappable(`ep: expected a divisor of the ${all} experts, got ${expert}`)
  return {
    kind: 'moe',
    name: 'moe',
    width: count(line, 'hidden'),
    hidden: count(line, 'inter') / tensor,
    experts: all / expert,
    active: count(line, 'topk') / expert,
    gated: !(line.kernel ?? '').includes('nongated'),
    bias: false,
    routerExtra: 0,
    activation: 'silu',
  }
}

export function experts(line: Line): Case {
  const { dtype = '', framework = '', version = '', kernel = '', tp = '', ep = '' } = line
  const stored = formats[dtype]
  if (!stored) throw new Unmappable(`dtype: '${dtype}' is not known (${Object.keys(formats).join(', ')})`)
  const moe = module(line)
  const tokens = count(line, 'num_tokens')
  const options = { weights: stored.weights, activations: format(stored.activations) }
  const all = operatorsOf(moe, prefill(1, tokens), options)
  // Balanced routing spreads tokens over as many experts as they can take; drawn at random they would meet.
  const taken = Math.max(1, Math.min(moe.experts, tokens * moe.active))
  const kept = all.filter((o) => o.name !== 'moe-router' && o.name !== 'moe-topk')
  return {
    ...timed(line),
    kind: 'moe',
    operators: [
      sorting(tokens * moe.active),
      ...kept.map((o) => (o.shape.kind === 'gemm' ? evenlyRouted(o, o.shape, taken) : o)),
    ],
    keys: { op: 'moe', dtype, framework, version, kernel, tp, ep },
  }
}

/** Kernels before the products: they count tokens by expert, sum, sort, and place them. */
const sortingKernels = 4

/** Their time is latency: they move an index per token and expert. */
function sorting(rows: number): Operator {
  const bytes = 4 * rows
  return {
    name: 'moe-sort',
    layers: '',
    count: 1,
    launches: sortingKernels,
    shape: { kind: 'stream', elements: rows },
    matrix: 0,
    vector: 0,
    unit: 'bf16',
    streams: [
      { owner: 'activations', way: 'read', bytes, metadata: 0 },
      { owner: 'activations', way: 'write', bytes, metadata: 0 },
    ],
  }
}

/** A product over experts with `matrices` of them taken. */
function evenlyRouted(o: Operator, shape: Extract<Operator['shape'], { kind: 'gemm' }>, matrices: number): Operator {
  const share = matrices / shape.matrices
  const scaled = (s: Stream): Stream =>
    s.owner === 'weights'
      ? { ...s, bytes: s.bytes * share, metadata: s.metadata * share, ...(s.codes && { codes: s.codes * share }) }
      : s
  return { ...o, shape: { ...shape, matrices, m: shape.m / share }, streams: o.streams.map(scaled) }
}
