// Qwen2.5, Qwen3, Qwen3-Next and Qwen3.5 (its language part). From their config.json on the Hugging Face Hub, as in
// litgpt's config.py and NVIDIA's aiconfigurator.
import { blockFp8, type Presets, sizes } from './sizes.ts'

const common = { hidden_act: 'silu', use_sliding_window: false, tie_word_embeddings: false, torch_dtype: 'bfloat16' }
const tied = { tie_word_embeddings: true }
const qwen2 = { model_type: 'qwen2', ...common }
const qwen3 = { model_type: 'qwen3', ...common, head_dim: 128, attention_bias: false }

function qwen3Moe(moe_intermediate_size: number) {
  return {
    ...qwen3,
    model_type: 'qwen3_moe',
    moe_intermediate_size,
    num_experts: 128,
    num_experts_per_tok: 8,
    decoder_sparse_step: 1,
    mlp_only_layers: [],
  }
}

/** Three layers of a gated delta rule to one of attention, and a shared expert. */
function hybrid(model_type: string, experts: number, active: number, hidden: number, values: number) {
  return {
    model_type,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    attention_bias: false,
    head_dim: 256,
    partial_rotary_factor: 0.25,
    full_attention_interval: 4,
    linear_num_key_heads: 16,
    linear_num_value_heads: values,
    linear_key_head_dim: 128,
    linear_value_head_dim: 128,
    linear_conv_kernel_dim: 4,
    num_experts: experts,
    num_experts_per_tok: active,
    moe_intermediate_size: hidden,
    shared_expert_intermediate_size: hidden,
    decoder_sparse_step: 1,
    mlp_only_layers: [],
  }
}

const next = hybrid('qwen3_next', 512, 10, 512, 32)
const small = hybrid('qwen3_5_moe_text', 256, 8, 512, 32)
const large = hybrid('qwen3_5_moe_text', 512, 10, 1024, 64)

/** As NVIDIA releases them. */
const nvfp4 = { quant_method: 'modelopt', quant_algo: 'NVFP4', exclude_modules: ['lm_head'] }

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                                     width layers heads kv  ffn   vocab positions
  'qwen2.5-0.5b':         { ...qwen2, ...tied,     ...sizes( 896, 24, 14, 2,  4864, 151936,  32768) },
  'qwen2.5-1.5b':         { ...qwen2, ...tied,     ...sizes(1536, 28, 12, 2,  8960, 151936, 131072) },
  'qwen2.5-3b':           { ...qwen2, ...tied,     ...sizes(2048, 36, 16, 2, 11008, 151936,  32768) },
  'qwen2.5-7b':           { ...qwen2,              ...sizes(3584, 28, 28, 4, 18944, 152064, 131072) },
  'qwen2.5-14b':          { ...qwen2,              ...sizes(5120, 48, 40, 8, 13824, 152064, 131072) },
  'qwen2.5-32b':          { ...qwen2,              ...sizes(5120, 64, 40, 8, 27648, 152064, 131072) },
  'qwen2.5-72b':          { ...qwen2,              ...sizes(8192, 80, 64, 8, 29568, 152064, 131072) },
  'qwen3-0.6b':           { ...qwen3, ...tied,     ...sizes(1024, 28, 16, 8,  3072, 151936,  40960) },
  'qwen3-1.7b':           { ...qwen3, ...tied,     ...sizes(2048, 28, 16, 8,  6144, 151936,  40960) },
  'qwen3-4b':             { ...qwen3, ...tied,     ...sizes(2560, 36, 32, 8,  9728, 151936,  40960) },
  'qwen3-8b':             { ...qwen3,              ...sizes(4096, 36, 32, 8, 12288, 151936,  40960) },
  'qwen3-14b':            { ...qwen3,              ...sizes(5120, 40, 40, 8, 17408, 151936,  40960) },
  'qwen3-32b':            { ...qwen3,              ...sizes(5120, 64, 64, 8, 25600, 151936,  40960) },
  'qwen3-32b-fp8':        { ...qwen3,              ...sizes(5120, 64, 64, 8, 25600, 151936,  40960), quantization_config: blockFp8 },
  'qwen3-32b-nvfp4':      { ...qwen3,              ...sizes(5120, 64, 64, 8, 25600, 151936,  40960), quantization_config: nvfp4 },
  'qwen3-30b-a3b':        { ...qwen3Moe( 768),     ...sizes(2048, 48, 32, 4,  6144, 151936,  40960) },
  'qwen3-235b-a22b':      { ...qwen3Moe(1536),     ...sizes(4096, 94, 64, 4, 12288, 151936,  40960) },
  'qwen3-235b-a22b-fp8':  { ...qwen3Moe(1536),     ...sizes(4096, 94, 64, 4, 12288, 151936,  40960), quantization_config: blockFp8 },
  'qwen3-next-80b-a3b':   { ...next,               ...sizes(2048, 48, 16, 2,  5120, 151936, 262144) },
  'qwen3.5-35b-a3b':      { ...small,              ...sizes(2048, 40, 16, 2,   512, 248320, 262144) },
  'qwen3.5-397b-a17b':    { ...large,              ...sizes(4096, 60, 32, 2,  1024, 248320, 262144) },
  'deepseek-r1-distill-qwen-1.5b': { ...qwen2,     ...sizes(1536, 28, 12, 2,  8960, 151936, 131072) },
}
