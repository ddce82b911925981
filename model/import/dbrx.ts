// DBRX: layer norms without bias, a few key heads, four of sixteen experts; its widths are in two nested objects.
import type { Draft } from './blocks.ts'
import type { Fields } from './fields.ts'
import { positions, standardDecoder } from './shape.ts'

export function dbrx(f: Fields): Draft {
  const width = f.count('d_model')
  const heads = f.count('n_heads')
  const kvHeads = f.inner('attn_config').count('kv_n_heads')
  f.quotient('n_heads', heads, 'kv_n_heads', kvHeads)
  const ffn = f.inner('ffn_config')
  const experts = ffn.count('moe_num_experts')
  const active = ffn.count('moe_top_k')
  if (active > experts) throw f.error(`moe_top_k: ${active} of ${experts} experts per token`)
  const hidden = ffn.count('ffn_hidden_size')
  const activation = 'silu'
  return standardDecoder(f, {
    heads: { width, heads, kvHeads, headDim: f.quotient('d_model', width, 'n_heads', heads) },
    style: { type: 'layer', bias: false },
    mlp: () => ({
      kind: 'moe',
      name: 'moe',
      width,
      hidden,
      experts,
      active,
      gated: true,
      bias: false,
      routerExtra: 0,
      activation,
    }),
    positions: positions(f, ['max_seq_len']),
  })
}
