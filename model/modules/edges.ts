// What stands at the edges of a stack and between its blocks: look-up tables, convolutions, norms, scales, additions,
// single projections, the step back up of a Temporal U-Net (the step down is a convolution) and the vocabulary head.
import type { Add, Convolution, Embedding, Head, Linear, Norm, Scale, Upsample } from '../architecture.ts'
import type { Stream } from '../operator.ts'
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

/** Rows read, not tables. With tensor parallelism each rank has a share of the vocabulary, and the rows are summed. */
export function embedding(e: Embedding, c: Context): void {
  const f = c.deployment.weights.embedding
  const { tensor } = c.deployment.parallel
  const streams: Stream[] = []
  let width = 0
  let read = 0
  for (const t of e.tables) {
    if (t.lookups === 0) continue
    width = Math.max(width, t.width)
    // No more rows than the table has: like tokens are read once.
    const bytes = (Math.min(c.tokens * t.lookups, t.rows) * t.width * f.bits) / 8 / tensor
    read += t.lookups
    streams.push({ owner: 'weights', way: 'read', bytes, metadata: 0, run: (t.width * f.bits) / 8 })
  }
  if (read === 0) return
  const elements = c.tokens * width
  streams.push(activationStream('write', elements * streamBytes(c)))
  emit(c, e.name, { kind: 'stream', elements }, 0, (read - 1) * elements, streams)
  collective(c, `${e.name}-all-reduce`, 'all-reduce', tensor, elements)
}

/** A convolution, whole on every rank. */
export function convolution(v: Convolution, c: Context): void {
  const { weights, stream } = c.deployment
  const taps = (v.channels.input / v.groups) * v.kernel.reduce((a, b) => a * b, 1)
  const channels = v.channels.output
  const outputs = c.tokens * v.outputPerToken
  const flops = 2 * outputs * channels * taps
  const depthwise = v.groups > 1
  const streams: Stream[] = [
    {
      owner: 'weights',
      way: 'read',
      bytes: (channels * taps * weights.convolution.bits + (v.bias ? channels : 0) * weights.norm.bits) / 8,
      metadata: 0,
    },
    activationStream('read', (c.tokens * v.inputPerToken * v.channels.input * stream.bits) / 8),
    activationStream('write', (outputs * channels * stream.bits) / 8),
  ]
  const shape = { kind: 'convolution', outputs, channels, taps } as const
  emit(c, v.name, shape, depthwise ? 0 : flops, depthwise ? flops : 0, streams)
}

/** A norm; where it carries the residual it also reads, adds and writes that. */
export function norm(n: Norm, c: Context): void {
  const elements = c.tokens * n.width
  const factor = n.residual ? 2 : 1
  const bytes = n.scale === false ? 0 : (n.width * (n.bias ? 2 : 1) * c.deployment.weights.norm.bits) / 8
  const work = (vectorWork[n.type] + (n.residual ? vectorWork.add : 0)) * elements
  const scale: Stream = { owner: 'weights', way: 'read', bytes, metadata: 0 }
  elementwise(c, n.name, factor * elements, factor * elements, work, scale)
}

export function add(a: Add, c: Context): void {
  const elements = c.tokens * a.width
  elementwise(c, a.name, 2 * elements, elements, elements)
}

/** A small projection, whole on every rank. */
export function linear(l: Linear, c: Context): void {
  const m = l.tokens === 'all' ? c.tokens : c.sequences
  product(c, l.name, { role: l.role, m, n: l.output, k: l.input, bias: l.bias ? l.output : 0 })
}

/** Only the positions that are asked for take the head; a tied head reads the token table. */
export function head(h: Head, c: Context): void {
  const { tensor } = c.deployment.parallel
  const n = Math.ceil(h.vocabulary / tensor)
  product(c, h.name, { role: h.tied ? 'embedding' : 'head', m: c.logits, n, k: h.width, bias: h.bias ? n : 0 })
  collective(c, `${h.name}-all-gather`, 'all-gather', tensor, c.logits * n)
}

export function scale(s: Scale, c: Context): void {
  const elements = c.tokens * s.width
  const bytes = (2 * s.width * c.deployment.weights.norm.bits) / 8
  const weights: Stream = { owner: 'weights', way: 'read', bytes, metadata: 0 }
  elementwise(c, s.name, elements, elements, 2 * elements, weights)
}

/** Runs at the higher rate: what it writes is complete, what it reads once is not. */
export function upsample(u: Upsample, c: Context): void {
  const read = c.groups.reduce((sum, g) => sum + g.sequences * Math.ceil(g.query / u.factor), 0)
  elementwise(c, u.name, read * u.width, c.tokens * u.width, 0)
}
