// LLaMA, Llama 2 and 3, and models trained on from them or built of the same layer. From their config.json on the
// Hugging Face Hub, most as in litgpt's config.py; InternLM-20B from its model card; Llemma-34B is Code Llama 34B.
import { type Presets, sizes } from './sizes.ts'

const llama = {
  model_type: 'llama',
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: false,
  torch_dtype: 'float16',
}
const bf16 = { ...llama, torch_dtype: 'bfloat16' }
const small = { ...bf16, tie_word_embeddings: true }

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                                          width layers heads  kv    ffn  vocab positions
  'llama-7b':            { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000,    2048) },
  'llama-13b':           { ...llama, ...sizes( 5120,  40,  40,  40, 13824,  32000,    2048) },
  'llama-30b':           { ...llama, ...sizes( 6656,  60,  52,  52, 17920,  32000,    2048) },
  'llama-65b':           { ...llama, ...sizes( 8192,  80,  64,  64, 22016,  32000,    2048) },
  'openllama-3b':        { ...llama, ...sizes( 3200,  26,  32,  32,  8640,  32000,    2048) },
  'llama-2-7b':          { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000,    4096) },
  'llama-2-13b':         { ...llama, ...sizes( 5120,  40,  40,  40, 13824,  32000,    4096) },
  'llama-2-70b':         { ...llama, ...sizes( 8192,  80,  64,   8, 28672,  32000,    4096) },
  'llama-2-7b-32k':      { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000,   32768) },
  'longchat-7b-32k':     { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000,   32768) },
  'lwm-text-chat-128k':  { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000,  131072) },
  'lwm-text-chat':       { ...llama, ...sizes( 4096,  32,  32,  32, 11008,  32000, 1048576) },
  'codellama-7b':        { ...bf16,  ...sizes( 4096,  32,  32,  32, 11008,  32016,   16384) },
  'codellama-13b':       { ...bf16,  ...sizes( 5120,  40,  40,  40, 13824,  32016,   16384) },
  'codellama-34b':       { ...bf16,  ...sizes( 8192,  48,  64,   8, 22016,  32000,   16384) },
  'codellama-70b':       { ...bf16,  ...sizes( 8192,  80,  64,   8, 28672,  32016,   16384) },
  'llemma-34b':          { ...bf16,  ...sizes( 8192,  48,  64,   8, 22016,  32000,    4096) },
  'tinyllama':           { ...bf16,  ...sizes( 2048,  22,  32,   4,  5632,  32000,    2048) },
  'internlm-20b':        { ...bf16,  ...sizes( 5120,  60,  40,  40, 13824, 103168,   16384) },
  'smollm2-135m':        { ...small, ...sizes(  576,  30,   9,   3,  1536,  49152,    8192) },
  'smollm2-360m':        { ...small, ...sizes(  960,  32,  15,   5,  2560,  49152,    8192) },
  'smollm2-1.7b':        { ...small, ...sizes( 2048,  24,  32,  32,  8192,  49152,    8192) },
  'llama-3-8b':          { ...bf16,  ...sizes( 4096,  32,  32,   8, 14336, 128256,    8192) },
  'llama-3-70b':         { ...bf16,  ...sizes( 8192,  80,  64,   8, 28672, 128256,    8192) },
  'llama-3.1-8b':        { ...bf16,  ...sizes( 4096,  32,  32,   8, 14336, 128256,  131072) },
  'llama-3.1-70b':       { ...bf16,  ...sizes( 8192,  80,  64,   8, 28672, 128256,  131072) },
  'llama-3.1-405b':      { ...bf16,  ...sizes(16384, 126, 128,   8, 53248, 128256,  131072) },
  'llama-3.2-1b':        { ...small, ...sizes( 2048,  16,  32,   8,  8192, 128256,  131072) },
  'llama-3.2-3b':        { ...small, ...sizes( 3072,  28,  24,   8,  8192, 128256,  131072) },
  'llama-3.3-70b':       { ...bf16,  ...sizes( 8192,  80,  64,   8, 28672, 128256,  131072) },
}
