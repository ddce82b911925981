// The decoders of before Llama: GPT-2, GPT-J, GPT-NeoX, OPT, BLOOM, Falcon. Layer norms with bias, plain feed-forwards.
import {
  activation,
  allBias,
  type Draft,
  decoder,
  feedForward,
  layerNorm,
  layersOf,
  norm,
  preNorm,
  selfAttention,
  tied,
  vocabulary,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'

/** Heads that all keep keys and values. */
function plainHeads(f: Fields, widthKey: string, headsKey: string) {
  const width = f.count(widthKey)
  const heads = f.count(headsKey)
  return { width, heads, kvHeads: heads, headDim: f.quotient(widthKey, width, headsKey, heads) }
}

/** A feed-forward four times as wide as the stream unless stated. */
function inner(f: Fields, key: string, width: number): number {
  return f.countOr(key, 4 * width, 'four times the width')
}

export function gpt2(f: Fields): Draft {
  const h = plainHeads(f, 'n_embd', 'n_head')
  const rows = f.count(['n_positions', 'n_ctx'], limits.tokens)
  const mlp = { gated: false, bias: true, activation: activation(f, ['activation_function'], 'gelu') }
  const hidden = inner(f, 'n_inner', h.width)
  const attention = selfAttention(h, { bias: allBias, rotary: 0 })
  return decoder({
    width: h.width,
    layers: layersOf(f.count('n_layer', limits.layers), () =>
      preNorm(layerNorm, h.width, attention, feedForward(h.width, hidden, mlp)),
    ),
    vocabulary: vocabulary(f),
    tied: tied(f, true),
    finalNorm: norm('final-norm', h.width, layerNorm),
    tables: [{ name: 'positions', rows, width: h.width, lookups: 1 }],
    positions: rows,
  })
}
