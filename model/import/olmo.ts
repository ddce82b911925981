// OLMo 1 to 3 and OLMoE: from layer norms without weights to norms after the sub-layers.
import type { Reach } from '../architecture.ts'
import { type Draft, fullReach, overWidth, postNorm } from './blocks.ts'
import type { Fields } from './fields.ts'
import { mixture } from './moe.ts'
import { at, attentionBias, headWidths, layerTotal, reaches, standardDecoder } from './shape.ts'

/** OLMo: layer norms without weights. */
export function olmo(f: Fields): Draft {
  const bias = attentionBias(f)
  return standardDecoder(f, { style: { type: 'layer', bias: false, scale: false }, attention: () => ({ bias }) })
}

/** OLMo 2 and 3: norms after the sub-layers, queries and keys normed over all heads, windows by `layer_types`. */
export function olmo2(f: Fields): Draft {
  const bias = attentionBias(f)
  const reach = f.has('layer_types') ? at(reaches(f, layerTotal(f))) : () => fullReach
  return standardDecoder(f, {
    block: postNorm,
    attention: (i) => ({ bias, queryKeyNorm: overWidth, reach: reach(i) }),
  })
}

export function olmo3(f: Fields): Draft {
  const bias = attentionBias(f)
  const reach = reaches(f, layerTotal(f), (i) => ((i + 1) % 4 === 0 ? 'full' : 'window'))
  return standardDecoder(f, {
    block: postNorm,
    attention: (i) => ({ bias, queryKeyNorm: overWidth, reach: reach[i] as Reach }),
  })
}

export function olmoe(f: Fields): Draft {
  const h = headWidths(f)
  const bias = attentionBias(f)
  const moe = mixture(f, h.width)
  return standardDecoder(f, { heads: h, attention: () => ({ bias, queryKeyNorm: overWidth }), mlp: () => moe })
}
