// GPT-2 (config.json on the Hugging Face Hub) and GPT-3 (arXiv 2005.14165, table 2.1). GPT-3 in GPT-2's terms: every
// layer dense, where the paper alternates with banded sparse attention; its weights were not published, fp16 is assumed.
import type { Presets } from './sizes.ts'

function gpt2(n_embd: number, n_layer: number, n_head: number, n_positions = 1024, torch_dtype = 'float32') {
  return {
    model_type: 'gpt2',
    n_embd,
    n_layer,
    n_head,
    n_inner: 4 * n_embd,
    n_positions,
    vocab_size: 50257,
    activation_function: 'gelu_new',
    tie_word_embeddings: true,
    torch_dtype,
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                 width layers heads
  'gpt-2-small':  gpt2( 768, 12, 12),
  'gpt-2-medium': gpt2(1024, 24, 16),
  'gpt-2-large':  gpt2(1280, 36, 20),
  'gpt-2-xl':     gpt2(1600, 48, 25),
  'gpt-3':        gpt2(12288, 96, 96, 2048, 'float16'),
}
