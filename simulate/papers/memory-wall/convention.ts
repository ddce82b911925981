// How "Full Stack Optimization of Transformer Inference" (arXiv 2302.14017, section 2.2) counts a pass: FLOPs, and MOPs,
// which are bytes at one byte per element. It takes the shapes of our operators and leaves our own FLOPs and bytes
// alone: those count fp16 or fp32 streams, norms and softmax by their operations, and stay as they are.
//
// No product of the encoder has a free coefficient; that a sum of k products spares an addition, and a bias takes it
// back, is read off Table 3 (63.62, not 64). What was fitted on which table stands on each convention below.
import type { Operator, Pass, Shape } from '../../../model/operator.ts'
import type { Run } from './models.ts'

export const parts = ['mha-projections', 'act-to-act', 'ffn', 'other'] as const
export type Part = (typeof parts)[number]

export interface Cost {
  readonly flops: number
  /** Bytes moved. */
  readonly mops: number
}

export interface Convention {
  /** A sum of k products takes k - 1 additions, so that an output costs 2k - 1; else 2k. */
  readonly exactSum: boolean
  /** A product with weights adds a bias: one FLOP per output. */
  readonly bias: boolean
  /** Bytes of the bias per output of such a product (an accelerator that takes it as a whole matrix). */
  readonly biasBytes: number
  /** Edge of the square tiles that operands are cut into: each is read once per tile row of the other. Absent: once. */
  readonly tile?: number
  /** Products whose outputs are 32 bits wide. */
  readonly wideOutputs: readonly string[]
  /** How often scores cross memory between the two attention products: written and read, or once in all. */
  readonly scoreTransfers: 1 | 2
  /** Bytes per element that a step appends to the cache. */
  readonly append: number
  /** Softmax per score; norms, activation and residuals per element of the residual stream and per its width. */
  readonly other: { readonly score: Cost; readonly element: Cost; readonly width: Cost }
}

/**
 * Tables 3 and 5 and Figures 4 to 6, encoders. Softmax, norms, GELU and residuals are not given as formulas: the two
 * FLOP coefficients (4, 58) and the three byte coefficients (2, 17, 4) were fitted on Tables 3 and 10.
 */
export const encoderConvention: Convention = {
  exactSum: true,
  bias: true,
  biasBytes: 0,
  wideOutputs: [],
  scoreTransfers: 2,
  append: 0,
  other: { score: { flops: 4, mops: 2 }, element: { flops: 58, mops: 17 }, width: { flops: 0, mops: 4 } },
}

/**
 * Table 11, decoders: `length` steps at the mean context. That mean, 2k for 2k - 1, the scores' single crossing, the
 * cache's append and the 22 bytes were fitted on Table 11; 4, 58 and 2 are the encoder's. Products with weights cost 2k
 * either way: 2k - 1 and a bias, or 2k.
 */
export const decoderConvention: Convention = {
  ...encoderConvention,
  exactSum: false,
  bias: false,
  scoreTransfers: 1,
  append: 1,
  other: { score: { flops: 4, mops: 2 }, element: { flops: 58, mops: 22 }, width: { flops: 0, mops: 0 } },
}

/**
 * Table 5: traffic between DRAM and an L2 of 2 MB that two square tiles of 8-bit operands fill, outputs that go on to a
 * nonlinearity in 32 bits. Tile edge and bias bytes are readings of the paper that this table was used to choose; the
 * byte coefficients of the rest (5, 36, 16) were fitted on its three totals.
 */
export const tiledConvention: Convention = {
  ...encoderConvention,
  biasBytes: 1,
  tile: Math.sqrt(2 ** 21 / 2),
  wideOutputs: ['attention-scores', 'attention-out', 'mlp-up', 'mlp-down'],
  other: { score: { flops: 4, mops: 5 }, element: { flops: 58, mops: 36 }, width: { flops: 0, mops: 16 } },
}

