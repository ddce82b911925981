// Cohere's Command R and R7B: one layer norm without bias, attention and feed-forward in parallel, tied tables.
import type { Reach } from '../architecture.ts'
import { type Draft, overWidth, parallelBlock } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { attentionBias, headWidths, layerTotal, reaches, standardDecoder } from './shape.ts'

/** Command R: one norm without bias for attention and feed-forward in parallel. Its norms of queries and keys are layer
 * norms without bias, counted as the RMS norms that have as many weights. */
export function cohere(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const queryKeyNorm = f.flag('use_qk_norm', false) ? overWidth : undefined
  return standardDecoder(f, {
    heads: h,
    style: { type: 'layer', bias: false },
    block: parallelBlock(1),
    attention: () => ({ bias, ...(queryKeyNorm && { queryKeyNorm }) }),
    tied: true,
  })
}

/** Command R7B: three windowed layers, then one over everything without positions. */
export function cohere2(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const period = f.has('layer_types')
    ? 4
    : f.countOr('sliding_window_pattern', 4, 'default of the family', limits.layers)
  const reach = reaches(f, layerTotal(f), (i) => ((i + 1) % period === 0 ? 'full' : 'window'))
  return standardDecoder(f, {
    heads: h,
    style: { type: 'layer', bias: false },
    block: parallelBlock(1),
    attention: (i) => ({
      bias,
      reach: reach[i] as Reach,
      rotary: reach[i]?.kind === 'full' ? 0 : h.headDim,
    }),
    tied: true,
  })
}
