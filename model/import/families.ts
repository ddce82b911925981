// Which reader takes which `model_type`, and the fields that it cannot do without.
import { bart, m2m100, marian, mbart, pegasus } from './bart.ts'
import type { Draft } from './blocks.ts'
import { cohere, cohere2 } from './cohere.ts'
import { dbrx } from './dbrx.ts'
import { deepseek, deepseekV3, latentNeeds } from './deepseek.ts'
import { bert, distilbert, electra, modernBert, roberta } from './encoder.ts'
import type { Fields } from './fields.ts'
import { gemma, gemma2, gemma3, gemma3n, gemma4 } from './gemma.ts'
import { chatglm, glm, glm4, glm4Moe } from './glm.ts'
import { bloom, codegen, falcon, gpt2, gptBigCode, gptj, gptNeo, gptNeox, mpt, opt } from './gpt.ts'
import { bamba, falconH1, granite, graniteHybrid, graniteMoe } from './granite.ts'
import { lfm2, mamba2, nemotronH, qwen3Next, qwen35 } from './hybrid.ts'
import {
  apertus,
  arcee,
  ernie45,
  ernie45Moe,
  exaone4,
  llama,
  minimaxM2,
  mistral,
  mixtral,
  mllama,
  nemotron,
  seedOss,
  smollm3,
  stablelm,
  starcoder2,
} from './llama.ts'
import { llama4 } from './llama4.ts'
import { activeNames, expertNames } from './moe.ts'
import { olmo, olmo2, olmo3, olmoe } from './olmo.ts'
import { gptOss } from './openai.ts'
import { phi, phi3, phimoe } from './phi.ts'
import { qwen, qwen2, qwen2Moe, qwen3, qwen3Moe } from './qwen.ts'
import { core } from './shape.ts'
import { mt5, t5 } from './t5.ts'
import { deit, vit } from './vit.ts'
import { whisper } from './whisper.ts'

export interface Family {
  readonly read: (f: Fields) => Draft
  /** Fields, each under one of its spellings, that a config must state. */
  readonly needs: readonly (string | readonly string[])[]
}

type Needs = Family['needs']

const plain: Needs = [core.width, core.layers, core.heads, core.vocabulary]
const stream: Needs = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'vocab_size']
const modern: Needs = [...stream, 'intermediate_size']
const experts: Needs = [...stream, expertNames, activeNames]
const equalExperts: Needs = [...experts, 'intermediate_size']
const narrowExperts: Needs = [...experts, 'moe_intermediate_size']
const sharedExpert: Needs = [...narrowExperts, 'shared_expert_intermediate_size']
const latent: Needs = [...modern, ...latentNeeds]
const latentExperts: Needs = [...latent, expertNames, activeNames, 'moe_intermediate_size']
const indexed: Needs = [...latentExperts, 'index_topk', 'index_n_heads', 'index_head_dim']
const images: Needs = ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size']
const relative: Needs = ['d_model', 'd_kv', 'd_ff', 'num_layers', 'num_heads', 'vocab_size']
const sides: Needs = [
  'd_model',
  'vocab_size',
  ...['encoder_layers', 'encoder_attention_heads', 'encoder_ffn_dim'],
  ...['decoder_layers', 'decoder_attention_heads', 'decoder_ffn_dim'],
]
const delta: Needs = [
  ...['linear_num_key_heads', 'linear_num_value_heads', 'linear_key_head_dim', 'linear_value_head_dim'],
  'linear_conv_kernel_dim',
]
const mamba: Needs = ['num_heads', 'head_dim', 'state_size', 'n_groups', 'conv_kernel']
const hybrid: Needs = [...stream, 'mamba_n_heads', 'mamba_d_state', 'mamba_n_groups', 'mamba_d_conv']

