// A decoder of a family that nobody described: read by the names that most configs share, every guess noted.
import type { Attention, MixtureOfExperts, Module, Reach } from '../architecture.ts'
import { biases, type Draft, feedForward, fullReach, layerNorm, type NormStyle, rms } from './blocks.ts'
import { latentAttention } from './deepseek.ts'
import { type Fields, limits } from './fields.ts'
import { activeNames, expertNames, sparseMlp } from './moe.ts'
import { core, headWidths, latentNeeds, layerTotal, reaches, silu, standardDecoder } from './shape.ts'

/** What shows that a config is not of a decoder-only model. */
const otherSigns = ['patch_size', 'type_vocab_size', 'encoder_layers', 'num_encoder_layers', 'num_mel_bins', 'd_kv']
const otherTypes = /bert|vit$|clip|siglip|vision|audio|encoder|wav2vec|hubert|t5|whisper|speech|deit|swin|rwkv|xlnet/
const otherArchitectures = /Masked|Classification|Encoder|Vision|Audio|CTC|Seq2Seq|PreTraining|QuestionAnswering/

/** Fields of layers that are neither attention nor a feed-forward. */
const otherLayers =
  /^(mamba_|ssm_|conv_L_cache|lru_width|block_types|attn_layer_(period|offset|indices)|linear_(attn_config|num_|key_)|attn_type_list|rwkv|time_mix|zero_expert)/

function refuseOthers(f: Fields, type: string): void {
  const sign =
    otherSigns.find((key) => f.has(key)) ??
    f.keys.find((key) => otherLayers.test(key) && f.has(key)) ??
    (f.optionalFlag('is_encoder_decoder') ? 'is_encoder_decoder' : undefined) ??
    (otherTypes.test(type) ? 'model_type' : undefined) ??
    ((f.strings('architectures') ?? []).some((a) => otherArchitectures.test(a)) ? 'architectures' : undefined)
  if (sign !== undefined)
    throw f.error(`model_type: "${type}" is not known, and ${sign} shows that it is no plain decoder`)
}

/** Fields without which nothing can be said, under their most usual names. */
export function genericNeeds(f: Fields): (string | readonly string[])[] {
  const experts = expertNames.some((key) => f.has(key))
  const hidden = experts ? [...core.hidden, 'moe_intermediate_size', 'expert_ffn_hidden_size'] : core.hidden
  return [
    core.width,
    core.layers,
    core.heads,
    hidden,
    core.vocabulary,
    ...(experts ? [activeNames] : []),
    ...(f.has('kv_lora_rank') ? latentNeeds : []),
  ]
}

function normStyle(f: Fields): NormStyle {
  if (f.has('rms_norm_eps') || f.has('norm_eps')) return rms
  const layer = ['layer_norm_eps', 'layer_norm_epsilon', 'layernorm_epsilon', 'norm_epsilon'].find((key) => f.has(key))
  if (layer === undefined) {
    f.note('norm = rms (no field says which)')
    return rms
  }
  f.note(`norm = layer with bias (the config has ${layer})`)
  return layerNorm
}

function firstFlag(f: Fields, keys: readonly string[], fallback: boolean): boolean {
  const key = keys.find((k) => f.has(k))
  return key === undefined ? f.assume(keys[0] as string, fallback, 'not stated') : f.flag(key, fallback)
}

function genericReach(f: Fields): (layer: number) => Reach {
  const layers = layerTotal(f)
  const period = f.optional('sliding_window_pattern', limits.layers)
  if (!f.has('layer_types') && period === undefined) return uniform(f)
  const windows = f.has('sliding_window')
  const reach = reaches(f, layers, (i) => (windows && period && (i + 1) % period !== 0 ? 'window' : 'full'))
  return (layer) => reach[layer] as Reach
}

function uniform(f: Fields): (layer: number) => Reach {
  const tokens = f.optional('sliding_window', limits.tokens)
  if (tokens === undefined || f.optionalFlag('use_sliding_window') === false) return () => fullReach
  f.note(`reach = a window of ${tokens} in every layer (no field says which layers)`)
  return () => ({ kind: 'window', tokens })
}

function sharedExpert(f: Fields): MixtureOfExperts['shared'] {
  const stated = ['shared_expert_intermediate_size', 'shared_intermediate_size'].find((key) => f.has(key))
  if (stated !== undefined) {
    const hidden = f.whole(stated)
    return hidden ? { hidden, gate: false } : undefined
  }
  const key = ['n_shared_experts', 'num_shared_experts', 'moe_num_shared_experts'].find((k) => f.has(k))
  const count = key === undefined ? undefined : f.whole(key)
  return count ? { hidden: f.size(key as string, count * f.count(expertWidths)), gate: false } : undefined
}

const expertWidths = ['moe_intermediate_size', 'expert_ffn_hidden_size', 'intermediate_size', 'ffn_hidden_size']

function genericMlp(f: Fields, width: number, style: NormStyle): (layer: number) => Module {
  if (expertNames.some((key) => f.has(key))) {
    const shared = sharedExpert(f)
    return sparseMlp(f, width, shared ? { shared } : {})
  }
  const act = silu(f)
  const gated = style.type === 'rms' || act === 'silu'
  f.note(`mlp = ${gated ? 'gated' : 'not gated'} (activation ${act})`)
  const mlp = feedForward(width, f.count(core.hidden), {
    gated,
    activation: act,
    bias: firstFlag(f, ['mlp_bias', 'use_bias', 'use_mlp_bias'], style.bias),
  })
  return () => mlp
}

function genericAttention(f: Fields): (layer: number) => Partial<Attention> {
  const bias = biases(firstFlag(f, ['attention_bias', 'qkv_bias', 'use_qkv_bias', 'add_qkv_bias', 'use_bias'], false))
  const normed = firstFlag(f, ['use_qk_norm', 'qk_norm', 'use_qk_layernorm', 'qk_layernorm'], false)
  const reach = genericReach(f)
  return (layer) => ({
    bias,
    reach: reach(layer),
    ...(normed ? { queryKeyNorm: { type: 'rms', over: 'head' } as const } : {}),
  })
}

/** Reads an unknown decoder; throws where the config is of another kind or lacks what every decoder has. */
export function generic(f: Fields, type: string): Draft {
  refuseOthers(f, type)
  const latent = f.has('kv_lora_rank')
  const called = type === '' ? 'model_type is missing' : `model_type "${type}" is not known`
  f.note(
    `${called}: read as a decoder with ${latent ? 'latent attention' : 'attention'} and norms before each sub-layer`,
  )
  const style = normStyle(f)
  if (latent) {
    const attention = latentAttention(f)
    return standardDecoder(f, { style, mixer: () => attention, mlp: genericMlp(f, attention.width, style) })
  }
  const heads = headWidths(f)
  return standardDecoder(f, { style, heads, attention: genericAttention(f), mlp: genericMlp(f, heads.width, style) })
}
