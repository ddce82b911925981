// What leaving keys out costs one head: attention that is lost, and the error of its output, against attention over
// everything. Attention over the kept keys of the context and causal attention over the user's own tokens are merged by
// their log-sum-exp, as the kernels do it; the reference goes the same way, so that keeping all keys is exactly the same.
import { attentionLogits, attentionPart, exp2, mergeParts, splitAttention } from './split-attention.ts'

/** One head's tensors: a fixed context of `context` tokens and the user's tokens after it. */
export interface HeadInput {
  /** [tokens, keyDim] */
  readonly keys: Float32Array
  /** [tokens, valueDim] */
  readonly values: Float32Array
  /** [user tokens * queries per key, keyDim]: with grouped queries those of one token are neighbours. */
  readonly queries: Float32Array
  readonly keyDim: number
  readonly valueDim: number
  readonly context: number
}

export interface HeadLoss {
  /** Probability of each of the context's keys, the mean over queries. */
  readonly probabilities: Float64Array
  /** For each selection the length of the output's error over that of the output, over all queries. */
  readonly errors: readonly number[]
}

/** The losses of selections, each the list of the context's rows that it reads. */
export function headLoss(of: HeadInput, selections: readonly Int32Array[]): HeadLoss {
  const { keys, values, queries, keyDim, valueDim, context } = of
  const user = keys.length / keyDim - context
  const count = queries.length / keyDim
  const group = count / user
  const userValues = values.subarray(context * valueDim)
  const probabilities = new Float64Array(context)
  const errors = new Float64Array(selections.length)
  let size = 0
  for (let i = 0; i < count; i++) {
    const logits = attentionLogits(queries, i * keyDim, keys, keyDim, 0, context)
    const last = context + Math.floor(i / group) + 1
    const own = attentionLogits(queries, i * keyDim, keys, keyDim, context, last)
    const causal = attentionPart(own, userValues, valueDim)
    const merged = (rows?: Int32Array) => mergeParts([splitAttention(logits, values, valueDim, rows), causal])
    const whole = merged()
    size += squaredLength(whole.o)
    addProbabilities(probabilities, logits, whole.m, whole.l * count)
    selections.forEach((rows, at) => {
      ;(errors[at] as number) += squaredDistance(merged(rows).o, whole.o)
    })
  }
  const relative = (error: number) => (size > 0 ? Math.sqrt(error / size) : 0)
  return { probabilities, errors: Array.from(errors, relative) }
}

function addProbabilities(sum: Float64Array, logits: Float64Array, m: number, total: number): void {
  for (let i = 0; i < sum.length; i++) (sum[i] as number) += exp2((logits[i] as number) - m) / total
}

function squaredLength(a: Float64Array): number {
  return a.reduce((sum, x) => sum + x * x, 0)
}

function squaredDistance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + (x - (b[i] as number)) ** 2, 0)
}
