// The kernels in print on an RTX A6000, and passes made of them: products at one share of the bandwidth, attention at the
// share of KVQuant's 16-bit kernels or at the rate at which codes are unpacked, and one overhead for each pass that
// speculates. What each constant was fitted on is said where it stands.
import { codecTime, publishedKernels } from '../../../hardware/codec-time.ts'
import type { Machine } from '../../../hardware/machine.ts'
import type { Deployment } from '../../../model/deployment.ts'
import { type Operator, operatorBytes } from '../../../model/operator.ts'
import { pass } from '../../../model/pass.ts'
import { decode, type Workload } from '../../../model/workload.ts'
import type { Round } from '../../round.ts'
import { type Row, row } from '../row.ts'
import { kernelTable, ratios, ratioTokens, trace, traceTokens } from './published.ts'

/** Share of the bandwidth of products with few rows: between the two of the trace, which reach 86 and 97 %. */
export const productShare = 0.915

/** Seconds of one operator's kernels. */
export function kernelSeconds(o: Operator, machine: Machine): number {
  const { bandwidth } = machine.memory
  if (o.shape.kind === 'attention') {
    const { clock } = machine.units
    if (clock === undefined) throw new Error(`${machine.name}: expected a clock`)
    const wide = o.streams.reduce((n, s) => n + (s.codes === undefined ? s.bytes : 0), 0)
    const { decode: unpacking } = codecTime(
      o.streams,
      { units: machine.units.count, clock, bandwidth },
      publishedKernels,
    )
    const coded = operatorBytes(o) - wide
    return (
      Math.max(unpacking, coded / (bandwidth * publishedKernels.memory)) + wide / (bandwidth * publishedKernels.memory)
    )
  }
  return operatorBytes(o) / (bandwidth * productShare)
}

/** Products with weights, and attention: what the published times of a step are sums of. */
function weighs(o: Operator): boolean {
  return o.shape.kind === 'gemm' || o.shape.kind === 'attention'
}

/** Seconds of a pass without its small kernels. */
export function passSeconds(deployment: Deployment, workload: Workload, machine: Machine): number {
  return pass(deployment, workload)
    .filter(weighs)
    .reduce((sum, o) => sum + o.count * kernelSeconds(o, machine), 0)
}

/** Seconds of a round, each of its passes paying the overhead. */
export function roundSeconds({ steps }: Round, machine: Machine, overhead: number): number {
  return steps.reduce((sum, s) => sum + s.times * (passSeconds(s.deployment, s.workload, machine) + overhead), 0)
}

interface Planes {
  readonly dense: Deployment
  readonly draft: Deployment
  readonly target: Deployment
}

const one = 'agrees by construction: the rate at which codes are unpacked was fitted on this and two figures more'

export function kernelRows({ dense, draft, target }: Planes, machine: Machine): Row[] {
  const attention = (d: Deployment, tokens: number) => {
    const operator = pass(d, decode(1, tokens)).find((o) => o.name === 'attention')
    if (!operator) throw new Error('Expected attention')
    return operator
  }
  const seconds = (d: Deployment) => kernelSeconds(attention(d, ratioTokens), machine)
  const bytes = (d: Deployment) => operatorBytes(attention(d, ratioTokens))
  const ratio = (item: keyof typeof ratios, d: Deployment): Row[] => {
    const published = ratios[item]
    const tolerance = 0.05 * Number(published)
    return [
      row(kernelTable, {
        item: `${item}/expected`,
        published,
        tolerance,
        computed: seconds(dense) / seconds(d),
        fitted: 1,
        why: one,
      }),
      row(kernelTable, {
        item: `${item}/bound`,
        published,
        computed: bytes(dense) / bytes(d),
        why: 'the ratio of bytes: unpacking codes, not reading them, is the limit',
      }),
    ]
  }
  const step = pass(draft, decode(1, traceTokens))
  const named = (name: string) => step.find((o) => o.name === name) as Operator
  // One of the FFN's three products: up and gate are one operator here.
  const ffn = kernelSeconds(named('mlp-down'), machine)
  const near = (item: keyof typeof trace, computed: number | null, fitted: number, why: string) =>
    row(kernelTable, { item, published: trace[item], computed, tolerance: 0.1 * Number(trace[item]), fitted, why })
  return [
    ...ratio('INT4 over fp16', draft),
    ...ratio('INT8 over fp16', target),
    near('INT4 attention, first stage', kernelSeconds(attention(draft, traceTokens), machine), 1, one),
    row(kernelTable, {
      item: 'INT4 attention, merge',
      published: trace['INT4 attention, merge'],
      computed: null,
      why: 'one block for each head walks 250 partial results: no model here has that latency',
    }),
    near(
      'FFN product, 4096 x 11008 in 4 bits',
      ffn,
      1,
      'one share of the bandwidth for both products, between their two',
    ),
    near(
      'QKV product, 12288 x 4096 in 16 bits',
      kernelSeconds(named('attention-qkv'), machine),
      1,
      'as the FFN product',
    ),
    near(
      'weights and KV of a draft step',
      passSeconds(draft, decode(1, traceTokens), machine),
      2,
      'the sum of such kernels over the layers, by constants fitted on single ones',
    ),
    row(kernelTable, {
      item: 'draft step, all kernels',
      published: trace['draft step, all kernels'],
      computed: null,
      why: '4.27 ms of it are small kernels of PyTorch, which depend on its version',
    }),
  ]
}
