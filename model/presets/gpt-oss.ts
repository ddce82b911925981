// gpt-oss (arXiv 2508.10925). From config.json on the Hugging Face Hub: experts in mxfp4, windows of 128 in every other
// layer.
import { type Presets, pattern, sizes } from './sizes.ts'

function gptOss(layers: number, experts: number) {
  return {
    model_type: 'gpt_oss',
    ...sizes(2880, layers, 64, 8, 2880, 201088, 131072),
    head_dim: 64,
    hidden_act: 'silu',
    attention_bias: true,
    num_local_experts: experts,
    num_experts_per_tok: 4,
    sliding_window: 128,
    layer_types: pattern(layers, 'sliding_attention', 'full_attention'),
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    quantization_config: {
      quant_method: 'mxfp4',
      modules_to_not_convert: [
        'model.layers.*.self_attn',
        'model.layers.*.mlp.router',
        'model.embed_tokens',
        'lm_head',
      ],
    },
  }
}

export const presets: Presets = {
  'gpt-oss-20b': gptOss(24, 32),
  'gpt-oss-120b': gptOss(36, 128),
}
