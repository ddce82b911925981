// BART (arXiv 1910.13461) and mBART: an encoder and a decoder in BERT's style, over one table of tokens.
import type { Module, Stack } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import {
  allBias,
  crossAttention,
  type Draft,
  embedding,
  feedForward,
  type HeadWidths,
  layerNorm,
  layersOf,
  norm,
  selfAttention,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { activation, tied } from './shape.ts'

/** What differs within the family. */
interface Variant {
  /** Norms before the sub-layers and one at the end (mBART), else after each sub-layer (BART). */
  readonly preNorm: boolean
  readonly embeddingNorm: boolean
  /** Rows of a table of positions beyond the positions; no table at all where positions are computed. */
  readonly positionRows: 'plus-two' | 'exact' | 'none'
}

/** One layer of `encoder` or `decoder`: its sub-layers, each with a norm before or after. */
function layer(subLayers: readonly (readonly [string, Module])[], width: number, preNorm: boolean): Module[] {
  return subLayers.flatMap(([name, module]) => {
    const around = norm(name, width, layerNorm)
    return preNorm ? [around, module] : [module, around]
  })
}

export function sideHeads(f: Fields, side: Stack['name']): HeadWidths {
  const width = f.count('d_model')
  const key = `${side}_attention_heads`
  const heads = f.count(key)
  return { width, heads, kvHeads: heads, headDim: f.quotient('d_model', width, key, heads) }
}

export function sideMlp(f: Fields, side: Stack['name'], width: number): Module {
  const act = activation(f, ['activation_function'], 'gelu')
  return feedForward(width, f.count(`${side}_ffn_dim`), { gated: false, bias: true, activation: act })
}

function stack(f: Fields, side: Stack['name'], v: Variant, output: Module[]): Stack {
  const h = sideHeads(f, side)
  const decodes = side === 'decoder'
  const attention = selfAttention(h, { bias: allBias, rotary: 0, causal: decodes })
  const cross = crossAttention(h, h.width, { bias: allBias })
  const mlp = sideMlp(f, side, h.width)
  const subLayers: (readonly [string, Module])[] = [
    ['input-norm', attention],
    ...(decodes ? ([['cross-norm', cross]] as const) : []),
    ['post-attention-norm', mlp],
  ]
  const modules = layer(subLayers, h.width, v.preNorm)
  return {
    name: side,
    width: h.width,
    input: [
      embedding(tables(f, h.width, v, decodes)),
      ...(v.embeddingNorm ? [norm('embedding-norm', h.width, layerNorm, false)] : []),
    ],
    groups: groupLayers(layersOf(f.count(`${side}_layers`, limits.layers), () => modules)),
    output: [...(v.preNorm ? [norm('final-norm', h.width, layerNorm)] : []), ...output],
  }
}

function tables(f: Fields, width: number, v: Variant, shared: boolean) {
  const rows = f.count('vocab_size', limits.vocabulary)
  const tokens = { name: 'tokens', rows, width, lookups: 1, ...(shared ? { shared: true as const } : {}) }
  if (v.positionRows === 'none') return [tokens]
  const positions = f.count('max_position_embeddings', limits.tokens) + (v.positionRows === 'plus-two' ? 2 : 0)
  return [tokens, { name: 'positions', rows: positions, width, lookups: 1 }]
}

function bartLike(f: Fields, v: Variant): Draft {
  const width = f.count('d_model')
  const vocabulary = f.count('vocab_size', limits.vocabulary)
  const head = { kind: 'head', name: 'lm-head', width, vocabulary, tied: tied(f, true), bias: false } as const
  const positions = f.optional('max_position_embeddings', limits.tokens)
  return {
    kind: 'encoder-decoder',
    ...(positions === undefined ? {} : { positions }),
    stacks: [stack(f, 'encoder', v, []), stack(f, 'decoder', v, [head])],
  }
}

export function bart(f: Fields): Draft {
  return bartLike(f, { preNorm: false, embeddingNorm: true, positionRows: 'plus-two' })
}

export function mbart(f: Fields): Draft {
  return bartLike(f, { preNorm: true, embeddingNorm: true, positionRows: 'plus-two' })
}

/** Sinusoidal positions, stored as a table. */
export function pegasus(f: Fields): Draft {
  return bartLike(f, { preNorm: true, embeddingNorm: false, positionRows: 'exact' })
}

export function marian(f: Fields): Draft {
  return bartLike(f, { preNorm: false, embeddingNorm: false, positionRows: 'exact' })
}

/** Sinusoidal positions, computed (M2M-100, NLLB). */
export function m2m100(f: Fields): Draft {
  return bartLike(f, { preNorm: true, embeddingNorm: false, positionRows: 'none' })
}
