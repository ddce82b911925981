// Llama and those that differ from it by a bias, a norm of queries and keys, a window or experts: Mistral, Qwen, Phi-3,
// Granite, Cohere, OLMo, GLM and others. `transformers/models/<type>/modeling_<type>.py` says in which.
import type { Attention, Reach } from '../architecture.ts'
import {
  allBias,
  biases,
  type Draft,
  fullReach,
  layerNorm,
  parallelBlock,
  postNorm,
  qkvBias,
  sandwichNorm,
} from './blocks.ts'
import { gatedMlp, plainMlp, standardDecoder } from './decoder.ts'
import { type Fields, limits } from './fields.ts'
import { mixture, sharedExperts, sparseMlp } from './moe.ts'
import { headWidths, layerTotal, reaches, rotaryWidth, uniformReach } from './shape.ts'

const overHead: Attention['queryKeyNorm'] = { type: 'rms', over: 'head' }
const overWidth: Attention['queryKeyNorm'] = { type: 'rms', over: 'width' }

function attentionBias(f: Fields, fallback = false): Attention['bias'] {
  return biases(f.flag('attention_bias', fallback))
}

/** A function of the layer from a list with an entry for each. */
function at<T>(list: readonly T[]): (layer: number) => T {
  return (layer) => list[layer] as T
}

/** `layer_types` where stated, else one window over all layers where `sliding_window` is a number. */
function listedOrUniform(f: Fields): (layer: number) => Reach {
  if (f.has('layer_types')) return at(reaches(f, layerTotal(f)))
  const uniform = uniformReach(f)
  return () => uniform
}

export function llama(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  return standardDecoder(f, {
    heads: h,
    attention: () => ({ bias }),
    mlp: gatedMlp(f, h.width, f.flag('mlp_bias', false)),
  })
}

export function mistral(f: Fields): Draft {
  const reach = listedOrUniform(f)
  return standardDecoder(f, { attention: (i) => ({ reach: reach(i) }) })
}

export function mixtral(f: Fields): Draft {
  const h = headWidths(f)
  const reach = uniformReach(f)
  const moe = mixture(f, h.width)
  return standardDecoder(f, { heads: h, attention: () => ({ reach }), mlp: () => moe })
}

/** Qwen's windows: from layer `max_window_layers` up, and only if switched on. */
function qwenReach(f: Fields): (layer: number) => Reach {
  const layers = layerTotal(f)
  if (!f.flag('use_sliding_window', false)) {
    if (f.has('layer_types')) return at(reaches(f, layers))
    f.raw('sliding_window')
    return () => fullReach
  }
  const first =
    f.whole('max_window_layers', 0, limits.tokens) ?? f.assume('max_window_layers', 28, 'default of the family')
  const windows = f.optional('sliding_window', limits.tokens) !== undefined
  return at(reaches(f, layers, (i) => (windows && i >= first ? 'window' : 'full')))
}

export function qwen2(f: Fields): Draft {
  const reach = qwenReach(f)
  return standardDecoder(f, { attention: (i) => ({ bias: qkvBias, reach: reach(i) }) })
}

export function qwen3(f: Fields): Draft {
  const reach = qwenReach(f)
  const bias = attentionBias(f)
  return standardDecoder(f, { attention: (i) => ({ bias, queryKeyNorm: overHead, reach: reach(i) }) })
}

export function qwen2Moe(f: Fields): Draft {
  const h = headWidths(f)
  const reach = qwenReach(f)
  const bias = f.flag('qkv_bias', true) ? qkvBias : biases(false)
  const shared = { hidden: f.count('shared_expert_intermediate_size'), gate: true }
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, reach: reach(i) }),
    mlp: sparseMlp(f, h.width, { hidden: f.count('moe_intermediate_size'), shared }),
  })
}

export function qwen3Moe(f: Fields): Draft {
  const h = headWidths(f)
  const reach = qwenReach(f)
  const bias = attentionBias(f)
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, queryKeyNorm: overHead, reach: reach(i) }),
    mlp: sparseMlp(f, h.width, { hidden: f.count('moe_intermediate_size') }),
  })
}

export function phi3(f: Fields): Draft {
  const reach = uniformReach(f)
  return standardDecoder(f, { attention: () => ({ reach }) })
}

