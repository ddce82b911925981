// DeepSeek-V2 and V3 (arXiv 2405.04434, 2412.19437), V3.2's sparse attention, and Kimi K2, which has V3's layer. From
// their config.json on the Hugging Face Hub (as in NVIDIA's aiconfigurator), of K2.5 the language part. Without the layers for multi-token prediction, which serving may leave out.
import { blockFp8, type Presets, sizes } from './sizes.ts'

/** Latent attention; heads of 128 + 64 dimensions, a latent of 512. */
function latent(q_lora_rank: number | null) {
  return {
    q_lora_rank,
    kv_lora_rank: 512,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
    attention_bias: false,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  }
}

/** `dense` first layers, then `routed` experts of which a token takes `active`, and `shared` ones. */
function experts(dense: number, routed: number, active: number, shared: number, hidden: number) {
  return {
    first_k_dense_replace: dense,
    moe_layer_freq: 1,
    n_routed_experts: routed,
    num_experts_per_tok: active,
    n_shared_experts: shared,
    moe_intermediate_size: hidden,
  }
}

const v2 = { model_type: 'deepseek_v2', ...latent(1536), ...experts(1, 160, 6, 2, 1536) }
const v2Lite = { model_type: 'deepseek_v2', ...latent(null), ...experts(1, 64, 6, 2, 1408) }
const v3 = { model_type: 'deepseek_v3', ...latent(1536), ...experts(3, 256, 8, 1, 2048), quantization_config: blockFp8 }
const v32 = { ...v3, model_type: 'deepseek_v32', index_n_heads: 64, index_head_dim: 128, index_topk: 2048 }
const k2 = { ...v3, model_type: 'kimi_k2', ...experts(1, 384, 8, 1, 2048) }

/** As NVIDIA releases V3: feed-forwards and experts in nvfp4, attention as it was. */
const nvfp4 = {
  quant_method: 'modelopt',
  quant_algo: 'NVFP4',
  exclude_modules: ['model.layers.*.self_attn*', 'model.layers.*.mlp.gate', 'model.embed_tokens', 'lm_head'],
}

/** As Moonshot releases K2.5: routed experts alone in int4. */
const int4Experts = {
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  config_groups: {
    group_0: {
      targets: ['Linear'],
      weights: { num_bits: 4, type: 'int', strategy: 'group', group_size: 32, symmetric: true },
    },
  },
  ignore: ['lm_head', 're:.*self_attn.*', 're:.*shared_experts.*', 're:.*mlp\\.(gate|up|gate_up|down)_proj.*'],
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                         width layers heads kv   ffn   vocab positions
  'deepseek-v2':       { ...v2,     ...sizes(5120, 60, 128, 128, 12288, 102400, 163840) },
  'deepseek-v2-lite':  { ...v2Lite, ...sizes(2048, 27,  16,  16, 10944, 102400, 163840) },
  'deepseek-v3':       { ...v3,     ...sizes(7168, 61, 128, 128, 18432, 129280, 163840) },
  'deepseek-v3-nvfp4': { ...v3,     ...sizes(7168, 61, 128, 128, 18432, 129280, 163840), quantization_config: nvfp4 },
  'deepseek-r1':       { ...v3,     ...sizes(7168, 61, 128, 128, 18432, 129280, 163840) },
  'deepseek-v3.2':     { ...v32,    ...sizes(7168, 61, 128, 128, 18432, 129280, 163840) },
  'kimi-k2':           { ...k2,     ...sizes(7168, 61,  64,  64, 18432, 163840, 131072) },
  'kimi-k2.5':         { ...k2,     ...sizes(7168, 61,  64,  64, 18432, 163840, 262144), quantization_config: int4Experts },
}
