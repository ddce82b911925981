// Llama 4: three layers of four rotate positions and attend within chunks, the fourth has no positions and sees
// everything; experts in all or every second layer, with one shared expert. SmolLM 3 leaves positions out as it does.
import type { Attention, Module, Reach } from '../architecture.ts'
import { biases, type Draft, feedForward } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { mixture } from './moe.ts'
import { qwenReach } from './qwen.ts'
import {
  attentionBias,
  gatedMlp,
  headWidths,
  layerTotal,
  reaches,
  rotaryWidth,
  silu,
  standardDecoder,
} from './shape.ts'

/** Which layers rotate: 1 in `no_rope_layers`; else all but every `no_rope_layer_interval`th. */
function rotates(f: Fields, layers: number): (layer: number) => boolean {
  const listed = f.wholes('no_rope_layers') ?? []
  if (listed.length > 0) {
    if (listed.length !== layers) throw f.error(`no_rope_layers: ${listed.length} entries for ${layers} layers`)
    return (layer) => listed[layer] !== 0
  }
  const interval = f.countOr('no_rope_layer_interval', 4, 'default of the family', limits.layers)
  return (layer) => (layer + 1) % interval !== 0
}

function sparseLayers(f: Fields): (layer: number) => boolean {
  const listed = f.wholes('moe_layers')
  if (listed) return (layer) => listed.includes(layer)
  const step = f.countOr('interleave_moe_layer_step', 1, 'default of the family', limits.layers)
  return (layer) => (layer + 1) % step === 0
}

function mlps(f: Fields, width: number): (layer: number) => Module {
  const hidden = f.count('intermediate_size')
  const sparse = sparseLayers(f)
  const moe = mixture(f, width, { hidden, shared: { hidden, gate: false } })
  const dense = () =>
    feedForward(width, f.countOr('intermediate_size_mlp', 16384, 'default of the family'), { activation: silu(f) })
  return (layer) => (sparse(layer) ? moe : dense())
}

export function llama4(f: Fields): Draft {
  const h = headWidths(f)
  const layers = layerTotal(f)
  const rotated = rotates(f, layers)
  const chunks = f.optional('attention_chunk_size', limits.tokens) !== undefined
  const reach = reaches(f, layers, (i) => (rotated(i) && chunks ? 'chunk' : 'full'))
  const bias = biases(f.flag('attention_bias', false))
  const rotary = rotaryWidth(f, h.headDim)
  const normed: Partial<Attention> = f.flag('use_qk_norm', true)
    ? { queryKeyNorm: { type: 'rms', over: 'head', scale: false } }
    : {}
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({
      bias,
      reach: reach[i] as Reach,
      rotary: rotated(i) ? rotary : 0,
      ...(rotated(i) ? normed : {}),
    }),
    mlp: mlps(f, h.width),
  })
}

/** SmolLM 3: every fourth layer has no positions. */
export function smollm3(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const reach = qwenReach(f)
  const rotated = rotates(f, layerTotal(f))
  const rotary = rotaryWidth(f, h.headDim)
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, reach: reach(i), rotary: rotated(i) ? rotary : 0 }),
    mlp: gatedMlp(f, h.width, f.flag('mlp_bias', false)),
    tied: true,
  })
}
