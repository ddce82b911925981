// Conformer-CTC (arXiv 2005.08100 with a CTC head) and Squeezeformer (2206.00888). From the configs and the model's source
// in github.com/kssteven418/Squeezeformer, whose sp.model has 128 pieces.
import type { Presets } from './sizes.ts'

const features = { num_mel_bins: 80, sampling_rate: 16000, win_length: 400, hop_length: 160, center: true }

/** What both have; heads share the width, feed-forwards are four times as wide. */
function encoder(hidden_size: number, num_hidden_layers: number, num_attention_heads: number) {
  return {
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    intermediate_size: 4 * hidden_size,
    vocab_size: 128,
    hidden_act: 'swish',
    ...features,
    subsampling_kernel_size: 3,
    subsampling_channels: hidden_size,
    position_embedding_type: 'relative',
    max_position_embeddings: 5000,
    conv_kernel_size: 31,
    conv_expansion_factor: 2,
    torch_dtype: 'float32',
  }
}

function conformer(width: number, layers: number, heads: number) {
  return {
    model_type: 'conformer',
    ...encoder(width, layers, heads),
    subsampling: 'full',
    block_order: ['ffn', 'attention', 'convolution', 'ffn'],
    normalization: 'pre',
    conv_activation: 'glu',
    time_reduce_layers: [],
    time_recover_layers: [],
  }
}

/** The rate is halved before layer `reduce` and restored before the last. */
function squeezeformer(width: number, layers: number, heads: number, reduce: number) {
  return {
    model_type: 'squeezeformer',
    ...encoder(width, layers, heads),
    subsampling: 'depthwise-separable',
    block_order: ['attention', 'ffn', 'convolution', 'ffn'],
    normalization: 'scaled-post',
    conv_activation: 'swish',
    time_reduce_layers: [reduce],
    time_recover_layers: [layers - 1],
    time_reduce_kernel_size: 5,
    time_reduce_stride: 2,
  }
}

// biome-ignore format: one model per row, columns aligned
export const presets: Presets = {
  //                             width layers heads reduce
  'conformer-ctc-s':  conformer(    144, 16, 4),
  'conformer-ctc-m':  conformer(    256, 16, 4),
  'conformer-ctc-l':  conformer(    512, 18, 8),
  'squeezeformer-xs': squeezeformer(144, 16, 4,  7),
  'squeezeformer-s':  squeezeformer(196, 18, 4,  8),
  'squeezeformer-sm': squeezeformer(256, 16, 4,  7),
  'squeezeformer-m':  squeezeformer(324, 20, 4,  9),
  'squeezeformer-ml': squeezeformer(512, 18, 8,  8),
  'squeezeformer-l':  squeezeformer(640, 22, 8, 10),
}
