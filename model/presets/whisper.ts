// Whisper (arXiv 2212.04356, table 1), the multilingual models. From their config.json on the Hugging Face Hub.
import type { Presets } from './sizes.ts'

function whisper(d_model: number, layers: number, torch_dtype = 'float32') {
  return {
    model_type: 'whisper',
    d_model,
    encoder_layers: layers,
    decoder_layers: layers,
    encoder_attention_heads: d_model / 64,
    decoder_attention_heads: d_model / 64,
    encoder_ffn_dim: 4 * d_model,
    decoder_ffn_dim: 4 * d_model,
    activation_function: 'gelu',
    num_mel_bins: 80,
    max_source_positions: 1500,
    max_target_positions: 448,
    vocab_size: 51865,
    tie_word_embeddings: true,
    torch_dtype,
  }
}

const v3 = { ...whisper(1280, 32, 'float16'), num_mel_bins: 128, vocab_size: 51866 }

export const presets: Presets = {
  'whisper-tiny': whisper(384, 4),
  'whisper-base': whisper(512, 6),
  'whisper-small': whisper(768, 12),
  'whisper-medium': whisper(1024, 24),
  'whisper-large-v2': whisper(1280, 32),
  'whisper-large-v3': v3,
  'whisper-large-v3-turbo': { ...v3, decoder_layers: 4 },
}
