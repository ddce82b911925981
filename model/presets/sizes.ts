// The seven numbers in which decoders of one family mostly differ, so that a preset is a row of a table.
import type { Json } from '../import/fields.ts'

export type Presets = Readonly<Record<string, Json>>

/** Fields of config.json, in the order in which people describe a model. */
export function sizes(
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  num_key_value_heads: number,
  intermediate_size: number,
  vocab_size: number,
  max_position_embeddings: number,
) {
  return {
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    num_key_value_heads,
    intermediate_size,
    vocab_size,
    max_position_embeddings,
  }
}

/** `layer_types` of layers that repeat a pattern. */
export function pattern(layers: number, ...kinds: readonly string[]): string[] {
  return Array.from({ length: layers }, (_, i) => kinds[i % kinds.length] as string)
}

/** How DeepSeek, Qwen and Kimi release fp8: weights in blocks of 128 x 128, activations scaled as they come. */
export const blockFp8 = {
  quant_method: 'fp8',
  fmt: 'e4m3',
  activation_scheme: 'dynamic',
  weight_block_size: [128, 128],
}
