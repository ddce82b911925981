// Falcon (arXiv 2311.16867). From config.json on the Hugging Face Hub (as in litgpt's config.py). The 7B has one key and
// value head and one norm per block, the larger ones eight and two (`new_decoder_architecture`).
import type { Presets } from './sizes.ts'

const falcon = {
  model_type: 'falcon',
  bias: false,
  alibi: false,
  vocab_size: 65024,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
}
const multiQuery = { ...falcon, multi_query: true, parallel_attn: true, new_decoder_architecture: false }
const grouped = { ...falcon, new_decoder_architecture: true, num_kv_heads: 8 }

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  'falcon-7b':   { ...multiQuery, hidden_size:  4544, num_hidden_layers: 32, num_attention_heads:  71 },
  'falcon-40b':  { ...grouped,    hidden_size:  8192, num_hidden_layers: 60, num_attention_heads: 128 },
  'falcon-180b': { ...grouped,    hidden_size: 14848, num_hidden_layers: 80, num_attention_heads: 232 },
}
