// BLOOM (arXiv 2211.05100, table 3), with the fields of config.json on the Hugging Face Hub.
import type { Presets } from './sizes.ts'

function bloom(hidden_size: number, n_layer: number, n_head: number, torch_dtype = 'float16') {
  return {
    model_type: 'bloom',
    hidden_size,
    n_layer,
    n_head,
    vocab_size: 250880,
    tie_word_embeddings: true,
    torch_dtype,
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                 width layers heads
  'bloom-560m': bloom( 1024, 24,  16),
  'bloom-1.1b': bloom( 1536, 24,  16),
  'bloom-1.7b': bloom( 2048, 24,  16),
  'bloom-3b':   bloom( 2560, 30,  32),
  'bloom-7.1b': bloom( 4096, 30,  32),
  'bloom-176b': bloom(14336, 70, 112, 'bfloat16'),
}
