// gpt-oss (arXiv 2508.10925): windows in every second layer, a learned sink per head, biases everywhere.
import type { Reach } from '../architecture.ts'
import { biases, type Draft } from './blocks.ts'
import type { Fields } from './fields.ts'
import { mixture } from './moe.ts'
import { headWidths, layerTotal, reaches, standardDecoder } from './shape.ts'

export function gptOss(f: Fields): Draft {
  const h = headWidths(f)
  const bias = biases(f.flag('attention_bias', true))
  const reach = reaches(f, layerTotal(f), (i) => (i % 2 === 0 ? 'window' : 'full'))
  const hidden = f.count('intermediate_size')
  const experts = f.count(['num_local_experts', 'num_experts'])
  const moe = mixture(f, h.width, { hidden, bias: true, routerExtra: experts })
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, sinks: true, reach: reach[i] as Reach }),
    mlp: () => moe,
  })
}
