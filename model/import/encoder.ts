// Encoders that read a whole input at once: BERT and its relatives.
import type { Linear, Module } from '../architecture.ts'
import { groupLayers } from '../architecture.ts'
import { allBias, type Draft, feedForward, layerNorm, layersOf, norm, postNorm, selfAttention } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { activation } from './shape.ts'

interface EncoderParts {
  readonly width: number
  readonly input: readonly Module[]
  readonly layers: readonly (readonly Module[])[]
  readonly output: readonly Module[]
  readonly positions?: number
  readonly sourceTokens?: number
}

export function encoder({ width, input, layers, output, ...rest }: EncoderParts): Draft {
  return {
    kind: 'encoder',
    stacks: [{ name: 'encoder', width, input, groups: groupLayers(layers), output }],
    ...rest,
  }
}

/** A product over one token of each sequence. */
export function perSequence(name: string, input: number, output: number): Linear {
  return { kind: 'linear', name, role: 'head', input, output, bias: true, tokens: 'sequence' }
}

export function bert(f: Fields): Draft {
  const width = f.count('hidden_size')
  const heads = f.count('num_attention_heads')
  const headDim = f.quotient('hidden_size', width, 'num_attention_heads', heads)
  const h = { width, heads, kvHeads: heads, headDim }
  const attention = selfAttention(h, { bias: allBias, rotary: 0, causal: false })
  const mlp = feedForward(width, f.count('intermediate_size'), {
    gated: false,
    bias: true,
    activation: activation(f, ['hidden_act'], 'gelu'),
  })
  const rows = f.count('max_position_embeddings', limits.tokens)
  const tables = [
    { name: 'tokens', rows: f.count('vocab_size', limits.vocabulary), width, lookups: 1 },
    { name: 'positions', rows, width, lookups: 1 },
    { name: 'types', rows: f.countOr('type_vocab_size', 2, 'default of the family'), width, lookups: 1 },
  ]
  return encoder({
    width,
    input: [{ kind: 'embedding', name: 'embedding', tables }, norm('embedding-norm', width, layerNorm, false)],
    layers: layersOf(f.count('num_hidden_layers', limits.layers), () => postNorm(layerNorm, width, attention, mlp)),
    output: [perSequence('pooler', width, width)],
    positions: rows,
  })
}
