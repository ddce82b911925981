// What a layer keeps of its forward pass until the backward pass: each module's saved tensors, by the rule of Korthikanti
// et al. (arXiv 2205.05198), s·b·h·(34 + 5·a·s/h) bytes of a layer in 16 bits with dropout, taken apart so that it holds
// for other widths, key heads, gates and experts. Working memory of kernels is not in it.
import type { Architecture, Attention, LatentAttention, Module, Stack } from '../../model/architecture.ts'

export const recomputations = ['none', 'selective', 'full'] as const
export type Recompute = (typeof recomputations)[number]

export interface SavedOptions {
  readonly batch: number
  readonly sequence: number
  /** Tokens of the encoder that cross attention reads. */
  readonly source?: number
  /** Bytes of an activation's element. */
  readonly width: number
  /** Devices of tensor parallelism; what is not split by it each keeps whole. */
  readonly tensor: number
  /** Scores are kept: attention is neither fused nor computed again. */
  readonly scores: boolean
  /** Masks of dropout are kept, a byte for each element. */
  readonly dropout: boolean
}

/** Bytes of one token (of scores: of one token and key) of a module: whole on every device, and split over them. */
interface Saved {
  readonly whole: number
  readonly split: number
}

/** Bytes that one layer of these modules keeps on one device. Throws RangeError for modules that no rule is known of. */
export function layerActivations(modules: readonly Module[], o: SavedOptions): number {
  const tokens = o.batch * o.sequence
  let sum = 0
  for (const m of modules) {
    const { whole, split } = saved(m, o)
    sum += tokens * (whole + split / o.tensor)
  }
  return sum
}

function saved(m: Module, o: SavedOptions): Saved {
  const { width: e } = o
  const mask = o.dropout ? 1 : 0
  switch (m.kind) {
    case 'norm':
      return { whole: e * m.width, split: 0 }
    case 'add':
      return { whole: 0, split: 0 }
    case 'attention':
      return attentionSaved(m, o)
    case 'latent-attention':
      return latentSaved(m, o)
    case 'ffn':
      return { whole: (e + mask) * m.width, split: hiddenSaved(m.gated, m.hidden, e) }
    case 'moe': {
      const inner = m.latent ?? m.width
      const shared = m.shared ? hiddenSaved(m.gated, m.shared.hidden, e) : 0
      // Every expert of a token gets its own copy of it, and its output is weighed: both are kept.
      const routed = m.active * (2 * e * inner + hiddenSaved(m.gated, m.hidden, e))
      return { whole: (e + mask) * m.width + e * m.experts, split: routed + shared }
    }
    case 'linear':
      return { whole: e * m.input, split: 0 }
    default:
      throw new RangeError(
        `train: expected attention, feed-forward and expert layers, got ${m.kind}, whose activations no rule here counts`,
      )
  }
}

/** Of a gated layer gate, its activation, the other half and their product; else both sides of the activation. */
function hiddenSaved(gated: boolean, hidden: number, e: number): number {
  return (gated ? 4 : 2) * e * hidden
}

function attentionSaved(a: Attention, o: SavedOptions): Saved {
  const { width: e } = o
  const keys = a.source ? (o.source ?? 0) : o.sequence
  // Keys and values of cross attention are of the source's tokens.
  const perToken = a.source ? keys / o.sequence : 1
  const own = a.borrowed ? 0 : a.kvHeads * (a.headDim + (a.keyIsValue ? 0 : (a.valueDim ?? a.headDim)))
  const output = a.heads * (a.valueDim ?? a.headDim)
  const query = a.heads * a.headDim * (a.gate ? 2 : 1)
  return {
    whole: (e + (o.dropout ? 1 : 0)) * a.width,
    split: e * (query + own * perToken + output) + a.heads * keys * scoreBytes(o),
  }
}

function latentSaved(a: LatentAttention, o: SavedOptions): Saved {
  const { width: e } = o
  const low = (a.queryRank ?? 0) + a.kvRank + a.ropeDim
  const heads = a.heads * (2 * (a.nopeDim + a.ropeDim) + 2 * a.valueDim)
  return {
    whole: e * (a.width + low) + (o.dropout ? a.width : 0),
    split: e * heads + a.heads * o.sequence * scoreBytes(o),
  }
}

/** Of each score: what the softmax gave, and with dropout the mask and what it left. */
function scoreBytes({ scores, dropout, width: e }: SavedOptions): number {
  if (!scores) return 0
  return dropout ? 2 * e + 1 : e
}

/** Bytes of a layer of which only the input is kept. */
function inputOf(stack: Stack, { batch, sequence, width: e }: SavedOptions): number {
  return batch * sequence * e * stack.width
}

/** All layers of a model on one device, and what stands before and after them. */
export function modelActivations(a: Architecture, o: SavedOptions, recompute: Recompute): number {
  let sum = 0
  let largest = 0
  for (const stack of a.stacks) {
    const own = stack.name === 'encoder' && o.source !== undefined ? { ...o, sequence: o.source } : o
    for (const group of stack.groups) {
      const layer = layerActivations(group.modules, own)
      largest = Math.max(largest, layer)
      sum += group.layers.length * (recompute === 'full' ? inputOf(stack, own) : layer)
    }
    sum += edges(stack, own)
  }
  // While a layer is computed again, all of it is there.
  return recompute === 'full' ? sum + largest : sum
}

/** The mask of the embedding's dropout, the last norm, and the head's input and logits, these in 4 bytes for the loss. */
function edges({ input, output, width }: Stack, { batch, sequence, width: e, tensor, dropout }: SavedOptions): number {
  const tokens = batch * sequence
  const embedded = dropout && input.some((m) => m.kind === 'embedding') ? tokens * width : 0
  return output.reduce((sum, m) => {
    if (m.kind === 'norm') return sum + tokens * e * m.width
    if (m.kind === 'head') return sum + tokens * (e * m.width + (4 * m.vocabulary) / tensor)
    return sum
  }, embedded)
}
