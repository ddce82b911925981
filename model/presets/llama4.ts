// Llama 4, the language part of its text_config. From config.json on the Hugging Face Hub (as in NVIDIA's aiconfigurator).
import { type Presets, sizes } from './sizes.ts'

/** `step`: every how many layers a feed-forward is a mixture of experts; the others are dense and wider. */
function llama4(experts: number, step: number, positions: number) {
  return {
    model_type: 'llama4_text',
    ...sizes(5120, 48, 40, 8, 8192, 202048, positions),
    head_dim: 128,
    hidden_act: 'silu',
    num_local_experts: experts,
    num_experts_per_tok: 1,
    interleave_moe_layer_step: step,
    intermediate_size_mlp: 16384,
    attention_chunk_size: 8192,
    use_qk_norm: step === 1,
    attention_bias: false,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
  }
}

export const presets: Presets = {
  'llama-4-scout': llama4(16, 1, 10485760),
  'llama-4-maverick': llama4(128, 2, 1048576),
}
