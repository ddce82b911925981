// Which reader takes which `model_type`, and the fields it cannot do without.
import type { Draft } from './blocks.ts'
import { bert } from './encoder.ts'
import type { Fields } from './fields.ts'
import { gpt2 } from './gpt.ts'
import { llama, mistral, mixtral, qwen2, qwen2Moe, qwen3, qwen3Moe } from './llama.ts'
import { core } from './shape.ts'
import { mt5, t5 } from './t5.ts'

export interface Family {
  readonly read: (f: Fields) => Draft
  /** Fields, each under one of its spellings, that a config must state. */
  readonly needs: readonly (string | readonly string[])[]
}

const dense = [core.width, core.layers, core.heads, core.hidden, core.vocabulary]
const modern = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size', 'vocab_size']
const t5Needs = ['d_model', 'd_kv', 'd_ff', 'num_layers', 'num_heads', 'vocab_size']

export const families = {
  llama: { read: llama, needs: modern },
  mistral: { read: mistral, needs: modern },
  mixtral: { read: mixtral, needs: [...modern, 'num_local_experts', 'num_experts_per_tok'] },
  qwen2: { read: qwen2, needs: modern },
  qwen2_moe: { read: qwen2Moe, needs: modern },
  qwen3: { read: qwen3, needs: modern },
  qwen3_moe: { read: qwen3Moe, needs: modern },
  gpt2: { read: gpt2, needs: ['n_embd', 'n_layer', 'n_head', 'vocab_size'] },
  bert: { read: bert, needs: modern },
  t5: { read: t5, needs: t5Needs },
  mt5: { read: mt5, needs: t5Needs },
} satisfies Record<string, Family>

export const generic: Family = { read: llama, needs: dense }
