// Which reader takes which `model_type`, and the fields that it cannot do without. Readers are named here, not imported:
// a model needs one of these files, and starting up with all of them would cost more than the answer.
// And what Transformers takes for fields that a config leaves out: transformers/models/*/configuration_*.py, version 5.18.
// A config that stands alone is saved whole, so the widths that make a model must be in it; a nested `text_config` is
// saved without the fields that equal its class's defaults, and there those widths are facts too.
import type { Defaults } from './fields.ts'
import { activeNames, expertNames } from './moe.ts'
import { core, latentNeeds } from './shape.ts'

/** Files of readers. */
export const files = {
  bart: () => import('./bart.ts'),
  cohere: () => import('./cohere.ts'),
  dbrx: () => import('./dbrx.ts'),
  deepseek: () => import('./deepseek.ts'),
  encoder: () => import('./encoder.ts'),
  gemma: () => import('./gemma.ts'),
  generic: () => import('./generic.ts'),
  glm: () => import('./glm.ts'),
  gpt: () => import('./gpt.ts'),
  granite: () => import('./granite.ts'),
  hybrid: () => import('./hybrid.ts'),
  llama: () => import('./llama.ts'),
  llama4: () => import('./llama4.ts'),
  olmo: () => import('./olmo.ts'),
  openai: () => import('./openai.ts'),
  phi: () => import('./phi.ts'),
  quantization: () => import('./quantization.ts'),
  qwen: () => import('./qwen.ts'),
  speech: () => import('./speech.ts'),
  t5: () => import('./t5.ts'),
  vit: () => import('./vit.ts'),
  whisper: () => import('./whisper.ts'),
}

export type FileName = keyof typeof files
export type Modules = { readonly [F in FileName]: Awaited<ReturnType<(typeof files)[F]>> }

