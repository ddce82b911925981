// Layers that keep a state instead of rows: Mamba-2 and the gated delta rule. One step updates the state with vector
// work; a prompt is scanned in chunks with matrix work. The state is read and written once per sequence and pass.
import type { DeltaNet, Mamba2 } from '../architecture.ts'
import { format } from '../format.ts'
import type { Stream } from '../operator.ts'
import type { Sequences } from '../workload.ts'
import { pastTokens } from '../workload.ts'
import {
  activationFlops,
  activationStream,
  type Context,
  collective,
  elementwise,
  emit,
  product,
  streamBytes,
  vectorWork,
} from './emit.ts'

/** Bytes of one sequence's state in one layer, all ranks together: the recurrence and the convolution's last inputs. */
export function stateBytes(
  m: Mamba2 | DeltaNet,
  convolutionElementBytes: number,
): { recurrence: number; convolution: number } {
  const { stateElements, channels } = sizes(m)
  const recurrence = (stateElements * format(m.stateFormat).bits) / 8
  return { recurrence, convolution: channels * (m.kernel - 1) * convolutionElementBytes }
}

function sizes(m: Mamba2 | DeltaNet): { stateElements: number; channels: number; inner: number; projected: number } {
  if (m.kind === 'mamba2') {
    const inner = m.heads * m.headDim
    const channels = inner + 2 * m.groups * m.state
    return { stateElements: inner * m.state, channels, inner, projected: inner + channels + m.heads }
  }
  const keys = m.keyHeads * m.keyDim
  const inner = m.valueHeads * m.valueDim
  const channels = 2 * keys + inner
  return {
    stateElements: m.valueHeads * m.keyDim * m.valueDim,
    channels,
    inner,
    projected: channels + inner + 2 * m.valueHeads,
  }
}

/** FLOPs per new token of a chunk of `q`: matrix work of the chunked scan. */
function chunkFlops(m: Mamba2 | DeltaNet, q: number): number {
  if (m.kind === 'mamba2') {
    // arXiv 2405.21060, section 6: C·Bᵀ per group; its product with X, the chunk's state and the state's output per head.
    return m.groups * 2 * q * m.state + m.heads * (2 * q * m.headDim + 4 * m.state * m.headDim)
  }
  // arXiv 2412.06464, section 3.3: K·Kᵀ, Q·Kᵀ, T·K, T·V, scores·V in the chunk; Q·S, W·S and Kᵀ·V with the state; and
  // the forward substitution that gives T.
  const { keyDim, valueDim, valueHeads } = m
  return valueHeads * (q * (6 * keyDim + 4 * valueDim) + 6 * keyDim * valueDim + (q * q) / 3)
}

/** Vector FLOPs of one step per state element: decay, rank-one update, read-out; the delta rule also reads before. */
function stepFlops(m: Mamba2 | DeltaNet): number {
  return m.kind === 'mamba2' ? 5 : 7
}

/** States that a pass leaves: one for a sequence, or one after every token where tokens may be taken back. */
export function statesLeft(g: Sequences): number {
  return g.sequences * (g.revocable ? g.query : 1)
}

/** Sequences whose state is read: those with a past. */
function resumed(g: Sequences): boolean {
  return pastTokens(g) > 0
}

export function recurrence(m: Mamba2 | DeltaNet, c: Context): void {
  const { tokens, deployment } = c
  const { tensor } = deployment.parallel
  const { channels, inner, projected } = sizes(m)
  const bias = m.kind === 'mamba2' && m.projectionBias ? projected / tensor : 0
  product(c, `${m.name}-in`, { role: 'recurrence', m: tokens, n: projected / tensor, k: m.width, bias })
  convolve(m, c, channels / tensor)
  update(m, c)
  const n = (tokens * inner) / tensor
  elementwise(c, `${m.name}-gated-norm`, 2 * n, n, (vectorWork.rms + activationFlops('silu') + 1) * n, undefined, n)
  product(c, `${m.name}-out`, { role: 'recurrence', m: tokens, n: m.width, k: inner / tensor })
  collective(c, `${m.name}-all-reduce`, 'all-reduce', tensor, tokens * m.width)
}

/** The short causal convolution: its last `kernel - 1` inputs are part of the state. */
function convolve(m: Mamba2 | DeltaNet, c: Context, channels: number): void {
  const width = streamBytes(c)
  const kept = channels * (m.kernel - 1) * width
  const weightBits = c.deployment.weights.convolution.bits
  const outputs = c.tokens * channels
  const before = c.groups.reduce((sum, g) => sum + (resumed(g) ? g.sequences : 0), 0)
  const left = c.groups.reduce((sum, g) => sum + statesLeft(g), 0)
  const streams: Stream[] = [
    { owner: 'weights', way: 'read', bytes: (channels * m.kernel * weightBits) / 8, metadata: 0 },
    activationStream('read', outputs * width),
    activationStream('write', outputs * width),
    { owner: 'kv', way: 'read', bytes: before * kept, metadata: 0 },
    { owner: 'kv', way: 'write', bytes: left * kept, metadata: 0 },
  ]
  const flops = outputs * (2 * m.kernel + activationFlops('silu'))
  emit(
    c,
    `${m.name}-convolution`,
    { kind: 'convolution', outputs: c.tokens, channels, taps: m.kernel },
    0,
    flops,
    streams,
    undefined,
    undefined,
    outputs,
  )
}

function update(m: Mamba2 | DeltaNet, c: Context): void {
  const { tensor } = c.deployment.parallel
  const { stateElements, channels, inner } = sizes(m)
  const width = streamBytes(c)
  const state = stateBytes(m, 0).recurrence / tensor
  let matrix = 0
  let vector = 0
  let before = 0
  let left = 0
  for (const g of c.groups) {
    left += statesLeft(g)
    const tokens = g.sequences * g.query
    if (resumed(g)) before += g.sequences
    if (g.query === 1) vector += (tokens * stepFlops(m) * stateElements) / tensor
    else matrix += (tokens * chunkFlops(m, Math.min(g.query, m.chunk))) / tensor
  }
  const heads = m.kind === 'mamba2' ? m.heads : 2 * m.valueHeads
  emit(
    c,
    `${m.name}-state`,
    { kind: 'recurrence', sequences: c.sequences, tokens: c.tokens, state: stateElements / tensor },
    matrix,
    vector,
    [
      activationStream('read', (c.tokens * (channels + heads) * width) / tensor),
      activationStream('write', (c.tokens * inner * width) / tensor),
      { owner: 'kv', way: 'read', bytes: before * state, metadata: 0 },
      { owner: 'kv', way: 'write', bytes: left * state, metadata: 0 },
    ],
    c.deployment.stream.unit,
  )
}
