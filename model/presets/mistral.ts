// Mistral and Mixtral. From their config.json on the Hugging Face Hub (as in litgpt's config.py). Only Mistral 7B v0.1
// attends in a window.
import { type Presets, sizes } from './sizes.ts'

const common = { hidden_act: 'silu', head_dim: 128, tie_word_embeddings: false, torch_dtype: 'bfloat16' }
const mistral = { model_type: 'mistral', ...common, sliding_window: null }
const windowed = { ...mistral, sliding_window: 4096 }
const mixtral = {
  model_type: 'mixtral',
  ...common,
  sliding_window: null,
  num_local_experts: 8,
  num_experts_per_tok: 2,
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                            width layers heads kv  ffn   vocab positions
  'mistral-7b':         { ...windowed, ...sizes( 4096, 32, 32, 8, 14336,  32000,  32768) },
  'mistral-7b-v0.2':    { ...mistral,  ...sizes( 4096, 32, 32, 8, 14336,  32000,  32768) },
  'mistral-7b-v0.3':    { ...mistral,  ...sizes( 4096, 32, 32, 8, 14336,  32768,  32768) },
  'mistral-nemo':       { ...mistral,  ...sizes( 5120, 40, 32, 8, 14336, 131072, 131072) },
  'mistral-small-24b':  { ...mistral,  ...sizes( 5120, 40, 32, 8, 32768, 131072,  32768) },
  'mistral-large-2':    { ...mistral,  ...sizes(12288, 88, 96, 8, 28672,  32768, 131072) },
  'mixtral-8x7b':       { ...mixtral,  ...sizes( 4096, 32, 32, 8, 14336,  32000,  32768) },
  'mixtral-8x22b':      { ...mixtral,  ...sizes( 6144, 56, 48, 8, 16384,  32768,  65536) },
}