const partOf: Readonly<Record<string, Part>> = {
  'attention-query': 'mha-projections',
  'attention-key': 'mha-projections',
  'attention-value': 'mha-projections',
  'attention-out': 'mha-projections',
  'attention-kv-write': 'act-to-act',
  'attention-scores': 'act-to-act',
  'attention-values': 'act-to-act',
  'mlp-up': 'ffn',
  'mlp-down': 'ffn',
  'attention-softmax': 'other',
  'mlp-activation': 'other',
  'input-norm': 'other',
  'post-attention-norm': 'other',
  'post-feedforward-norm': 'other',
}

const nothing: Cost = { flops: 0, mops: 0 }

export function plus(a: Cost, b: Cost): Cost {
  return { flops: a.flops + b.flops, mops: a.mops + b.mops }
}

export function times(a: Cost, factor: number): Cost {
  return { flops: a.flops * factor, mops: a.mops * factor }
}

/** FLOPs per byte. */
export function intensity({ flops, mops }: Cost): number {
  return flops / mops
}

/** One instance of an operator, by the convention. */
export function cost(o: Operator, c: Convention): Cost {
  if (o.shape.kind === 'gemm') return product(o, o.shape, c)
  if (o.name === 'attention-kv-write') return { flops: 0, mops: c.append * elements(o) }
  if (o.name === 'attention-softmax') return times(c.other.score, elements(o))
  return nothing
}

type Gemm = Extract<Shape, { kind: 'gemm' }>

function product(o: Operator, { m, n, k, matrices }: Gemm, c: Convention): Cost {
  const stored = o.streams.some((s) => s.owner === 'weights')
  const perOutput = 2 * k - (c.exactSum ? 1 : 0) + (c.bias && stored ? 1 : 0)
  const reads = (length: number) => (c.tile === undefined ? 1 : Math.ceil(length / c.tile))
  const scoresOnce = o.name === 'attention-values' && c.scoreTransfers === 1
  const left = scoresOnce ? 0 : m * k * reads(n)
  const right = k * n * reads(m)
  const output = (c.wideOutputs.includes(o.name) ? 4 : 1) + (stored ? c.biasBytes : 0)
  return { flops: matrices * m * n * perOutput, mops: matrices * (left + right + output * m * n) }
}

function elements(o: Operator): number {
  if (o.shape.kind !== 'stream') throw new Error(`Expected ${o.name} to be element-wise, got ${o.shape.kind}`)
  return o.shape.elements
}

/** Norms, activation and residuals of a layer, from the stream that its attention writes: rows × width. */
function residualStream(o: Operator, { other }: Convention): Cost {
  if (o.name !== 'attention-out' || o.shape.kind !== 'gemm') return nothing
  const { m, n } = o.shape
  return plus(times(other.element, m * n), times(other.width, n))
}

/** The run's cost by part. Throws where the pass has an operator that the convention does not know. */
export function costs({ pass, times: runs }: Run, c: Convention): Record<Part, Cost> {
  const sum: Record<Part, Cost> = { 'mha-projections': nothing, 'act-to-act': nothing, ffn: nothing, other: nothing }
  for (const o of pass) {
    const part = partOf[o.name]
    if (part === undefined) throw new Error(`The convention of arXiv 2302.14017 does not count ${o.name}`)
    sum[part] = plus(sum[part], times(cost(o, c), o.count * runs))
    sum.other = plus(sum.other, times(residualStream(o, c), o.count * runs))
  }
  return sum
}

export function total(byPart: Readonly<Record<Part, Cost>>): Cost {
  return parts.map((part) => byPart[part]).reduce(plus)
}

/** The convention's cost of one named operator of the pass. */
export function costOf(pass: Pass, name: string, c: Convention): Cost {
  const o = pass.find((o) => o.name === name)
  if (o === undefined) throw new Error(`Expected an operator ${name}, got ${pass.map((o) => o.name).join(', ')}`)
  return cost(o, c)
}