/** A function of a file, and the fields, each under one of its spellings, that a config must state. */
export type Family = {
  [F in FileName]: {
    readonly file: F
    readonly reader: keyof Modules[F]
    readonly needs: readonly (string | readonly string[])[]
  }
}[FileName]

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
  apertus: { file: 'llama', reader: 'apertus', needs: modern },
  arcee: { file: 'llama', reader: 'arcee', needs: modern },
  bamba: { file: 'granite', reader: 'bamba', needs: [...hybrid, 'intermediate_size'] },
  bart: { file: 'bart', reader: 'bart', needs: sides },
  bert: { file: 'encoder', reader: 'bert', needs: modern },
  bloom: { file: 'gpt', reader: 'bloom', needs: plain },
  chatglm: {
    file: 'glm',
    reader: 'chatglm',
    needs: ['hidden_size', 'num_layers', 'num_attention_heads', 'ffn_hidden_size'],
  },
  codegen: { file: 'gpt', reader: 'codegen', needs: plain },
  cohere: { file: 'cohere', reader: 'cohere', needs: modern },
  cohere2: { file: 'cohere', reader: 'cohere2', needs: modern },
  conformer: { file: 'speech', reader: 'conformer', needs: stream },
  dbrx: {
    file: 'dbrx',
    reader: 'dbrx',
    needs: ['d_model', 'n_layers', 'n_heads', 'vocab_size', 'attn_config', 'ffn_config'],
  },
  deepseek_v2: { file: 'deepseek', reader: 'deepseek', needs: latent },
  deepseek_v3: { file: 'deepseek', reader: 'deepseekV3', needs: latentExperts },
  deepseek_v32: { file: 'deepseek', reader: 'deepseekV3', needs: indexed },
  deit: { file: 'vit', reader: 'deit', needs: images },
  distilbert: {
    file: 'encoder',
    reader: 'distilbert',
    needs: ['dim', 'n_layers', 'n_heads', 'hidden_dim', 'vocab_size'],
  },
  electra: { file: 'encoder', reader: 'electra', needs: modern },
  ernie4_5: { file: 'llama', reader: 'ernie45', needs: modern },
  ernie4_5_moe: { file: 'llama', reader: 'ernie45Moe', needs: narrowExperts },
  exaone4: { file: 'llama', reader: 'exaone4', needs: modern },
  falcon: { file: 'gpt', reader: 'falcon', needs: plain },
  falcon_h1: { file: 'granite', reader: 'falconH1', needs: [...hybrid, 'intermediate_size'] },
  gemma: { file: 'gemma', reader: 'gemma', needs: modern },
  gemma2: { file: 'gemma', reader: 'gemma2', needs: modern },
  gemma3_text: { file: 'gemma', reader: 'gemma3', needs: modern },
  gemma3n_text: { file: 'gemma', reader: 'gemma3n', needs: modern },
  gemma4_text: { file: 'gemma', reader: 'gemma4', needs: modern },
  gemma4_unified_text: { file: 'gemma', reader: 'gemma4', needs: modern },
  glm: { file: 'glm', reader: 'glm', needs: modern },
  glm4: { file: 'glm', reader: 'glm4', needs: modern },
  glm4_moe: { file: 'glm', reader: 'glm4Moe', needs: narrowExperts },
  gpt2: { file: 'gpt', reader: 'gpt2', needs: plain },
  gpt_bigcode: { file: 'gpt', reader: 'gptBigCode', needs: plain },
  gpt_neo: { file: 'gpt', reader: 'gptNeo', needs: plain },
  gpt_neox: { file: 'gpt', reader: 'gptNeox', needs: modern },
  gpt_oss: { file: 'openai', reader: 'gptOss', needs: equalExperts },
  gptj: { file: 'gpt', reader: 'gptj', needs: plain },
  granite: { file: 'granite', reader: 'granite', needs: modern },
  granitemoe: { file: 'granite', reader: 'graniteMoe', needs: equalExperts },
  granitemoehybrid: {
    file: 'granite',
    reader: 'graniteHybrid',
    needs: [...stream, 'shared_intermediate_size', 'num_local_experts'],
  },
  lfm2: { file: 'hybrid', reader: 'lfm2', needs: [...stream, ['block_ff_dim', 'intermediate_size'], 'conv_L_cache'] },
  llama: { file: 'llama', reader: 'llama', needs: modern },
  llama4_text: { file: 'llama4', reader: 'llama4', needs: equalExperts },
  m2m_100: { file: 'bart', reader: 'm2m100', needs: sides },
  mamba2: { file: 'hybrid', reader: 'mamba2', needs: ['hidden_size', 'num_hidden_layers', 'vocab_size', ...mamba] },
  marian: { file: 'bart', reader: 'marian', needs: sides },
  mbart: { file: 'bart', reader: 'mbart', needs: sides },
  minimax_m2: { file: 'llama', reader: 'minimaxM2', needs: equalExperts },
  ministral3: { file: 'llama', reader: 'mistral', needs: modern },
  mistral: { file: 'llama', reader: 'mistral', needs: modern },
  mixtral: { file: 'llama', reader: 'mixtral', needs: equalExperts },
  mllama_text_model: { file: 'llama', reader: 'mllama', needs: modern },
  modernbert: { file: 'encoder', reader: 'modernBert', needs: modern },
  mpt: { file: 'gpt', reader: 'mpt', needs: plain },
  mt5: { file: 't5', reader: 'mt5', needs: relative },
  nemotron: { file: 'llama', reader: 'nemotron', needs: modern },
  nemotron_h: { file: 'hybrid', reader: 'nemotronH', needs: ['hidden_size', 'num_attention_heads', 'vocab_size'] },
  olmo: { file: 'olmo', reader: 'olmo', needs: modern },
  olmo2: { file: 'olmo', reader: 'olmo2', needs: modern },
  olmo3: { file: 'olmo', reader: 'olmo3', needs: modern },
  olmoe: { file: 'olmo', reader: 'olmoe', needs: equalExperts },
  opt: { file: 'gpt', reader: 'opt', needs: [...stream, 'ffn_dim'] },
  pegasus: { file: 'bart', reader: 'pegasus', needs: sides },
  phi: { file: 'phi', reader: 'phi', needs: modern },
  phi3: { file: 'phi', reader: 'phi3', needs: modern },
  phimoe: { file: 'phi', reader: 'phimoe', needs: equalExperts },
  qwen: { file: 'qwen', reader: 'qwen', needs: modern },
  qwen2: { file: 'qwen', reader: 'qwen2', needs: modern },
  qwen2_moe: { file: 'qwen', reader: 'qwen2Moe', needs: sharedExpert },
  qwen3: { file: 'qwen', reader: 'qwen3', needs: modern },
  qwen3_5_text: { file: 'hybrid', reader: 'qwen35', needs: [...modern, ...delta] },
  qwen3_moe: { file: 'qwen', reader: 'qwen3Moe', needs: narrowExperts },
  qwen3_next: { file: 'hybrid', reader: 'qwen3Next', needs: [...sharedExpert, ...delta] },
  roberta: { file: 'encoder', reader: 'roberta', needs: modern },
  seed_oss: { file: 'llama', reader: 'seedOss', needs: modern },
  smollm3: { file: 'llama4', reader: 'smollm3', needs: modern },
  squeezeformer: { file: 'speech', reader: 'squeezeformer', needs: stream },
  stablelm: { file: 'llama', reader: 'stablelm', needs: modern },
  starcoder2: { file: 'llama', reader: 'starcoder2', needs: modern },
  t5: { file: 't5', reader: 't5', needs: relative },
  vit: { file: 'vit', reader: 'vit', needs: images },
  whisper: { file: 'whisper', reader: 'whisper', needs: [...sides, 'num_mel_bins'] },
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

const mistral = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
}

