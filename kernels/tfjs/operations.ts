// What is asked of TensorFlow.js, in the calls that its users write. Layer norm and attention have no operation of their
// own there and are put together from those that there are.
import { normEpsilon } from '../rounding.ts'
import type { Core, Tensor } from './core.ts'

type Args = readonly number[]
/** Sizes of a tensor; its rows lie in memory in whole packs. */
export type Dimensions = readonly number[]

export interface Operation {
  readonly inputs: (args: Args) => readonly Dimensions[]
  readonly outputs: (args: Args) => readonly Dimensions[]
  /** Made once for these sizes, outside of what is timed; given after the inputs. */
  readonly constants?: (args: Args) => readonly { readonly shape: Dimensions; readonly values: Float32Array }[]
  readonly run: (tf: Core, tensors: readonly Tensor[], args: Args) => readonly Tensor[]
}

const matMul: Operation = {
  inputs: ([m = 1, n = 1, k = 1]) => [
    [m, k],
    [k, n],
  ],
  outputs: ([m = 1, n = 1]) => [[m, n]],
  run: (tf, [a, b]) => [tf.matMul(a as Tensor, b as Tensor)],
}

const softmax: Operation = {
  inputs: ([rows = 1, width = 1]) => [[rows, width]],
  outputs: ([rows = 1, width = 1]) => [[rows, width]],
  run: (tf, [x]) => [tf.softmax(x as Tensor)],
}

const layerNorm: Operation = {
  inputs: ([rows = 1, width = 1, residual]) => [
    [rows, width],
    [width],
    [width],
    ...(residual === 1 ? [[rows, width]] : []),
  ],
  outputs: ([rows = 1, width = 1, residual]) => Array.from({ length: residual === 1 ? 2 : 1 }, () => [rows, width]),
  run: (tf, [x, scale, bias, residual]) => {
    const sum = residual ? tf.add(x as Tensor, residual) : (x as Tensor)
    const { mean, variance } = tf.moments(sum, -1, true)
    const factor = tf.rsqrt(tf.add(variance, normEpsilon))
    const y = tf.add(tf.mul(tf.mul(tf.sub(sum, mean), factor), scale as Tensor), bias as Tensor)
    return residual ? [y, sum] : [y]
  },
}

/** Of units (sequences times key heads) of `shared` heads: scores, mask, softmax, values. */
const attention: Operation = {
  inputs: ([units = 1, shared = 1, tokens = 1, keys = 1, dim = 1]) => [
    [units, shared * tokens, dim],
    [units, keys, dim],
    [units, keys, dim],
  ],
  outputs: ([units = 1, shared = 1, tokens = 1, , dim = 1]) => [[units, shared * tokens, dim]],
  constants: ([, shared = 1, tokens = 1, keys = 1]) => [
    { shape: [1, shared * tokens, keys], values: causalMask(shared, tokens, keys) },
  ],
  run: (tf, [q, k, v, mask], args) => {
    const scores = tf.mul(tf.matMul(q as Tensor, k as Tensor, false, true), 1 / Math.sqrt(args[4] as number))
    return [tf.matMul(tf.softmax(tf.add(scores, mask as Tensor)), v as Tensor)]
  },
}

/** What is added to scores: nothing, or what no exponential survives. */
const unseen = -1e9

function causalMask(shared: number, tokens: number, keys: number): Float32Array {
  const past = keys - tokens
  return Float32Array.from({ length: shared * tokens * keys }, (_, i) =>
    i % keys <= past + (Math.floor(i / keys) % tokens) ? 0 : unseen,
  )
}

const operations = { matMul, softmax, layerNorm, attention } as const satisfies Record<string, Operation>
export type OperationName = keyof typeof operations

/** The operation of this name; undefined where there is none. */
export function operationOf(name: string): Operation | undefined {
  return Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined
}
