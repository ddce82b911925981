// Attention of one query, exact and in f64, in parts that are merged by their log-sum-exp, as split-KV kernels do it:
// each part knows its largest logit, its sum of exponentials and its output, in powers of two. All numbers of one head.
import { dot } from './assign.ts'
import { blockKv } from './compaction.ts'

/** Attention over some of the keys. */
export interface Part {
  /** The largest logit times log2(e); -Infinity where there are no keys. */
  readonly m: number
  /** The sum of 2^(logit log2(e) - m). */
  readonly l: number
  /** The output over these keys alone. */
  readonly o: Float64Array
}

/** 2^x; Math.exp is several times as fast as a power. */
export function exp2(x: number): number {
  return Math.exp(x * Math.LN2)
}

/** q.k / sqrt(dim) log2(e) of the query that begins at `at` with the keys from `begin` to before `end`. */
export function attentionLogits(
  queries: Float32Array,
  at: number,
  keys: Float32Array,
  dim: number,
  begin: number,
  end: number,
): Float64Array {
  const logits = new Float64Array(end - begin)
  const scale = Math.LOG2E / Math.sqrt(dim)
  for (let i = begin; i < end; i++) logits[i - begin] = dot(queries, at, keys, i * dim, dim) * scale
  return logits
}

/**
 * Attention over the rows listed in `rows` from `from` to before `to` (all rows where there is no list), from logits in
 * powers of two. `values` are [n, dim].
 */
export function attentionPart(
  logits: Float64Array,
  values: Float32Array,
  dim: number,
  rows?: Int32Array,
  from = 0,
  to = rows?.length ?? logits.length,
): Part {
  const row = (i: number) => (rows === undefined ? i : (rows[i] as number))
  let m = Number.NEGATIVE_INFINITY
  for (let i = from; i < to; i++) m = Math.max(m, logits[row(i)] as number)
  let l = 0
  const o = new Float64Array(dim)
  for (let i = from; i < to; i++) {
    const weight = exp2((logits[row(i)] as number) - m)
    l += weight
    const at = row(i) * dim
    for (let t = 0; t < dim; t++) (o[t] as number) += weight * (values[at + t] as number)
  }
  if (l > 0) for (let t = 0; t < dim; t++) (o[t] as number) /= l
  return { m, l, o }
}

/** Parts over different keys as one. Empty ones change nothing. */
export function mergeParts(parts: readonly Part[]): Part {
  const m = parts.reduce((most, part) => Math.max(most, part.m), Number.NEGATIVE_INFINITY)
  const o = new Float64Array(parts[0]?.o.length ?? 0)
  if (m === Number.NEGATIVE_INFINITY) return { m, l: 0, o }
  const weights = parts.map((part) => part.l * exp2(part.m - m))
  const l = weights.reduce((sum, weight) => sum + weight, 0)
  parts.forEach((part, i) => {
    const share = (weights[i] as number) / l
    for (let t = 0; t < o.length; t++) (o[t] as number) += share * (part.o[t] as number)
  })
  return { m, l, o }
}

/** Attention over the listed rows (all where there is no list) in blocks of `block`, merged. */
export function splitAttention(
  logits: Float64Array,
  values: Float32Array,
  dim: number,
  rows?: Int32Array,
  block = blockKv,
): Part {
  const count = rows?.length ?? logits.length
  const parts: Part[] = []
  for (let from = 0; from < count; from += block) {
    parts.push(attentionPart(logits, values, dim, rows, from, Math.min(count, from + block)))
  }
  return parts.length === 0 ? attentionPart(logits, values, dim, new Int32Array(0)) : mergeParts(parts)
}