/** Widths that a nested config may leave out. */
const widths: Readonly<Record<string, Defaults>> = {
  gemma: {
    vocab_size: 256000,
    hidden_size: 3072,
    intermediate_size: 24576,
    num_hidden_layers: 28,
    num_attention_heads: 16,
    max_position_embeddings: 8192,
  },
  gemma2: {
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    max_position_embeddings: 8192,
  },
  gemma3_text: {
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    max_position_embeddings: 131072,
  },
  gemma3n_text: {
    vocab_size: 262400,
    hidden_size: 2048,
    intermediate_size: 16384,
    num_hidden_layers: 35,
    num_attention_heads: 8,
    hidden_size_per_layer_input: 256,
    max_position_embeddings: 32768,
  },
  gemma4_text: {
    vocab_size: 262144,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 30,
    num_attention_heads: 8,
    hidden_size_per_layer_input: 256,
    max_position_embeddings: 131072,
  },
  llama: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
  },
  llama4_text: {
    vocab_size: 202048,
    hidden_size: 5120,
    intermediate_size: 8192,
    intermediate_size_mlp: 16384,
    num_hidden_layers: 48,
    num_attention_heads: 40,
    num_local_experts: 16,
    num_experts_per_tok: 1,
    max_position_embeddings: 131072,
  },
  mistral: { ...mistral, max_position_embeddings: 131072 },
  mixtral: { ...mistral, num_local_experts: 8, num_experts_per_tok: 2, max_position_embeddings: 131072 },
  opt: {
    vocab_size: 50272,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    ffn_dim: 3072,
    max_position_embeddings: 2048,
  },
  qwen2: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    max_position_embeddings: 32768,
  },
  qwen3: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    max_position_embeddings: 32768,
  },
}

/** Fields that any config may leave out. */
const details: Readonly<Record<string, Defaults>> = {
  cohere2: { sliding_window: 4096 },
  deepseek_v2: { q_lora_rank: 1536, n_shared_experts: 2, first_k_dense_replace: 0 },
  deepseek_v3: { q_lora_rank: 1536, n_shared_experts: 1, first_k_dense_replace: 3 },
  deepseek_v32: { q_lora_rank: 1536, n_shared_experts: 1, first_k_dense_replace: 3 },
  electra: { embedding_size: 128 },
  ernie4_5: { num_key_value_heads: 2, head_dim: 128 },
  ernie4_5_moe: { num_key_value_heads: 4, moe_num_shared_experts: 2, moe_layer_start_index: 1 },
  exaone4: { sliding_window: 4096, sliding_window_pattern: 4 },
  falcon_h1: { num_key_value_heads: 8 },
  gemma: { num_key_value_heads: 16, head_dim: 256 },
  gemma2: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096 },
  gemma3_text: { num_key_value_heads: 4, head_dim: 256, sliding_window: 4096 },
  gemma3n_text: {
    num_key_value_heads: 2,
    head_dim: 256,
    sliding_window: 512,
    hidden_size_per_layer_input: 256,
    altup_num_inputs: 4,
    laurel_rank: 64,
  },
  gemma4_text: { num_key_value_heads: 4, head_dim: 256, sliding_window: 512, hidden_size_per_layer_input: 256 },
  glm: { num_key_value_heads: 2, head_dim: 128 },
  glm4: { num_key_value_heads: 2, head_dim: 128 },
  gpt_oss: { num_key_value_heads: 8, head_dim: 64, sliding_window: 128 },
  lfm2: { num_key_value_heads: 8 },
  llama4_text: { num_key_value_heads: 8, head_dim: 128, attention_chunk_size: 8192 },
  minimax_m2: { num_key_value_heads: 8, head_dim: 128 },
  mistral: { num_key_value_heads: 8, sliding_window: 4096 },
  mixtral: { num_key_value_heads: 8 },
  nemotron_h: { num_key_value_heads: 8, head_dim: 128, n_shared_experts: 1, chunk_size: 128 },
  olmo3: { sliding_window: 4096 },
  phimoe: { num_key_value_heads: 8 },
  qwen3: { head_dim: 128 },
  qwen3_5_text: { num_key_value_heads: 4, head_dim: 256 },
  qwen3_moe: { num_key_value_heads: 4 },
  qwen3_next: { num_key_value_heads: 2, head_dim: 256 },
  seed_oss: { num_key_value_heads: 8, head_dim: 128 },
  smollm3: { num_key_value_heads: 4 },
  starcoder2: { num_key_value_heads: 2 },
}

function of(table: Readonly<Record<string, Defaults>>, family: string): Defaults {
  return Object.hasOwn(table, family) ? (table[family] as Defaults) : {}
}

/** Defaults of absent fields; none where the family is not in the tables. */
export function familyDefaults(family: string, nested: boolean): Defaults {
  return { ...(nested ? of(widths, family) : {}), ...of(details, family) }
}
