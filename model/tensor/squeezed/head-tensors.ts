// One head of keys at a time out of a source, rotated where it is not yet: Squeezed Attention works on what attention
// sees. Heads are read in groups that fit in memory, since a file holds all heads of a token together.
import { rotate } from '../rope.ts'
import type { KvSource, LayerSource, Part } from '../source.ts'
import { notFinite, type Range, slice, type Tensor, tensor } from '../tensor.ts'

/** Elements of a part that are read at once, at most (but at least one head). */
const mostElements = 2 ** 24

export interface HeadTensors {
  readonly layer: number
  readonly head: number
  readonly keyDim: number
  readonly valueDim: number
  /** [tokens, keyDim] */
  readonly keys: Float32Array
  /** [tokens, valueDim]; empty where not asked for. */
  readonly values: Float32Array
  /** Queries [tokens * query heads per head, keyDim] from token `from` to before `to`. */
  queries(from: number, to: number): Float32Array
}

/** The heads of all layers in order. Throws Error where a number is not finite, or a layer has no queries. */
export function* headTensors(source: KvSource, withValues: boolean): Generator<HeadTensors> {
  for (const layer of source.layers) {
    for (const range of headRanges(layer)) {
      const keys = ready(source, layer, 'key', range)
      const queries = ready(source, layer, 'query', range)
      const values = withValues ? ready(source, layer, 'value', range) : undefined
      const group = queries.heads / keys.heads
      for (let head = range[0]; head < range[1]; head++) {
        const at = head - range[0]
        const own = (of: Tensor) => slice(of, undefined, [at, at + 1]).data
        yield {
          layer: layer.layer,
          head,
          keyDim: layer.key.headDim,
          valueDim: layer.value.headDim,
          keys: own(keys),
          values: values ? own(values) : new Float32Array(0),
          queries: (from, to) => queriesOf(layer, queries, [at * group, (at + 1) * group], from, to),
        }
      }
    }
  }
}

function headRanges({ key }: LayerSource): Range[] {
  const size = Math.max(1, Math.floor(mostElements / (key.tokens * key.headDim)))
  return Array.from({ length: Math.ceil(key.heads / size) }, (_, i) => [i * size, Math.min(key.heads, (i + 1) * size)])
}

/** A part of some heads of keys, checked and rotated; of queries their groups. */
function ready(source: KvSource, layer: LayerSource, part: Part, heads: Range): Tensor {
  const shape = layer[part as 'key']
  if (shape === undefined) throw new Error(`layers.${layer.layer}: expected a ${part}, got none`)
  const group = shape.heads / layer.key.heads
  const own: Range = [heads[0] * group, heads[1] * group]
  const read = layer.read(part, [0, shape.tokens], own)
  const odd = notFinite(read)
  if (odd) {
    const count = `${odd.nan} NaN and ${odd.infinite} infinite`
    const place = `token ${odd.token}, head ${own[0] + odd.head}, channel ${odd.channel}`
    throw new Error(`layers.${layer.layer}.${part}: expected finite numbers, got ${count}, the first at ${place}`)
  }
  const { rope } = source
  if (part === 'value' || rope?.keys !== 'pre') return read
  // A source may hand out its own numbers.
  return rotate(tensor(read, read.data.slice()), rope.theta, layer.key.tokens - shape.tokens)
}

/** Tokens count from the first key; queries are those of the last tokens. `heads`: the query heads of one key head. */
function queriesOf({ layer, key }: LayerSource, all: Tensor, heads: Range, from: number, to: number): Float32Array {
  const first = key.tokens - all.tokens
  if (from < first) {
    const need = key.tokens - from
    throw new Error(`layers.${layer}.query: expected queries of the last ${need} tokens, got ${all.tokens}`)
  }
  return slice(all, [from - first, to - first], heads).data
}
