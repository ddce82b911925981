// Gemma 1 to 4 and 3n: wide heads, tied tables, norms on both sides of a sub-layer from Gemma 2, windows in most layers.
// After transformers/models/gemma*/modeling_gemma*.py.
import type { Attention, Embedding, Module, Reach } from '../architecture.ts'
import {
  add,
  type Draft,
  decoder,
  feedForward,
  type HeadWidths,
  layersOf,
  linear,
  norm,
  overHead,
  rms,
  sandwichNorm,
  selfAttention,
} from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { mixture } from './moe.ts'
import {
  activation,
  attentionBias,
  headWidths,
  layerTotal,
  nestedFactor,
  perLayer,
  positions,
  reaches,
  rotaryWidth,
  standardDecoder,
  tied,
  vocabulary,
} from './shape.ts'

function gelu(f: Fields): string {
  return activation(f, ['hidden_activation', 'hidden_act'], 'gelu')
}

function geluMlp(f: Fields, width: number): () => Module {
  const mlp = feedForward(width, f.count('intermediate_size'), { activation: gelu(f) })
  return () => mlp
}

export function gemma(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp: geluMlp(f, h.width), tied: true })
}

/** Every `period`th layer sees everything, the others a window. */
function periodic(f: Fields, period: number): Reach[] {
  return reaches(f, layerTotal(f), (i) => ((i + 1) % period === 0 ? 'full' : 'window'))
}

export function gemma2(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const reach = periodic(f, 2)
  return standardDecoder(f, {
    heads: h,
    block: sandwichNorm,
    mlp: geluMlp(f, h.width),
    attention: (i) => ({ bias, reach: reach[i] as Reach }),
    tied: true,
  })
}

export function gemma3(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const period = f.has('layer_types')
    ? 6
    : f.countOr(['sliding_window_pattern', '_sliding_window_pattern'], 6, 'default of the family', limits.layers)
  const reach = periodic(f, period)
  const causal = f.optionalFlag('use_bidirectional_attention') !== true
  return standardDecoder(f, {
    heads: h,
    block: sandwichNorm,
    mlp: geluMlp(f, h.width),
    attention: (i) => ({ bias, causal, queryKeyNorm: overHead, reach: reach[i] as Reach }),
    tied: true,
  })
}

/** Layers that compute keys and values of their own; the last ones read those of earlier layers. */
function ownLayers(f: Fields, layers: number, fallback: number): number {
  const shared =
    f.whole('num_kv_shared_layers', 0, limits.layers) ??
    f.assume('num_kv_shared_layers', Math.min(fallback, layers - 1), 'default of the family')
  if (shared >= layers) throw f.error(`num_kv_shared_layers: ${shared} of ${layers} layers`)
  return layers - shared
}

interface PerLayerInput {
  readonly width: number
  readonly table: Embedding['tables'][number]
  readonly input: Module[]
}

/** A second, narrow embedding per token and layer (Gemma 3n), and the projection of the first into it. */
function perLayerInput(f: Fields, width: number, layers: number): PerLayerInput | undefined {
  const narrow = f.whole('hidden_size_per_layer_input')
  if (!narrow) return undefined
  const rows = f.countOr('vocab_size_per_layer_input', 262144, 'default of the family', limits.vocabulary)
  const all = f.size('hidden_size_per_layer_input', layers * narrow)
  return {
    width: narrow,
    table: { name: 'per-layer-inputs', rows, width: all, lookups: 1 },
    input: [
      linear('per-layer-model-projection', 'ffn', width, all),
      norm('per-layer-projection-norm', narrow, rms, false),
    ],
  }
}

/** The layer's narrow input gates its output. */
function perLayerModules(width: number, narrow: number): Module[] {
  return [
    linear('per-layer-input-gate', 'ffn', width, narrow),
    linear('per-layer-projection', 'ffn', narrow, width),
    norm('post-per-layer-input-norm', width, rms, false),
    add(width),
  ]
}

/** Four streams that a small router mixes before and after each layer (AltUp), and a low-rank residual (LAuReL). */
function altUp(f: Fields, width: number, streams: number): { before: Module[]; after: Module[] } {
  const rank = f.count('laurel_rank')
  return {
    before: [
      norm('altup-norm', width, rms, false),
      linear('altup-router', 'router', width, streams),
      linear('altup-predict', 'router', streams, streams * streams),
    ],
    after: [
      linear('laurel-left', 'ffn', width, rank),
      linear('laurel-right', 'ffn', rank, width),
      norm('laurel-norm', width, rms, false),
      linear('altup-correct', 'router', streams, streams),
      norm('altup-scale', width, rms, false),
    ],
  }
}

