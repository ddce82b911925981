// Qwen 2 and 3, dense and with experts: windows in the upper layers only if switched on, biases on queries, keys and
// values in Qwen 2, norms of queries and keys in Qwen 3.
import type { Reach } from '../architecture.ts'
import { biases, type Draft, feedForward, fullReach, overHead, qkvBias } from './blocks.ts'
import { type Fields, limits } from './fields.ts'
import { sparseMlp } from './moe.ts'
import {
  at,
  attentionBias,
  headWidths,
  layerKinds,
  layerTotal,
  positions,
  reaches,
  reachKinds,
  standardDecoder,
} from './shape.ts'

/** The first Qwen: its stated width counts the gate and what it gates. */
export function qwen(f: Fields): Draft {
  const h = headWidths(f)
  const hidden = f.quotient('intermediate_size', f.count('intermediate_size'), 'its two halves', 2)
  const mlp = feedForward(h.width, hidden)
  const headDim = f.optional('kv_channels') ?? h.headDim
  f.size('kv_channels', h.heads * headDim)
  return standardDecoder(f, {
    heads: { ...h, headDim },
    attention: () => ({ bias: qkvBias }),
    mlp: () => mlp,
    positions: positions(f, ['seq_length', 'max_position_embeddings']),
  })
}

/** Qwen's windows: from layer `max_window_layers` up, and only if switched on. */
export function qwenReach(f: Fields): (layer: number) => Reach {
  const layers = layerTotal(f)
  if (!f.flag('use_sliding_window', false)) {
    layerKinds(f, 'layer_types', layers, reachKinds)
    for (const key of ['sliding_window', 'max_window_layers']) f.raw(key)
    return () => fullReach
  }
  const first =
    f.whole('max_window_layers', 0, limits.tokens) ?? f.assume('max_window_layers', 28, 'default of the family')
  const windows = f.optional('sliding_window', limits.tokens) !== undefined
  return at(reaches(f, layers, (i) => (windows && i >= first ? 'window' : 'full')))
}

export function qwen2(f: Fields): Draft {
  const reach = qwenReach(f)
  return standardDecoder(f, { attention: (i) => ({ bias: qkvBias, reach: reach(i) }) })
}

export function qwen3(f: Fields): Draft {
  const reach = qwenReach(f)
  const bias = attentionBias(f)
  return standardDecoder(f, { attention: (i) => ({ bias, queryKeyNorm: overHead, reach: reach(i) }) })
}

export function qwen2Moe(f: Fields): Draft {
  const h = headWidths(f)
  const reach = qwenReach(f)
  const bias = f.flag('qkv_bias', true) ? qkvBias : biases(false)
  const shared = { hidden: f.count('shared_expert_intermediate_size'), gate: true }
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, reach: reach(i) }),
    mlp: sparseMlp(f, h.width, { hidden: f.count('moe_intermediate_size'), shared }),
  })
}

export function qwen3Moe(f: Fields): Draft {
  const h = headWidths(f)
  const reach = qwenReach(f)
  const bias = attentionBias(f)
  return standardDecoder(f, {
    heads: h,
    attention: (i) => ({ bias, queryKeyNorm: overHead, reach: reach(i) }),
    mlp: sparseMlp(f, h.width, { hidden: f.count('moe_intermediate_size') }),
  })
}
