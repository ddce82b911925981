// Llama and those that differ from it by a bias, a norm of queries and keys, a window or experts: Mistral, Mixtral, Qwen.
import type { Attention, Module, Reach } from '../architecture.ts'
import {
  activation,
  biases,
  type Draft,
  decoder,
  feedForward,
  fullReach,
  headWidths,
  layersOf,
  layerTotal,
  norm,
  positions,
  preNorm,
  qkvBias,
  reaches,
  rms,
  rotaryWidth,
  selfAttention,
  tied,
  uniformReach,
  vocabulary,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { mixture } from './moe.ts'

interface Variant {
  readonly bias?: Attention['bias']
  readonly queryKeyNorm?: Attention['queryKeyNorm']
  readonly reach?: (layer: number) => Reach
  readonly mlp?: (layer: number, width: number) => Module
  readonly tied?: boolean
}

const overHead = { type: 'rms', over: 'head' } as const

/** A pre-norm decoder with RMS norms, rotary positions and a gated feed-forward. */
function llamaLike(f: Fields, v: Variant): Draft {
  const h = headWidths(f)
  const rotary = rotaryWidth(f, h.headDim)
  const mlp = v.mlp ?? denseMlp(f)
  const layers = layersOf(layerTotal(f), (i) => {
    const attention = selfAttention(h, {
      rotary,
      ...(v.bias ? { bias: v.bias } : {}),
      ...(v.queryKeyNorm ? { queryKeyNorm: v.queryKeyNorm } : {}),
      reach: v.reach?.(i) ?? fullReach,
    })
    return preNorm(rms, h.width, attention, mlp(i, h.width))
  })
  return decoder({
    width: h.width,
    layers,
    vocabulary: vocabulary(f),
    tied: tied(f, v.tied ?? false),
    finalNorm: norm('final-norm', h.width, rms),
    positions: positions(f),
  })
}

export function silu(f: Fields): string {
  return activation(f, ['hidden_act'], 'silu')
}

function denseMlp(f: Fields, bias = false): (layer: number, width: number) => Module {
  const hidden = f.count('intermediate_size')
  const more = { bias, activation: silu(f) }
  return (_, width) => feedForward(width, hidden, more)
}

export function llama(f: Fields): Draft {
  return llamaLike(f, { bias: biases(f.flag('attention_bias', false)), mlp: denseMlp(f, f.flag('mlp_bias', false)) })
}

export function mistral(f: Fields): Draft {
  const reach = f.has('layer_types') ? reaches(f, layerTotal(f)) : undefined
  const uniform = reach ? fullReach : uniformReach(f)
  return llamaLike(f, { reach: (i) => reach?.[i] ?? uniform })
}

export function mixtral(f: Fields): Draft {
  const reach = uniformReach(f)
  const activation = silu(f)
  return llamaLike(f, { reach: () => reach, mlp: (_, width) => mixture(f, width, { activation }) })
}

/** Qwen's windows: from layer `max_window_layers` up, and only if switched on. */
function qwenReach(f: Fields): (layer: number) => Reach {
  const layers = layerTotal(f)
  if (!f.flag('use_sliding_window', false)) {
    f.raw('layer_types')
    return () => fullReach
  }
  const first = f.has('layer_types') ? 0 : (f.whole('max_window_layers', 0, limits.layers) ?? 0)
  const windows = f.optional('sliding_window', limits.tokens) !== undefined
  const reach = reaches(f, layers, (i) => (windows && i >= first ? 'window' : 'full'))
  return (i) => reach[i] as Reach
}

export function qwen2(f: Fields): Draft {
  return llamaLike(f, { bias: qkvBias, reach: qwenReach(f) })
}

export function qwen3(f: Fields): Draft {
  return llamaLike(f, {
    bias: biases(f.flag('attention_bias', false)),
    queryKeyNorm: overHead,
    reach: qwenReach(f),
  })
}

/** Which layers have experts: every `decoder_sparse_step`th that `mlp_only_layers` does not except. */
function sparseLayers(f: Fields): (layer: number) => boolean {
  const step = f.countOr('decoder_sparse_step', 1, 'every layer', limits.layers)
  const dense = new Set(f.wholes('mlp_only_layers') ?? [])
  return (layer) => !dense.has(layer) && (layer + 1) % step === 0
}

export function qwen2Moe(f: Fields): Draft {
  const shared = { hidden: f.count('shared_expert_intermediate_size'), gate: true }
  return llamaLike(f, { bias: qkvBias, reach: qwenReach(f), mlp: sparseMlp(f, { shared }) })
}

export function qwen3Moe(f: Fields): Draft {
  return llamaLike(f, {
    bias: biases(f.flag('attention_bias', false)),
    queryKeyNorm: overHead,
    reach: qwenReach(f),
    mlp: sparseMlp(f, {}),
  })
}

function sparseMlp(f: Fields, more: Parameters<typeof mixture>[2]): (layer: number, width: number) => Module {
  const sparse = sparseLayers(f)
  const activation = silu(f)
  const hidden = f.count('moe_intermediate_size')
  return (layer, width) =>
    sparse(layer)
      ? mixture(f, width, { hidden, activation, ...more })
      : feedForward(width, f.count('intermediate_size'), { activation })
}
