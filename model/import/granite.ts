// Granite, dense, with experts, and Granite 4's hybrid of attention and Mamba-2; Bamba and Falcon-H1 are put together
// alike.
import type { Mamba2 } from '../architecture.ts'
import { add, type Draft, feedForward, norm, selfAttention } from './blocks.ts'
import type { Fields } from './fields.ts'
import { type MambaNames, mamba2Mixer } from './hybrid.ts'
import { mixture } from './moe.ts'
import {
  attentionBias,
  gatedMlp,
  headWidths,
  layerKinds,
  layerTotal,
  rotaryWidth,
  silu,
  standardDecoder,
} from './shape.ts'

export function granite(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const mlp = gatedMlp(f, h.width, f.flag('mlp_bias', false))
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp })
}

/** GraniteMoE's experts, and its shared expert where it states a width for one. */
export function graniteMoe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const hidden = f.whole('shared_intermediate_size')
  const moe = mixture(f, h.width, hidden ? { shared: { hidden, gate: false } } : {})
  return standardDecoder(f, { heads: h, attention: () => ({ bias }), mlp: () => moe })
}

const hybridNames: MambaNames = {
  heads: 'mamba_n_heads',
  headDim: 'mamba_d_head',
  state: 'mamba_d_state',
  groups: ['mamba_n_groups'],
  kernel: ['mamba_d_conv'],
  chunk: ['mamba_chunk_size'],
  convolutionBias: 'mamba_conv_bias',
  projectionBias: 'mamba_proj_bias',
}

/** The mixer's head width may be `auto`: its share of the widened stream. */
function hybridMamba(f: Fields, width: number): Mamba2 {
  const inner =
    f.optional('mamba_d_ssm') ?? f.size('mamba_expand', Math.floor((f.multiplier('mamba_expand') ?? 2) * width))
  const heads = f.count('mamba_n_heads')
  const share = f.quotient('mamba_expand times hidden_size', inner, 'mamba_n_heads', heads)
  const stated = f.raw('mamba_d_head')
  const headDim = stated === undefined || stated === 'auto' ? share : f.count('mamba_d_head')
  if (headDim !== share)
    throw f.error(`mamba_d_head: ${headDim}, but ${inner} channels in ${heads} heads make ${share}`)
  return mamba2Mixer(f, width, hybridNames, headDim)
}

const hybridKinds = { mamba: false, linear_attention: false, attention: true, full_attention: true } as const

/** Granite 4: attention without positions in a few layers, Mamba-2 in the others, experts and a shared expert. */
export function graniteHybrid(f: Fields): Draft {
  const h = headWidths(f)
  const key = f.spelled(['layer_types', 'layers_block_type'])
  const attends = layerKinds<boolean>(f, key, layerTotal(f), hybridKinds)
  const rotary = f.text('position_embedding_type') === 'rope' ? rotaryWidth(f, h.headDim) : 0
  const attention = selfAttention(h, { bias: attentionBias(f), rotary })
  const mamba = attends?.every(Boolean) ? attention : hybridMamba(f, h.width)
  const hidden = f.count('shared_intermediate_size')
  const dense = feedForward(h.width, hidden, { activation: silu(f) })
  const mlp = f.whole('num_local_experts') ? mixture(f, h.width, { shared: { hidden, gate: false } }) : dense
  return standardDecoder(f, {
    heads: h,
    mixer: (i) => (attends?.[i] ? attention : mamba),
    mlp: () => mlp,
  })
}

/** Bamba: attention in the layers that `attn_layer_indices` lists, half of a head rotated. */
export function bamba(f: Fields): Draft {
  const h = headWidths(f)
  const attends = new Set(f.wholes('attn_layer_indices') ?? [])
  const attention = selfAttention(h, { bias: attentionBias(f), rotary: Math.floor(h.headDim / 2) })
  const mamba = hybridMamba(f, h.width)
  const mlp = gatedMlp(f, h.width, f.flag('mlp_bias', false))
  return standardDecoder(f, { heads: h, mixer: (i) => (attends.has(i) ? attention : mamba), mlp })
}

/** Falcon-H1: attention and Mamba-2 side by side in every layer, on one norm. The mixer may lack the norm before its
 * output, whose weights are counted all the same. */
export function falconH1(f: Fields): Draft {
  const h = headWidths(f)
  const attention = selfAttention(h, { bias: attentionBias(f), rotary: rotaryWidth(f, h.headDim) })
  const mamba = hybridMamba(f, h.width)
  const mlp = gatedMlp(f, h.width, f.flag('mlp_bias', false))
  return standardDecoder(f, {
    heads: h,
    block: (style, width, mixer, ffn) => [
      norm('input-norm', width, style),
      mixer,
      mamba,
      add(width),
      norm('post-attention-norm', width, style),
      ffn,
    ],
    mixer: () => attention,
    mlp,
  })
}
