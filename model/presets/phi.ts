// Phi-1.5 to Phi-4. From their config.json on the Hugging Face Hub (as in litgpt's config.py).
import { type Presets, sizes } from './sizes.ts'

const phi = {
  model_type: 'phi',
  hidden_act: 'gelu_new',
  partial_rotary_factor: 0.4,
  qk_layernorm: false,
  tie_word_embeddings: false,
  torch_dtype: 'float16',
}
const phi3 = {
  model_type: 'phi3',
  hidden_act: 'silu',
  sliding_window: null,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}
const mini = { ...phi3, partial_rotary_factor: 0.75, tie_word_embeddings: true }

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                 width layers heads kv  ffn   vocab positions
  'phi-1.5':         { ...phi,  ...sizes(2048, 24, 32, 32,  8192,  51200,   2048), partial_rotary_factor: 0.5 },
  'phi-2':           { ...phi,  ...sizes(2560, 32, 32, 32, 10240,  51200,   2048) },
  'phi-3-mini':      { ...phi3, ...sizes(3072, 32, 32, 32,  8192,  32064,   4096), sliding_window: 2047 },
  'phi-3-mini-128k': { ...phi3, ...sizes(3072, 32, 32, 32,  8192,  32064, 131072) },
  'phi-3-medium':    { ...phi3, ...sizes(5120, 40, 40, 10, 17920,  32064,   4096), sliding_window: 2047 },
  'phi-4':           { ...phi3, ...sizes(5120, 40, 40, 10, 17920, 100352,  16384) },
  'phi-4-mini':      { ...mini, ...sizes(3072, 32, 24,  8,  8192, 200064, 131072) },
}
