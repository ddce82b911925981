// The operators of one forward pass of a deployment over a workload: every layer group once, with a count.
import { type LayerGroup, layerLabel, type Module, type Stack } from './architecture.ts'
import { type Deployment, devices, replicas } from './deployment.ts'
import { attention } from './modules/attention.ts'
import { temporalConvolution } from './modules/convolution.ts'
import { add, convolution, embedding, head, linear, norm, scale, upsample } from './modules/edges.ts'
import { type Context, collective } from './modules/emit.ts'
import { feedForward, mixtureOfExperts } from './modules/feed-forward.ts'
import { latentAttention } from './modules/latent-attention.ts'
import { recurrence } from './modules/recurrence.ts'
import { relativeAttention } from './modules/relative-attention.ts'
import type { Operator, Pass } from './operator.ts'
import { exitRate, framesOf, outputLength, tokensAt } from './rate.ts'
import { tokens as newTokens, type Sequences, type Workload } from './workload.ts'

const emitters: { readonly [K in Module['kind']]: (m: Extract<Module, { kind: K }>, c: Context) => void } = {
  norm,
  add,
  attention,
  'latent-attention': latentAttention,
  mamba2: recurrence,
  'delta-net': recurrence,
  ffn: feedForward,
  moe: mixtureOfExperts,
  linear,
  convolution,
  'temporal-convolution': temporalConvolution,
  'relative-attention': relativeAttention,
  scale,
  upsample,
  embedding,
  head,
}

function emitModule(m: Module, c: Context): void {
  const emitter = emitters[m.kind] as (m: Module, c: Context) => void
  emitter(m, c)
}

/** The same sequences at other lengths. */
function resized(c: Context, length: (g: Sequences) => number): Context {
  const groups = c.groups.map((g) => ({ ...g, query: length(g) }))
  return { ...c, groups, tokens: groups.reduce((sum, g) => sum + g.sequences * g.query, 0) }
}

/** Everything at the rate of one token for `rate` of the stack's. */
function atRate(c: Context, rate: number): Context {
  return rate === 1 ? c : resized(c, (g) => tokensAt(rate, g.query))
}

/** Emits the modules one after the other, each at the length that those before it leave; `whole` is at rate 1. */
function emitInOrder(modules: readonly Module[], whole: Context, begin: Context, beginRate: number): Context {
  let c = begin
  let rate = beginRate
  for (const m of modules) {
    if (m.kind === 'upsample') {
      rate /= m.factor
      c = atRate(whole, rate)
    }
    emitModule(m, c)
    if (m.kind !== 'temporal-convolution') continue
    rate *= m.time.stride
    c = resized(c, (g) => outputLength(m.name, m.time, g.query))
  }
  return c
}

/** Modules before the layers: those of a speech encoder read frames, and must leave the workload's tokens. */
function emitInput(stack: Stack, whole: Context): void {
  if (!stack.input.some((m) => m.kind === 'temporal-convolution')) {
    for (const m of stack.input) emitModule(m, whole)
    return
  }
  const frames = resized(whole, (g) => g.frames ?? framesOf(stack, g.query))
  const left = emitInOrder(stack.input, whole, frames, 1)
  left.groups.forEach((g, i) => {
    const { frames, query } = whole.groups[i] as Sequences
    if (g.query !== query) throw new RangeError(`frames: expected what makes ${query} tokens, got ${frames}`)
  })
}

/** The stack that the workload runs on. */
export function stackOf(deployment: Deployment, workload: Workload): Stack {
  const { architecture } = deployment
  const stack = architecture.stacks.find((s) => s.name === workload.stack)
  if (!stack) throw new RangeError(`${architecture.name} has no ${workload.stack}: it is a ${architecture.kind} model`)
  return stack
}

/** The busiest replica's share of each group, where attention runs data-parallel. A shared stretch is read by each. */
export function rankGroups(deployment: Deployment, groups: readonly Sequences[]): readonly Sequences[] {
  const ways = replicas(deployment)
  if (ways === 1) return groups
  return groups.map((g) => {
    const sequences = Math.ceil(g.sequences / ways)
    const past = g.past.map((s) => {
      const copies = Math.min(sequences, Math.ceil(s.copies / ways))
      return { ...s, copies, sharers: sequences / copies }
    })
    return { ...g, sequences, past }
  })
}

/** One forward pass as one rank (the busiest) runs it; pipeline stages follow each other and are all listed. */
export function pass(deployment: Deployment, workload: Workload): Pass {
  const stack = stackOf(deployment, workload)
  const groups = rankGroups(deployment, workload.groups)
  let tokens = 0
  let sequences = 0
  let logits = 0
  for (const g of groups) {
    tokens += g.sequences * g.query
    sequences += g.sequences
    logits += g.sequences * g.logits
  }
  const out: Operator[] = []
  const allTokens = newTokens(workload)
  const whole = { deployment, groups, tokens, sequences, logits, allTokens, out, layers: '', count: 1 }
  emitInput(stack, whole)
  for (const group of stack.groups) {
    const c = { ...whole, layers: label(group), count: group.layers.length }
    emitInOrder(group.modules, c, atRate(c, group.rate ?? 1), group.rate ?? 1)
  }
  const last = atRate(whole, exitRate(stack))
  for (const m of stack.output) emitModule(m, last)
  const boundaries = deployment.parallel.pipeline - 1
  const sent = { ...whole, count: boundaries }
  if (boundaries > 0) collective(sent, 'pipeline-send', 'send', devices(deployment), tokens * stack.width)
  return out
}

const labels = new WeakMap<LayerGroup, string>()

function label(group: LayerGroup): string {
  let known = labels.get(group)
  if (known === undefined) {
    known = layerLabel(group.layers)
    labels.set(group, known)
  }
  return known
}
