// What Transformers takes for fields that a config leaves out: transformers/models/*/configuration_*.py, version 5.18.
// A config that stands alone is saved whole, so the widths that make a model must be in it; a nested `text_config` is
// saved without the fields that equal its class's defaults, and there those widths are facts too.
import type { Defaults } from './fields.ts'

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