export function phi(f: Fields): Draft {
  const h = headWidths(f)
  const queryKeyNorm = f.flag('qk_layernorm', false) ? ({ type: 'layer', over: 'head' } as const) : undefined
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    block: parallelBlock(1),
    attention: () => ({ bias: allBias, rotary, ...(queryKeyNorm && { queryKeyNorm }) }),
    mlp: plainMlp(f, h.width, f.count('intermediate_size'), 'gelu'),
    headBias: true,
  })
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

export function granite(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const mlp = gatedMlp(f, h.width, f.flag('mlp_bias', false))
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp, tied: true })
}

/** GraniteMoE's experts, and its shared expert where it states a width for one. */
export function graniteMoe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const hidden = f.whole('shared_intermediate_size')
  const moe = mixture(f, h.width, hidden ? { shared: { hidden, gate: false } } : {})
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp: () => moe, tied: true })
}

/** Command R: one norm without bias for attention and feed-forward in parallel. Its norms of queries and keys are layer
 * norms without bias, counted as the RMS norms that have as many weights. */
export function cohere(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const queryKeyNorm = f.flag('use_qk_norm', false) ? overWidth : undefined
  return standardDecoder(f, {
    heads: h,
    style: { type: 'layer', bias: false },
    block: parallelBlock(1),
    attention: () => ({ bias, ...(queryKeyNorm && { queryKeyNorm }) }),
    tied: true,
  })
}

/** Command R7B: three windowed layers, then one over everything without positions. */
export function cohere2(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const period = f.has('layer_types')
    ? 4
    : f.countOr('sliding_window_pattern', 4, 'default of the family', limits.layers)
  const reach = reaches(f, layerTotal(f), (i) => ((i + 1) % period === 0 ? 'full' : 'window'))
  return standardDecoder(f, {
    heads: h,
    style: { type: 'layer', bias: false },
    block: parallelBlock(1),
    attention: (i) => ({
      bias,
      reach: reach[i] as Reach,
      rotary: reach[i]?.kind === 'full' ? 0 : h.headDim,
    }),
    tied: true,
  })
}

/** OLMo: layer norms without weights. */
export function olmo(f: Fields): Draft {
  const bias = attentionBias(f)
  return standardDecoder(f, { style: { type: 'layer', bias: false, scale: false }, attention: () => ({ bias }) })
}

/** OLMo 2 and 3: norms after the sub-layers, queries and keys normed over all heads, windows by `layer_types`. */
export function olmo2(f: Fields): Draft {
  const bias = attentionBias(f)
  const reach = f.has('layer_types') ? at(reaches(f, layerTotal(f))) : () => fullReach
  return standardDecoder(f, {
    block: postNorm,
    attention: (i) => ({ bias, queryKeyNorm: overWidth, reach: reach(i) }),
  })
}

export function olmo3(f: Fields): Draft {
  const bias = attentionBias(f)
  const reach = reaches(f, layerTotal(f), (i) => ((i + 1) % 4 === 0 ? 'full' : 'window'))
  return standardDecoder(f, {
    block: postNorm,
    attention: (i) => ({ bias, queryKeyNorm: overWidth, reach: reach[i] as Reach }),
  })
}

export function olmoe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const moe = mixture(f, h.width)
  return standardDecoder(f, { heads: h, attention: () => ({ bias, queryKeyNorm: overWidth }), mlp: () => moe })
}

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

export function stablelm(f: Fields): Draft {
  const h = headWidths(f)
  const bias = f.flag('use_qkv_bias', false) ? qkvBias : biases(false)
  const rotary = rotaryWidth(f, h.headDim, 0.25)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    block: f.flag('use_parallel_residual', false) ? parallelBlock(1) : undefined,
    attention: () => ({ bias, rotary }),
  })
}

export function starcoder2(f: Fields): Draft {
  const h = headWidths(f)
  const bias = f.flag('use_bias', true)
  const reach = uniformReach(f)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    attention: () => ({ bias: biases(bias), reach }),
    mlp: plainMlp(f, h.width, f.count('intermediate_size'), 'gelu', bias),
    tied: true,
  })
}

/** Nemotron-4 and Minitron: layer norms and a squared ReLU without gate. */
export function nemotron(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const rotary = rotaryWidth(f, h.headDim, 0.5)
  return standardDecoder(f, {
    heads: h,
    style: layerNorm,
    attention: () => ({ bias, rotary }),
    mlp: plainMlp(f, h.width, f.count('intermediate_size'), 'relu2', f.flag('mlp_bias', false)),
  })
}
