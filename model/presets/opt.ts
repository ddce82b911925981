// OPT (arXiv 2205.01068, table 1), with the fields of config.json on the Hugging Face Hub. The 350M model alone is
// post-norm and has a token table narrower than its layers.
import type { Presets } from './sizes.ts'

function opt(hidden_size: number, num_hidden_layers: number, num_attention_heads: number) {
  return {
    model_type: 'opt',
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    ffn_dim: 4 * hidden_size,
    word_embed_proj_dim: hidden_size,
    do_layer_norm_before: true,
    enable_bias: true,
    activation_function: 'relu',
    vocab_size: 50272,
    max_position_embeddings: 2048,
    tie_word_embeddings: true,
    torch_dtype: 'float16',
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //             width layers heads
  'opt-125m': opt(  768, 12, 12),
  'opt-350m': { ...opt(1024, 24, 16), word_embed_proj_dim: 512, do_layer_norm_before: false },
  'opt-1.3b': opt( 2048, 24, 32),
  'opt-2.7b': opt( 2560, 32, 32),
  'opt-6.7b': opt( 4096, 32, 32),
  'opt-13b':  opt( 5120, 40, 40),
  'opt-30b':  opt( 7168, 48, 56),
  'opt-66b':  opt( 9216, 64, 72),
  'opt-175b': opt(12288, 96, 96),
}
