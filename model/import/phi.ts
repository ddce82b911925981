// Phi: 1.5 and 2 in GPT-J's style, 3 and 4 in Llama's, and 3.5's mixture of experts.
import { allBias, type Draft, layerNorm, parallelBlock } from './blocks.ts'
import type { Fields } from './fields.ts'
import { mixture } from './moe.ts'
import { attentionBias, headWidths, plainMlp, rotaryWidth, standardDecoder, uniformReach } from './shape.ts'

export function phi(f: Fields): Draft {
  const h = headWidths(f)
  const queryKeyNorm = f.flag('qk_layernorm', false) ? ({ type: 'layer', over: 'head' } as const) : undefined
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    block: parallelBlock(1),
    attention: () => ({ bias: allBias, rotary, ...(queryKeyNorm && { queryKeyNorm }) }),
    mlp: plainMlp(f, h.width, f.count('intermediate_size'), { field: 'hidden_act', usual: 'gelu' }),
    headBias: true,
  })
}

export function phi3(f: Fields): Draft {
  const reach = uniformReach(f)
  return standardDecoder(f, { attention: () => ({ reach }) })
}

export function phimoe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const reach = uniformReach(f)
  const moe = mixture(f, h.width)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    attention: () => ({ bias, reach }),
    mlp: () => moe,
    headBias: f.flag('lm_head_bias', false),
  })
}
