// Gemma 1 to 4 (arXiv 2403.08295, 2408.00118, 2503.19786), of 3 and 4 the language part. From config.json on the
// Hugging Face Hub, 1 to 3 as in litgpt's config.py; in bf16, as the instruction-tuned models are released.
import { type Presets, pattern, sizes } from './sizes.ts'

const gemma = {
  model_type: 'gemma',
  hidden_activation: 'gelu_pytorch_tanh',
  head_dim: 256,
  attention_bias: false,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
}

function alternating(layers: number) {
  const layer_types = pattern(layers, 'sliding_attention', 'full_attention')
  return { ...gemma, model_type: 'gemma2', sliding_window: 4096, layer_types }
}

/** Five windowed layers to one that sees everything. */
function fiveToOne(layers: number) {
  const local = 'sliding_attention'
  return pattern(layers, local, local, local, local, local, 'full_attention')
}

function gemma3(layers: number, sliding_window: number, head_dim = 256) {
  return { ...gemma, model_type: 'gemma3_text', head_dim, sliding_window, layer_types: fiveToOne(layers) }
}

const gemma4 = {
  ...gemma,
  model_type: 'gemma4_text',
  global_head_dim: 512,
  num_global_key_value_heads: 2,
  attention_k_eq_v: true,
  num_kv_shared_layers: 0,
  hidden_size_per_layer_input: 0,
  use_double_wide_mlp: false,
  enable_moe_block: true,
  num_experts: 128,
  top_k_experts: 8,
  moe_intermediate_size: 704,
  sliding_window: 1024,
  layer_types: fiveToOne(30),
  rope_parameters: {
    full_attention: { rope_type: 'proportional', rope_theta: 1000000, partial_rotary_factor: 0.25 },
    sliding_attention: { rope_type: 'default', rope_theta: 10000 },
  },
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                                        width layers heads kv  ffn   vocab positions
  'gemma-2b':        { ...gemma,                     ...sizes(2048, 18,  8,  1, 16384, 256000,   8192) },
  'gemma-7b':        { ...gemma,                     ...sizes(3072, 28, 16, 16, 24576, 256000,   8192) },
  'gemma-2-2b':      { ...alternating(26),           ...sizes(2304, 26,  8,  4,  9216, 256000,   8192) },
  'gemma-2-9b':      { ...alternating(42),           ...sizes(3584, 42, 16,  8, 14336, 256000,   8192) },
  'gemma-2-27b':     { ...alternating(46),           ...sizes(4608, 46, 32, 16, 36864, 256000,   8192), head_dim: 128 },
  'gemma-3-1b':      { ...gemma3(26,  512),          ...sizes(1152, 26,  4,  1,  6912, 262144,  32768) },
  'gemma-3-4b':      { ...gemma3(34, 1024),          ...sizes(2560, 34,  8,  4, 10240, 262208, 131072) },
  'gemma-3-12b':     { ...gemma3(48, 1024),          ...sizes(3840, 48, 16,  8, 15360, 262208, 131072) },
  'gemma-3-27b':     { ...gemma3(62, 1024, 128),     ...sizes(5376, 62, 32, 16, 21504, 262208, 131072) },
  'gemma-4-26b-a4b': { ...gemma4,                    ...sizes(2816, 30, 16,  8,  2112, 262144, 262144) },
}