export function gemma3n(f: Fields): Draft {
  const h = headWidths(f)
  const layers = layerTotal(f)
  const reach = periodic(f, 5)
  const own = ownLayers(f, layers, 15)
  const narrow = perLayerInput(f, h.width, layers)
  const streams = f.count('altup_num_inputs')
  f.size('altup_num_inputs', streams * Math.max(streams, h.width))
  const { before, after } = altUp(f, h.width, streams)
  const hidden = perLayer(f, 'intermediate_size', layers)
  const act = gelu(f)
  const altupProjection = linear('altup-projections', 'ffn', h.width, (streams - 1) * h.width)
  const bias = attentionBias(f)
  return decoder({
    width: h.width,
    layers: layersOf(layers, (i) => [
      ...before,
      ...sandwichNorm(
        rms,
        h.width,
        sharedAttention(h, i >= own, { bias, reach: reach[i] as Reach }),
        feedForward(h.width, hidden[i] as number, { activation: act }),
      ),
      ...after,
      ...(narrow ? perLayerModules(h.width, narrow.width) : []),
    ]),
    vocabulary: vocabulary(f),
    tied: tied(f, true),
    tables: narrow ? [narrow.table] : [],
    input: [...(narrow ? narrow.input : []), ...(streams > 1 ? [altupProjection] : [])],
    finalNorm: norm('final-norm', h.width, rms),
    ...(streams > 1 ? { beforeNorm: [{ ...altupProjection, name: 'altup-unembed' }] } : {}),
    positions: positions(f),
  })
}

/** Queries, keys and values are normed; a layer that borrows has queries only. */
function sharedAttention(h: HeadWidths, borrowed: boolean, more: Partial<Attention>): Attention {
  const values = borrowed ? { borrowed: true as const } : { valueNorm: { scale: false } }
  return selfAttention(h, { queryKeyNorm: overHead, ...values, ...more })
}

/** Gemma 4's heads by reach: global layers have wider and fewer key heads, and may use the key as the value. */
function gemma4Attention(f: Fields, h: HeadWidths): (reach: Reach, borrowed: boolean) => Attention {
  const bias = attentionBias(f)
  const causal = f.text('use_bidirectional_attention') !== 'all'
  const keyIsValue = f.flag('attention_k_eq_v', false)
  const globalDim = f.countOr('global_head_dim', 512, 'default of the family')
  f.size('global_head_dim', h.heads * globalDim)
  const globalKv = (keyIsValue ? f.optional('num_global_key_value_heads') : undefined) ?? h.kvHeads
  f.quotient('num_attention_heads', h.heads, 'num_global_key_value_heads', globalKv)
  const local = { bias, causal, rotary: rotaryWidth(f, h.headDim) }
  const factor = nestedFactor(f, 'full_attention') ?? f.assume('partial_rotary_factor', 0.25, 'global layers')
  const global = {
    ...local,
    rotary: Math.floor(globalDim * factor),
    headDim: globalDim,
    kvHeads: globalKv,
  }
  return (reach, borrowed) =>
    reach.kind === 'full'
      ? sharedAttention(h, borrowed, { ...global, reach, ...(keyIsValue && !borrowed ? { keyIsValue } : {}) })
      : sharedAttention(h, borrowed, { ...local, reach })
}

/** The experts run beside the dense feed-forward on the same stream, each with norms of its own. */
function parallelExperts(f: Fields, width: number, mlp: Module): Module[] {
  const hidden = f.count('moe_intermediate_size')
  const experts = f.count('num_experts')
  return [
    norm('pre-feedforward-norm', width, rms),
    mlp,
    norm('post-feedforward-norm-1', width, rms, false),
    norm('router-norm', width, { ...rms, scale: false }, false),
    norm('pre-feedforward-norm-2', width, rms, false),
    // The router scales the stream by channel and each expert's weight by one number.
    mixture(f, width, { hidden, routerExtra: width + experts, activation: gelu(f) }),
    norm('post-feedforward-norm-2', width, rms, false),
    add(width),
    norm('post-feedforward-norm', width, rms, false),
  ]
}

function gemma4Mlp(f: Fields, width: number, wide: boolean): Module[] {
  const hidden = f.size('intermediate_size', f.count('intermediate_size') * (wide ? 2 : 1))
  const mlp = feedForward(width, hidden, { activation: gelu(f) })
  if (f.flag('enable_moe_block', false)) return parallelExperts(f, width, mlp)
  return [norm('pre-feedforward-norm', width, rms), mlp, norm('post-feedforward-norm', width, rms, false)]
}

/** Windows by `layer_types`; the last layer always sees everything. */
function gemma4Reaches(f: Fields): Reach[] {
  const reach = periodic(f, 6)
  if (reach.at(-1)?.kind === 'full') return reach
  f.assume(`layer_types[${reach.length - 1}]`, 'full_attention', 'the family forces it for the last layer')
  return [...reach.slice(0, -1), { kind: 'full' }]
}

export function gemma4(f: Fields): Draft {
  const h = headWidths(f)
  const layers = layerTotal(f)
  const reach = gemma4Reaches(f)
  const own = ownLayers(f, layers, 0)
  const narrow = perLayerInput(f, h.width, layers)
  const attention = gemma4Attention(f, h)
  const wide = f.flag('use_double_wide_mlp', false)
  const mlps = [gemma4Mlp(f, h.width, false), gemma4Mlp(f, h.width, wide)] as const
  return decoder({
    width: h.width,
    layers: layersOf(layers, (i) => [
      norm('input-norm', h.width, rms),
      attention(reach[i] as Reach, i >= own),
      norm('post-attention-norm', h.width, rms, false),
      ...mlps[i >= own ? 1 : 0],
      ...(narrow ? perLayerModules(h.width, narrow.width) : []),
    ]),
    vocabulary: vocabulary(f),
    tied: tied(f, true),
    tables: narrow ? [narrow.table] : [],
    input: narrow ? narrow.input : [],
    finalNorm: norm('final-norm', h.width, rms),
    positions: positions(f),
  })
}
