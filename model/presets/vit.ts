// ViT (arXiv 2010.11929, table 1) and DeiT's smaller ones (2012.12877, table 1), at 224 pixels, with a classifier of 1000
// classes.
import type { Presets } from './sizes.ts'

function vit(hidden_size: number, num_hidden_layers: number, num_attention_heads: number, patch_size = 16) {
  return {
    model_type: 'vit',
    architectures: ['ViTForImageClassification'],
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    intermediate_size: 4 * hidden_size,
    hidden_act: 'gelu',
    image_size: 224,
    patch_size,
    num_channels: 3,
    qkv_bias: true,
    num_labels: 1000,
    torch_dtype: 'float32',
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //           width layers heads patch
  'vit-tiny':  vit( 192, 12,  3),
  'vit-small': vit( 384, 12,  6),
  'vit-base':  vit( 768, 12, 12),
  'vit-large': vit(1024, 24, 16),
  'vit-huge':  vit(1280, 32, 16, 14),
}