export const families = {
  apertus: { read: apertus, needs: modern },
  arcee: { read: arcee, needs: modern },
  bamba: { read: bamba, needs: [...hybrid, 'intermediate_size'] },
  bart: { read: bart, needs: sides },
  bert: { read: bert, needs: modern },
  bloom: { read: bloom, needs: plain },
  chatglm: { read: chatglm, needs: ['hidden_size', 'num_layers', 'num_attention_heads', 'ffn_hidden_size'] },
  codegen: { read: codegen, needs: plain },
  cohere: { read: cohere, needs: modern },
  cohere2: { read: cohere2, needs: modern },
  dbrx: { read: dbrx, needs: ['d_model', 'n_layers', 'n_heads', 'vocab_size', 'attn_config', 'ffn_config'] },
  deepseek_v2: { read: deepseek, needs: latent },
  deepseek_v3: { read: deepseekV3, needs: latentExperts },
  deepseek_v32: { read: deepseekV3, needs: indexed },
  deit: { read: deit, needs: images },
  distilbert: { read: distilbert, needs: ['dim', 'n_layers', 'n_heads', 'hidden_dim', 'vocab_size'] },
  electra: { read: electra, needs: modern },
  ernie4_5: { read: ernie45, needs: modern },
  ernie4_5_moe: { read: ernie45Moe, needs: narrowExperts },
  exaone4: { read: exaone4, needs: modern },
  falcon: { read: falcon, needs: plain },
  falcon_h1: { read: falconH1, needs: [...hybrid, 'intermediate_size'] },
  gemma: { read: gemma, needs: modern },
  gemma2: { read: gemma2, needs: modern },
  gemma3_text: { read: gemma3, needs: modern },
  gemma3n_text: { read: gemma3n, needs: modern },
  gemma4_text: { read: gemma4, needs: modern },
  gemma4_unified_text: { read: gemma4, needs: modern },
  glm: { read: glm, needs: modern },
  glm4: { read: glm4, needs: modern },
  glm4_moe: { read: glm4Moe, needs: narrowExperts },
  gpt2: { read: gpt2, needs: plain },
  gpt_bigcode: { read: gptBigCode, needs: plain },
  gpt_neo: { read: gptNeo, needs: plain },
  gpt_neox: { read: gptNeox, needs: modern },
  gpt_oss: { read: gptOss, needs: equalExperts },
  gptj: { read: gptj, needs: plain },
  granite: { read: granite, needs: modern },
  granitemoe: { read: graniteMoe, needs: equalExperts },
  granitemoehybrid: { read: graniteHybrid, needs: [...stream, 'shared_intermediate_size', 'num_local_experts'] },
  lfm2: { read: lfm2, needs: [...stream, ['block_ff_dim', 'intermediate_size'], 'conv_L_cache'] },
  llama: { read: llama, needs: modern },
  llama4_text: { read: llama4, needs: equalExperts },
  m2m_100: { read: m2m100, needs: sides },
  mamba2: { read: mamba2, needs: ['hidden_size', 'num_hidden_layers', 'vocab_size', ...mamba] },
  marian: { read: marian, needs: sides },
  mbart: { read: mbart, needs: sides },
  minimax_m2: { read: minimaxM2, needs: equalExperts },
  ministral3: { read: mistral, needs: modern },
  mistral: { read: mistral, needs: modern },
  mixtral: { read: mixtral, needs: equalExperts },
  mllama_text_model: { read: mllama, needs: modern },
  modernbert: { read: modernBert, needs: modern },
  mpt: { read: mpt, needs: plain },
  mt5: { read: mt5, needs: relative },
  nemotron: { read: nemotron, needs: modern },
  nemotron_h: { read: nemotronH, needs: ['hidden_size', 'num_attention_heads', 'vocab_size'] },
  olmo: { read: olmo, needs: modern },
  olmo2: { read: olmo2, needs: modern },
  olmo3: { read: olmo3, needs: modern },
  olmoe: { read: olmoe, needs: equalExperts },
  opt: { read: opt, needs: [...stream, 'ffn_dim'] },
  pegasus: { read: pegasus, needs: sides },
  phi: { read: phi, needs: modern },
  phi3: { read: phi3, needs: modern },
  phimoe: { read: phimoe, needs: equalExperts },
  qwen: { read: qwen, needs: modern },
  qwen2: { read: qwen2, needs: modern },
  qwen2_moe: { read: qwen2Moe, needs: sharedExpert },
  qwen3: { read: qwen3, needs: modern },
  qwen3_5_text: { read: qwen35, needs: [...modern, ...delta] },
  qwen3_moe: { read: qwen3Moe, needs: narrowExperts },
  qwen3_next: { read: qwen3Next, needs: [...sharedExpert, ...delta] },
  roberta: { read: roberta, needs: modern },
  seed_oss: { read: seedOss, needs: modern },
  smollm3: { read: smollm3, needs: modern },
  stablelm: { read: stablelm, needs: modern },
  starcoder2: { read: starcoder2, needs: modern },
  t5: { read: t5, needs: relative },
  vit: { read: vit, needs: images },
  whisper: { read: whisper, needs: [...sides, 'num_mel_bins'] },
} satisfies Record<string, Family>

/** Other names of a family, and wrappers whose text fields stand beside the others. */
export const aliases: Readonly<Record<string, keyof typeof families>> = {
  camembert: 'roberta',
  cwm: 'mistral',
  gemma3: 'gemma3_text',
  gemma3n: 'gemma3n_text',
  gemma4: 'gemma4_text',
  gemma4_unified: 'gemma4_unified_text',
  glm4_moe_lite: 'deepseek_v3',
  glm4v_moe_text: 'glm4_moe',
  glm4v_text: 'glm4',
  glm_moe_dsa: 'deepseek_v32',
  phi4mm: 'phi3',
  'gpt-sw3': 'gpt2',
  granitemoeshared: 'granitemoe',
  helium: 'llama',
  kimi_k2: 'deepseek_v3',
  llama4: 'llama4_text',
  mistral3: 'mistral',
  mllama: 'mllama_text_model',
  qwen2_5_omni_text: 'qwen2',
  qwen2_5_vl: 'qwen2',
  qwen2_5_vl_text: 'qwen2',
  qwen2_vl: 'qwen2',
  qwen2_vl_text: 'qwen2',
  qwen3_5: 'qwen3_5_text',
  qwen3_5_moe: 'qwen3_next',
  qwen3_5_moe_text: 'qwen3_next',
  qwen3_omni_moe_text: 'qwen3_moe',
  qwen3_vl: 'qwen3',
  qwen3_vl_moe: 'qwen3_moe',
  qwen3_vl_moe_text: 'qwen3_moe',
  qwen3_vl_text: 'qwen3',
  RefinedWeb: 'falcon',
  RefinedWebModel: 'falcon',
  'xlm-roberta': 'roberta',
}

/** A family's own name under any of its names. */
export function familyName(type: string): string {
  return Object.hasOwn(aliases, type) ? (aliases[type] as string) : type
}

/** The family of a `model_type`; undefined where nobody described it. */
export function familyOf(type: string): Family | undefined {
  const own = familyName(type)
  return Object.hasOwn(families, own) ? (families as Record<string, Family>)[own] : undefined
}
