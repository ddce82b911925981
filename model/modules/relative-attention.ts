// Self-attention over relative positions (Transformer-XL, arXiv 1901.02860, section 3.3) as Conformer and Squeezeformer
// run it: every score has a term of position, (q + v) · p of the 2T - 1 distances, which is shifted into the T × T scores.
// The distances are projected once for all sequences. Nothing is kept: both ways are seen, and no store takes part.
import type { RelativeAttention } from '../architecture.ts'
import type { Sequences } from '../workload.ts'
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

/** Distances between `tokens` tokens, both ways. */
export function distances(tokens: number): number {
  return 2 * tokens - 1
}

export function relativeAttention(a: RelativeAttention, c: Context): void {
  const { tensor } = c.deployment.parallel
  const inner = (a.heads * a.headDim) / tensor
  const each = { role: 'attention', n: inner, k: a.width } as const
  for (const part of ['query', 'key', 'value']) {
    product(c, `${a.name}-${part}`, { ...each, m: c.tokens, bias: a.bias ? inner : 0 })
  }
  const longest = Math.max(...c.groups.map((g) => g.query))
  product(c, `${a.name}-position`, { ...each, m: distances(longest) })
  const biased = c.tokens * inner
  const biases = { owner: 'weights', way: 'read', bytes: (2 * inner * c.deployment.weights.norm.bits) / 8 } as const
  elementwise(c, `${a.name}-position-bias`, biased, 2 * biased, 2 * biased, { ...biases, metadata: 0 })
  for (const g of c.groups) positionScores(a, c, g)
  if (c.deployment.fusion === 'flash') fusedScores(a, c)
  else for (const g of c.groups) unfusedScores(a, c, g)
  product(c, `${a.name}-out`, { role: 'attention', m: c.tokens, n: a.width, k: inner, bias: a.bias ? a.width : 0 })
  collective(c, `${a.name}-all-reduce`, 'all-reduce', tensor, c.tokens * a.width)
}

/** Scores of one group: a matrix for each head of each sequence. */
function scoresOf(a: RelativeAttention, c: Context, g: Sequences) {
  const heads = a.heads / c.deployment.parallel.tensor
  const matrices = g.sequences * heads
  return { heads, matrices, scores: matrices * g.query ** 2, operand: matrices * g.query * a.headDim }
}

/** The term of position for every distance, and its shift to where the keys are. */
function positionScores(a: RelativeAttention, c: Context, g: Sequences): void {
  const { heads, matrices, scores, operand } = scoresOf(a, c, g)
  const n = distances(g.query)
  const terms = matrices * g.query * n
  const width = streamBytes(c)
  emit(
    c,
    `${a.name}-position-scores`,
    { kind: 'gemm', m: g.query, n, k: a.headDim, matrices },
    2 * terms * a.headDim,
    0,
    [activationStream('read', (operand + n * heads * a.headDim) * width), activationStream('write', terms * width)],
    c.deployment.stream.unit,
  )
  elementwise(c, `${a.name}-position-shift`, terms, scores, 0)
}

/** One kernel for all sequences, which reads the shifted terms: scores and their softmax stay on chip. */
function fusedScores(a: RelativeAttention, c: Context): void {
  const heads = a.heads / c.deployment.parallel.tensor
  let scores = 0
  for (const g of c.groups) scores += scoresOf(a, c, g).scores
  const rows = c.groups.map((g) => ({ sequences: g.sequences, query: g.query, kv: g.query }))
  const { headDim } = a
  const operand = c.tokens * heads * headDim
  const width = streamBytes(c)
  emit(
    c,
    a.name,
    { kind: 'attention', heads, kvHeads: heads, headDim, valueDim: headDim, causal: false, rows, bias: true },
    4 * scores * headDim,
    (vectorWork.softmax + vectorWork.add) * scores + operand,
    [activationStream('read', (3 * operand + scores) * width), activationStream('write', operand * width)],
    c.deployment.stream.unit,
    undefined,
    scores,
  )
}

function unfusedScores(a: RelativeAttention, c: Context, g: Sequences): void {
  const { matrices, scores, operand } = scoresOf(a, c, g)
  const { headDim } = a
  const width = streamBytes(c)
  const { unit } = c.deployment.stream
  const m = g.query
  emit(
    c,
    `${a.name}-scores`,
    { kind: 'gemm', m, n: m, k: headDim, matrices },
    2 * scores * headDim,
    0,
    [activationStream('read', 2 * operand * width), activationStream('write', scores * width)],
    unit,
  )
  const flops = (vectorWork.softmax + vectorWork.add) * scores
  elementwise(c, `${a.name}-softmax`, 2 * scores, scores, flops, undefined, scores)
  emit(
    c,
    `${a.name}-values`,
    { kind: 'gemm', m, n: headDim, k: m, matrices },
    2 * scores * headDim,
    0,
    [activationStream('read', (scores + operand) * width), activationStream('write', operand * width)],
    unit,
  )
}
