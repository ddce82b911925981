// DeepSeek-V2 (arXiv 2405.04434), V3 (arXiv 2412.19437), V3.2 with its sparse attention, and who took over their latent
// attention (Kimi K2, GLM-4.7 Flash, GLM-5).
import type { LatentAttention, MixtureOfExperts } from '../architecture.ts'
import type { Draft } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { expertNames, sharedExperts, sparseMlp } from './moe.ts'
import { core, gatedMlp, standardDecoder } from './shape.ts'

export function latentAttention(f: Fields): LatentAttention {
  const queryRank = f.optional('q_lora_rank')
  const indexer = readIndexer(f)
  const heads = f.count(core.heads)
  const nopeDim = f.count('qk_nope_head_dim')
  const ropeDim = f.count('qk_rope_head_dim')
  const valueDim = f.count('v_head_dim')
  f.size('qk_rope_head_dim', heads * (nopeDim + ropeDim))
  f.size('v_head_dim', heads * (nopeDim + valueDim))
  return {
    kind: 'latent-attention',
    name: 'attention',
    width: f.count(core.width),
    heads,
    ...(queryRank === undefined ? {} : { queryRank }),
    kvRank: f.count('kv_lora_rank'),
    nopeDim,
    ropeDim,
    valueDim,
    bias: f.flag('attention_bias', false),
    ...(indexer === undefined ? {} : { indexer }),
  }
}

function readIndexer(f: Fields): LatentAttention['indexer'] {
  if (!f.has('index_topk')) return undefined
  if ((f.strings('indexer_types') ?? []).includes('shared') || (f.optional('index_topk_freq') ?? 1) > 1)
    f.note('indexer = in every layer (layers that share the choice of an earlier one are counted with their own)')
  const heads = f.count('index_n_heads')
  const headDim = f.count('index_head_dim')
  f.size('index_head_dim', heads * headDim)
  return {
    heads,
    headDim,
    topk: f.count('index_topk', limits.tokens),
  }
}

/** Parameters of the router beside its matrix: V3 corrects each expert's score by a learned number. */
function routerExtra(f: Fields): number {
  const method = f.text('topk_method')
  return method === 'noaux_tc' ? f.count(expertNames) : 0
}

export function deepseek(f: Fields, extra: (f: Fields) => number = routerExtra): Draft {
  // Every head has keys and values of its own once the latent is expanded; the field says nothing more.
  f.raw('num_key_value_heads')
  const attention = latentAttention(f)
  const { width } = attention
  const mlp = f.has(f.spelled(expertNames)) ? sparseMlp(f, width, experts(f, extra(f))) : gatedMlp(f, width)
  return standardDecoder(f, { mixer: () => attention, mlp })
}

function experts(f: Fields, routerExtra: number): Partial<MixtureOfExperts> {
  const hidden = f.count('moe_intermediate_size')
  const shared = sharedExperts(f, 'n_shared_experts', hidden)
  return { hidden, routerExtra, ...(shared && { shared }) }
}

/** V3's router always has its corrections, whether the config names the method or not. */
export function deepseekV3(f: Fields): Draft {
  return deepseek(f, (fields) => {
    fields.text('topk_method')
    return fields.count(expertNames)
  })
}
