// EleutherAI's GPT-J, GPT-NeoX-20B (arXiv 2204.06745) and Pythia (arXiv 2304.01373). From their config.json on the
// Hugging Face Hub (Pythia as in litgpt's config.py).
import type { Presets } from './sizes.ts'

function neox(hidden_size: number, num_hidden_layers: number, num_attention_heads: number, vocab_size: number) {
  return {
    model_type: 'gpt_neox',
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    intermediate_size: 4 * hidden_size,
    vocab_size,
    max_position_embeddings: 2048,
    hidden_act: 'gelu',
    rotary_pct: 0.25,
    use_parallel_residual: true,
    attention_bias: true,
    tie_word_embeddings: false,
    torch_dtype: 'float16',
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  'gpt-j-6b': {
    model_type: 'gptj',
    n_embd: 4096,
    n_layer: 28,
    n_head: 16,
    n_inner: 16384,
    rotary_dim: 64,
    n_positions: 2048,
    vocab_size: 50400,
    activation_function: 'gelu_new',
    tie_word_embeddings: false,
    torch_dtype: 'float32',
  },
  //                 width layers heads vocab
  'gpt-neox-20b': neox(6144, 44, 64, 50432),
  'pythia-70m':   neox( 512,  6,  8, 50304),
  'pythia-160m':  neox( 768, 12, 12, 50304),
  'pythia-410m':  neox(1024, 24, 16, 50304),
  'pythia-1b':    neox(2048, 16,  8, 50304),
  'pythia-1.4b':  neox(2048, 24, 16, 50304),
  'pythia-2.8b':  neox(2560, 32, 32, 50304),
  'pythia-6.9b':  neox(4096, 32, 32, 50432),
  'pythia-12b':   neox(5120, 36, 40, 50688),
}
