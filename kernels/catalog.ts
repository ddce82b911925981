// The kernels by name. Each is loaded only when it is asked for.
import { nearestHint } from '../model/nearest.ts'
import type { AnyKernel } from './kernel.ts'

const table = {
  'stream-read': async () => (await import('./suite/stream.ts')).streamRead,
  'stream-copy': async () => (await import('./suite/stream.ts')).streamCopy,
  'stream-triad': async () => (await import('./suite/stream.ts')).streamTriad,
  fma: async () => (await import('./suite/peak.ts')).fma,
  unpack: async () => (await import('./suite/codes.ts')).unpack,
  lookup: async () => (await import('./suite/codes.ts')).lookup,
  gather: async () => (await import('./suite/codes.ts')).gather,
  'empty-launch': async () => (await import('./suite/peak.ts')).emptyLaunch,
  gemm: async () => (await import('./suite/gemm.ts')).gemm,
  gemv: async () => (await import('./suite/gemv.ts')).gemv,
  'gemv-int4': async () => (await import('./suite/gemv-int4.ts')).gemvInt4,
  'attention-decode': async () => (await import('./suite/attention-decode.ts')).attentionDecode,
  'attention-prefill': async () => (await import('./suite/attention-prefill.ts')).attentionPrefill,
  'attention-unfused': async () => (await import('./suite/attention-prefill.ts')).attentionUnfused,
  'attention-int4': async () => (await import('./suite/hierarchical.ts')).attentionInt4,
  'attention-int8': async () => (await import('./suite/hierarchical.ts')).attentionInt8,
  'attention-nuq4': async () => (await import('./suite/kvquant.ts')).attentionNuq4,
  'append-nuq4': async () => (await import('./suite/append.ts')).appendNuq4,
  'centroid-lookup': async () => (await import('./suite/squeezed.ts')).centroidLookup,
  'index-compaction': async () => (await import('./suite/squeezed.ts')).indexCompaction,
  'attention-squeezed': async () => (await import('./suite/squeezed.ts')).attentionSqueezed,
  'attention-tree': async () => (await import('./suite/attention-tree.ts')).attentionTree,
  'attention-tree-pages': async () => (await import('./suite/attention-tree.ts')).attentionTreePages,
  'layer-norm': async () => (await import('./suite/rows.ts')).layerNorm,
  'rms-norm': async () => (await import('./suite/rows.ts')).rmsNorm,
  softmax: async () => (await import('./suite/rows.ts')).softmax,
  swiglu: async () => (await import('./suite/activation.ts')).swiglu,
  gelu: async () => (await import('./suite/activation.ts')).gelu,
  'convolution-depthwise': async () => (await import('./suite/convolution.ts')).convolutionDepthwise,
  'convolution-pointwise': async () => (await import('./suite/convolution.ts')).convolutionPointwise,
  'time-reduction': async () => (await import('./suite/convolution.ts')).timeReduction,
  'decoder-layer': async () => (await import('./suite/decoder-layer.ts')).decoderLayer,
  'encoder-block': async () => (await import('./suite/encoder-block.ts')).encoderBlock,
} as const satisfies Record<string, () => Promise<AnyKernel>>

export type KernelName = keyof typeof table
export const kernelNames = Object.keys(table) as KernelName[]

/** The kernel of this name. Throws RangeError. */
export async function loadKernel(name: string): Promise<AnyKernel> {
  const load = Object.hasOwn(table, name) ? table[name as KernelName] : undefined
  if (load === undefined) {
    throw new RangeError(`expected a kernel (${kernelNames.join(', ')}), got ${name}${nearestHint(name, kernelNames)}`)
  }
  return load()
}
