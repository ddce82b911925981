// GLM-4, GLM-4-0414 with norms on both sides of a sub-layer, and GLM-4.5's mixture of experts. Half of a head is rotated.
import { biases, type Draft, overHead, sandwichNorm } from './blocks.ts'
import { standardDecoder } from './decoder.ts'
import type { Fields } from './fields.ts'
import { sharedExperts, sparseMlp } from './moe.ts'
import { headWidths, rotaryWidth } from './shape.ts'

export function glm(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', false), false)
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, { heads: h, attention: () => ({ bias, rotary }) })
}

export function glm4(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', false), false)
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, { heads: h, block: sandwichNorm, attention: () => ({ bias, rotary }) })
}

export function glm4Moe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', false), false)
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  const hidden = f.count('moe_intermediate_size')
  const shared = sharedExperts(f, 'n_shared_experts', hidden)
  const queryKeyNorm = f.flag('use_qk_norm', false) ? overHead : undefined
  return standardDecoder(f, {
    heads: h,
    attention: () => ({ bias, rotary, ...(queryKeyNorm && { queryKeyNorm }) }),
    mlp: sparseMlp(f, h.width, { hidden, routerExtra: f.count('n_routed_experts'), ...(shared && { shared }) }),
  })
}
