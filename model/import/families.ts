// Which reader takes which `model_type`, and the fields that it cannot do without. Readers are named here, not imported:
// a model needs one of these files, and starting up with all of them would cost more than the answer.
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
