// GLM-4, GLM-4-0414 with norms on both sides of a sub-layer, and GLM-4.5's mixture of experts. Half of a head is rotated.
import { biases, type Draft, overHead, sandwichNorm } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { sharedExperts, sparseMlp } from './moe.ts'
import { gatedMlp, headWidths, positions, rotaryWidth, standardDecoder } from './shape.ts'

export function glm(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', true), false)
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, { heads: h, attention: () => ({ bias, rotary }) })
}

export function glm4(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', true), false)
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

/** ChatGLM 2 and 3 and GLM-4 in its own repository's spelling. */
export function chatglm(f: Fields): Draft {
  const width = f.count('hidden_size')
  const heads = f.count('num_attention_heads')
  const grouped = f.flag('multi_query_attention', false)
  const kvHeads = grouped ? f.count('multi_query_group_num') : heads
  f.quotient('num_attention_heads', heads, 'multi_query_group_num', kvHeads)
  const headDim = f.optional('kv_channels') ?? f.quotient('hidden_size', width, 'num_attention_heads', heads)
  f.size('kv_channels', heads * headDim)
  const bias = biases(f.flag('add_qkv_bias', false), f.flag('add_bias_linear', false))
  return standardDecoder(f, {
    heads: { width, heads, kvHeads, headDim },
    attention: () => ({ bias, rotary: Math.floor(headDim / 2) }),
    mlp: gatedMlp(f, width, f.flag('add_bias_linear', false)),
    vocabulary: f.count(['padded_vocab_size', 'vocab_size'], limits.vocabulary),
    positions: positions(f, ['seq_length']),
  })
}
