// Mixtures of experts as most configs write them: which layers have experts, how many, and the shared expert.
import type { MixtureOfExperts, Module } from '../architecture.ts'
import { feedForward } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { core, layerKinds, layerTotal, silu } from './shape.ts'

const names = {
  experts: ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts', 'num_routed_experts'],
  active: [
    'num_experts_per_tok',
    'num_experts_per_token',
    'experts_per_token',
    'top_k_experts',
    'moe_topk',
    'moe_top_k',
    'moe_k',
    'num_experts_per_topk',
  ],
  hidden: ['moe_intermediate_size', 'expert_ffn_hidden_size', 'intermediate_size', 'ffn_hidden_size'],
} as const
export const expertNames = names.experts
export const activeNames = names.active

/** Reads experts, experts per token and an expert's width; `more` says what the family adds. */
export function mixture(f: Fields, width: number, more: Partial<MixtureOfExperts> = {}): MixtureOfExperts {
  const experts = f.count(names.experts)
  const active = f.count(names.active)
  if (active > experts) throw f.error(`${f.spelled(names.active)}: ${active} of ${experts} experts per token`)
  return {
    kind: 'moe',
    name: 'moe',
    width,
    hidden: more.hidden ?? f.count(names.hidden),
    experts,
    active,
    gated: true,
    bias: false,
    routerExtra: 0,
    activation: more.activation ?? silu(f),
    ...more,
  }
}

/** Shared experts counted in widths of a routed one (DeepSeek); undefined where there are none. */
export function sharedExperts(f: Fields, key: string, hidden: number): MixtureOfExperts['shared'] {
  const count = f.whole(key)
  return count ? { hidden: f.size(key, count * hidden), gate: false } : undefined
}

const mlpKinds = { dense: false, sparse: true } as const

/** Which layers have experts, by whichever of the known rules the config states; all where it states none. */
export function sparseLayers(f: Fields): (layer: number) => boolean {
  const listed = layerKinds<boolean>(f, 'mlp_layer_types', layerTotal(f), mlpKinds)
  if (listed) return (layer) => listed[layer] as boolean
  const first = f.whole('first_k_dense_replace', 0, limits.layers) ?? 0
  const step = f.optional('decoder_sparse_step', limits.layers) ?? 1
  const dense = new Set(f.wholes('mlp_only_layers') ?? [])
  const frequent = frequency(f)
  return (layer) => layer >= first && (layer + 1) % step === 0 && !dense.has(layer) && frequent(layer)
}

/** `moe_layer_freq`: every how manieth layer, or 0 or 1 for each. */
function frequency(f: Fields): (layer: number) => boolean {
  if (!Array.isArray(f.raw('moe_layer_freq'))) {
    const every = f.optional('moe_layer_freq', limits.layers) ?? 1
    return (layer) => layer % every === 0
  }
  const flags = f.wholes('moe_layer_freq') ?? []
  if (flags.length !== layerTotal(f))
    throw f.error(`moe_layer_freq: ${flags.length} entries for ${layerTotal(f)} layers`)
  return (layer) => flags[layer] !== 0
}

/** Experts in the layers that have them, a gated feed-forward in the others. */
export function sparseMlp(f: Fields, width: number, more: Partial<MixtureOfExperts> = {}): (layer: number) => Module {
  const sparse = sparseLayers(f)
  const experts = mixture(f, width, more)
  const dense = () => feedForward(width, f.count(core.hidden), { activation: silu(f) })
  return (layer) => (sparse(layer) ? experts : dense())
}
