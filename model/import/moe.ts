// The mixture of experts as most configs write it, under any of its spellings.
import type { MixtureOfExperts } from '../architecture.ts'
import type { Fields } from './fields.ts'

const names = {
  experts: ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'],
  active: ['num_experts_per_tok', 'num_experts_per_token', 'experts_per_token', 'moe_topk', 'moe_k', 'top_k_experts'],
  hidden: ['moe_intermediate_size', 'expert_ffn_hidden_size', 'intermediate_size'],
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
    activation: 'silu',
    ...more,
  }
}
