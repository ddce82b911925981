// Which reader takes which `model_type`, and the fields that it cannot do without.
import { bart, m2m100, marian, mbart, pegasus } from './bart.ts'
import type { Draft } from './blocks.ts'
import { deepseek, deepseekV3, latentNeeds } from './deepseek.ts'
import { bert, distilbert, electra, modernBert, roberta } from './encoder.ts'
import type { Fields } from './fields.ts'
import { gemma, gemma2, gemma3, gemma3n, gemma4 } from './gemma.ts'
import { bloom, falcon, gpt2, gptBigCode, gptj, gptNeo, gptNeox, mpt, opt } from './gpt.ts'
import { mamba2, nemotronH, qwen3Next, qwen35 } from './hybrid.ts'
import {
  cohere,
  cohere2,
  glm,
  glm4,
  glm4Moe,
  granite,
  graniteMoe,
  llama,
  mistral,
  mixtral,
  nemotron,
  olmo,
  olmo2,
  olmo3,
  olmoe,
  phi,
  phi3,
  phimoe,
  qwen2,
  qwen2Moe,
  qwen3,
  qwen3Moe,
  stablelm,
  starcoder2,
} from './llama.ts'
import { llama4 } from './llama4.ts'
import { gptOss } from './openai.ts'
import { core } from './shape.ts'
import { mt5, t5 } from './t5.ts'
import { deit, vit } from './vit.ts'
import { whisper } from './whisper.ts'

export interface Family {
  readonly read: (f: Fields) => Draft
  /** Fields, each under one of its spellings, that a config must state. */
  readonly needs: readonly (string | readonly string[])[]
}

const plain = [core.width, core.layers, core.heads, core.vocabulary]
const modern = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size', 'vocab_size']
const experts = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'vocab_size', 'num_experts_per_tok']
const latent = [...modern, ...latentNeeds]
const layered = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size']
const t5Needs = ['d_model', 'd_kv', 'd_ff', 'num_layers', 'num_heads', 'vocab_size']
const sides = ['d_model', 'encoder_layers', 'encoder_attention_heads', 'encoder_ffn_dim', 'vocab_size']
const bothSides = [...sides, 'decoder_layers', 'decoder_attention_heads', 'decoder_ffn_dim']
const delta = ['linear_num_key_heads', 'linear_num_value_heads', 'linear_key_head_dim', 'linear_value_head_dim']
const recurrent = [...delta, 'linear_conv_kernel_dim']
const mamba = ['num_heads', 'head_dim', 'state_size', 'n_groups', 'conv_kernel']

