// BART (arXiv 1910.13461). From config.json on the Hugging Face Hub.
import type { Presets } from './sizes.ts'

function bart(d_model: number, layers: number, heads: number) {
  return {
    model_type: 'bart',
    d_model,
    encoder_layers: layers,
    decoder_layers: layers,
    encoder_attention_heads: heads,
    decoder_attention_heads: heads,
    encoder_ffn_dim: 4 * d_model,
    decoder_ffn_dim: 4 * d_model,
    activation_function: 'gelu',
    vocab_size: 50265,
    max_position_embeddings: 1024,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
  }
}

export const presets: Presets = {
  'bart-base': bart(768, 6, 12),
  'bart-large': bart(1024, 12, 16),
}
