// Llama and its near kin: Mistral, Mixtral, StableLM, StarCoder 2, Nemotron-4, Arcee, Apertus, Seed-OSS, EXAONE 4,
// ERNIE 4.5, MiniMax-M2. `transformers/models/<type>/modeling_<type>.py` says where they differ.
import type { Reach } from '../architecture.ts'
import { biases, type Draft, layerNorm, overHead, overWidth, parallelBlock, postNorm, qkvBias } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { expertNames, mixture, sharedExperts } from './moe.ts'
import {
  attentionBias,
  gatedMlp,
  headWidths,
  layerTotal,
  listedOrUniform,
  plainMlp,
  reaches,
  rotaryWidth,
  standardDecoder,
  uniformReach,
} from './shape.ts'

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
    mlp: plainMlp(f, h.width, f.count('intermediate_size'), { field: 'hidden_act', usual: 'gelu' }, bias),
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
    mlp: plainMlp(
      f,
      h.width,
      f.count('intermediate_size'),
      { field: 'hidden_act', usual: 'relu2' },
      f.flag('mlp_bias', false),
    ),
  })
}

/** Arcee's AFM: a squared ReLU without gate. */
export function arcee(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const mlp = plainMlp(
    f,
    h.width,
    f.count('intermediate_size'),
    { field: 'hidden_act', usual: 'relu2' },
    f.flag('mlp_bias', false),
  )
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp })
}

/** Apertus: xIELU without gate, whose two numbers per layer are not counted. */
export function apertus(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const mlp = plainMlp(f, h.width, f.count('intermediate_size'), { field: 'hidden_act', usual: 'xielu' }, false)
  return standardDecoder(f, { heads: h, attention: () => ({ bias, queryKeyNorm: overHead }), mlp })
}

export function seedOss(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', true), f.flag('attention_out_bias', false))
  const mlp = gatedMlp(f, h.width, f.flag('mlp_bias', false))
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp })
}

/** EXAONE 4: norms after the sub-layers; where there are windows, layers that see everything are not rotated. */
export function exaone4(f: Fields): Draft {
  const h = headWidths(f)
  const windows = f.optional('sliding_window', limits.tokens) !== undefined
  const period = exaonePeriod(f)
  const reach = reaches(f, layerTotal(f), (i) => (windows && (i + 1) % period !== 0 ? 'window' : 'full'))
  return standardDecoder(f, {
    heads: h,
    block: postNorm,
    attention: (i) => ({
      queryKeyNorm: overHead,
      reach: reach[i] as Reach,
      rotary: windows && reach[i]?.kind === 'full' ? 0 : h.headDim,
    }),
  })
}

/** `sliding_window_pattern` is a period, or letters of one period (`LLLG`). */
function exaonePeriod(f: Fields): number {
  const pattern = f.raw('sliding_window_pattern')
  if (typeof pattern === 'string' && /^L*G$/.test(pattern)) return pattern.length
  return f.optional('sliding_window_pattern', limits.layers) ?? 4
}

export function ernie45(f: Fields): Draft {
  const h = headWidths(f)
  const bias = f.flag('use_bias', false)
  return standardDecoder(f, {
    heads: h,
    attention: () => ({ bias: biases(bias) }),
    mlp: gatedMlp(f, h.width, bias),
    tied: true,
  })
}

/** Experts in every `moe_layer_interval`th layer between two; a correction of each expert's score. */
export function ernie45Moe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('use_bias', false))
  const first = f.whole('moe_layer_start_index', 0, limits.layers) ?? 0
  const last = ernieLast(f)
  const every = f.optional('moe_layer_interval', limits.layers) ?? 1
  const hidden = f.count('moe_intermediate_size')
  const shared = sharedExperts(f, 'moe_num_shared_experts', hidden)
  const moe = mixture(f, h.width, { hidden, routerExtra: f.count('moe_num_experts'), ...(shared && { shared }) })
  const dense = gatedMlp(f, h.width)
  return standardDecoder(f, {
    heads: h,
    attention: () => ({ bias }),
    mlp: (i) => (i >= first && i <= last && (i + 1) % every === 0 ? moe : dense()),
    tied: true,
  })
}

/** The last layer with experts; -1 is the last of all. */
function ernieLast(f: Fields): number {
  const stated = f.raw('moe_layer_end_index')
  if (stated === undefined || stated === -1) return layerTotal(f) - 1
  return f.whole('moe_layer_end_index', 0, limits.layers) as number
}

export function minimaxM2(f: Fields): Draft {
  const h = headWidths(f)
  const normed = f.flag('use_qk_norm', true)
  const moe = mixture(f, h.width, { routerExtra: f.count(expertNames) })
  const rotary = f.optional('rotary_dim') ?? rotaryWidth(f, h.headDim)
  if (rotary > h.headDim) throw f.wrong('rotary_dim', `at most head_dim = ${h.headDim}`, rotary)
  return standardDecoder(f, {
    heads: h,
    attention: () => ({ rotary, ...(normed ? { queryKeyNorm: overWidth } : {}) }),
    mlp: () => moe,
  })
}

/** Llama 3.2 Vision's text model; the layers that look at images are part of what is left out. */
export function mllama(f: Fields): Draft {
  const crossing = new Set(f.wholes('cross_attention_layers') ?? [])
  const h = headWidths(f)
  const layers = layerTotal(f)
  const own = layers - [...crossing].filter((i) => i < layers).length
  if (own === 0) throw f.error(`cross_attention_layers: ${crossing.size} of ${layers} layers`)
  if (own < layers) f.note(`layers = ${own} (${layers - own} layers that attend to images are left out)`)
  return standardDecoder(f, { heads: h, layers: own })
}