export const families = {
  bart: { read: bart, needs: bothSides },
  bert: { read: bert, needs: modern },
  bloom: { read: bloom, needs: plain },
  camembert: { read: roberta, needs: modern },
  cohere: { read: cohere, needs: modern },
  cohere2: { read: cohere2, needs: modern },
  deepseek_v2: { read: deepseek, needs: latent },
  deepseek_v3: { read: deepseekV3, needs: latent },
  deepseek_v32: { read: deepseekV3, needs: latent },
  deit: { read: deit, needs: layered },
  distilbert: { read: distilbert, needs: ['dim', 'n_layers', 'n_heads', 'hidden_dim', 'vocab_size'] },
  electra: { read: electra, needs: modern },
  falcon: { read: falcon, needs: plain },
  gemma: { read: gemma, needs: modern },
  gemma2: { read: gemma2, needs: modern },
  gemma3_text: { read: gemma3, needs: modern },
  gemma3n_text: { read: gemma3n, needs: modern },
  gemma4_text: { read: gemma4, needs: modern },
  glm: { read: glm, needs: modern },
  glm4: { read: glm4, needs: modern },
  glm4_moe: { read: glm4Moe, needs: [...experts, 'n_routed_experts', 'moe_intermediate_size'] },
  gpt2: { read: gpt2, needs: plain },
  gpt_bigcode: { read: gptBigCode, needs: plain },
  gpt_neo: { read: gptNeo, needs: plain },
  gpt_neox: { read: gptNeox, needs: modern },
  gpt_oss: { read: gptOss, needs: [...modern, 'num_local_experts'] },
  gptj: { read: gptj, needs: plain },
  granite: { read: granite, needs: modern },
  granitemoe: { read: graniteMoe, needs: [...modern, 'num_local_experts', 'num_experts_per_tok'] },
  granitemoeshared: { read: graniteMoe, needs: [...modern, 'num_local_experts', 'num_experts_per_tok'] },
  kimi_k2: { read: deepseekV3, needs: latent },
  llama: { read: llama, needs: modern },
  llama4_text: { read: llama4, needs: modern },
  m2m_100: { read: m2m100, needs: bothSides },
  mamba2: { read: mamba2, needs: ['hidden_size', 'num_hidden_layers', 'vocab_size', ...mamba] },
  marian: { read: marian, needs: bothSides },
  mbart: { read: mbart, needs: bothSides },
  mistral: { read: mistral, needs: modern },
  mixtral: { read: mixtral, needs: [...modern, 'num_local_experts', 'num_experts_per_tok'] },
  modernbert: { read: modernBert, needs: modern },
  mpt: { read: mpt, needs: plain },
  mt5: { read: mt5, needs: t5Needs },
  nemotron: { read: nemotron, needs: modern },
  nemotron_h: { read: nemotronH, needs: ['hidden_size', 'num_attention_heads', 'vocab_size'] },
  olmo: { read: olmo, needs: modern },
  olmo2: { read: olmo2, needs: modern },
  olmo3: { read: olmo3, needs: modern },
  olmoe: { read: olmoe, needs: [...experts, 'num_experts', 'intermediate_size'] },
  opt: { read: opt, needs: ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'ffn_dim', 'vocab_size'] },
  pegasus: { read: pegasus, needs: bothSides },
  phi: { read: phi, needs: modern },
  phi3: { read: phi3, needs: modern },
  phimoe: { read: phimoe, needs: [...modern, 'num_local_experts', 'num_experts_per_tok'] },
  qwen2: { read: qwen2, needs: modern },
  qwen2_moe: {
    read: qwen2Moe,
    needs: [...experts, 'num_experts', 'moe_intermediate_size', 'shared_expert_intermediate_size'],
  },
  qwen3: { read: qwen3, needs: modern },
  qwen3_5_moe_text: {
    read: qwen3Next,
    needs: [...experts, ...recurrent, 'num_experts', 'moe_intermediate_size', 'shared_expert_intermediate_size'],
  },
  qwen3_5_text: { read: qwen35, needs: [...modern, ...recurrent] },
  qwen3_moe: { read: qwen3Moe, needs: [...experts, 'num_experts', 'moe_intermediate_size'] },
  qwen3_next: {
    read: qwen3Next,
    needs: [...experts, ...recurrent, 'num_experts', 'moe_intermediate_size', 'shared_expert_intermediate_size'],
  },
  roberta: { read: roberta, needs: modern },
  stablelm: { read: stablelm, needs: modern },
  starcoder2: { read: starcoder2, needs: modern },
  t5: { read: t5, needs: t5Needs },
  vit: { read: vit, needs: layered },
  whisper: { read: whisper, needs: [...bothSides, 'num_mel_bins'] },
} satisfies Record<string, Family>

/** Other names of a family, and wrappers whose text fields stand beside the others. */
export const aliases: Readonly<Record<string, keyof typeof families>> = {
  gemma3: 'gemma3_text',
  gemma3n: 'gemma3n_text',
  gemma4: 'gemma4_text',
  kimi_k25: 'kimi_k2',
  llama4: 'llama4_text',
  mistral3: 'mistral',
  qwen2_5_vl: 'qwen2',
  qwen2_5_vl_text: 'qwen2',
  qwen2_vl: 'qwen2',
  qwen2_vl_text: 'qwen2',
  qwen3_5: 'qwen3_5_text',
  qwen3_5_moe: 'qwen3_5_moe_text',
  qwen3_vl: 'qwen3',
  qwen3_vl_moe: 'qwen3_moe',
  qwen3_vl_moe_text: 'qwen3_moe',
  qwen3_vl_text: 'qwen3',
  RefinedWeb: 'falcon',
  RefinedWebModel: 'falcon',
  'xlm-roberta': 'roberta',
}

/** The family of a `model_type`, under its own or another name. */
export function familyOf(type: string): Family | undefined {
  const own = Object.hasOwn(aliases, type) ? (aliases[type] as string) : type
  return Object.hasOwn(families, own) ? (families as Record<string, Family>)[own] : undefined
}
