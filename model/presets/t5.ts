// T5 (arXiv 1910.10683), FLAN-T5 (2210.11416, on T5 1.1) and mT5 (2010.11934). From their config.json on the Hugging Face
// Hub.
import type { Presets } from './sizes.ts'

function t5(d_model: number, num_layers: number, num_heads: number, d_kv: number, d_ff: number) {
  return {
    model_type: 't5',
    d_model,
    num_layers,
    num_decoder_layers: num_layers,
    num_heads,
    d_kv,
    d_ff,
    vocab_size: 32128,
    feed_forward_proj: 'relu',
    relative_attention_num_buckets: 32,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
  }
}

const gated = { feed_forward_proj: 'gated-gelu', tie_word_embeddings: false }
const mt5 = { ...gated, model_type: 'mt5', vocab_size: 250112 }

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                 width layers heads head  ffn
  't5-small':      t5( 512,  6,   8,  64,  2048),
  't5-base':       t5( 768, 12,  12,  64,  3072),
  't5-large':      t5(1024, 24,  16,  64,  4096),
  't5-3b':         t5(1024, 24,  32, 128, 16384),
  't5-11b':        t5(1024, 24, 128, 128, 65536),
  'flan-t5-small': { ...t5( 512,  8,  6, 64,  1024), ...gated },
  'flan-t5-base':  { ...t5( 768, 12, 12, 64,  2048), ...gated },
  'flan-t5-large': { ...t5(1024, 24, 16, 64,  2816), ...gated },
  'flan-t5-xl':    { ...t5(2048, 24, 32, 64,  5120), ...gated },
  'flan-t5-xxl':   { ...t5(4096, 24, 64, 64, 10240), ...gated },
  'mt5-small':     { ...t5( 512,  8,  6, 64,  1024), ...mt5 },
  'mt5-base':      { ...t5( 768, 12, 12, 64,  2048), ...mt5 },
  'mt5-large':     { ...t5(1024, 24, 16, 64,  2816), ...mt5 },
  'mt5-xl':        { ...t5(2048, 24, 32, 64,  5120), ...mt5 },
  'mt5-xxl':       { ...t5(4096, 24, 64, 64, 10240), ...mt5 },
}
