// Causal softmax attention of the last queries over keys and values that come in blocks of tokens, in f64: running
// maximum, sum and weighted values, rescaled where the maximum grows (arXiv 2205.14135, section 3.1). The reference that
// approximations are compared with.
import { type Tensor, tensor } from './tensor.ts'

export class CausalAttention {
  readonly #query: Tensor
  readonly #total: number
  readonly #valueDim: number
  /** By head and query. */
  readonly #most: Float64Array
  readonly #sum: Float64Array
  readonly #out: Float64Array

  /** `query`: of the last of `total` tokens, rotated where the keys are; query head h reads key head h / (heads / keyHeads). */
  constructor(query: Tensor, total: number, valueDim: number) {
    const rows = query.heads * query.tokens
    this.#query = query
    this.#total = total
    this.#valueDim = valueDim
    this.#most = new Float64Array(rows).fill(Number.NEGATIVE_INFINITY)
    this.#sum = new Float64Array(rows)
    this.#out = new Float64Array(rows * valueDim)
  }

  /** Adds the tokens from `firstToken` on. */
  add(key: Tensor, value: Tensor, firstToken: number): void {
    const { tokens, heads } = this.#query
    const logits = new Float64Array(key.tokens)
    for (let h = 0; h < heads; h++) {
      const of = Math.floor((h * key.heads) / heads)
      for (let j = 0; j < tokens; j++) {
        const seen = Math.min(key.tokens, this.#total - tokens + j - firstToken + 1)
        if (seen > 0) this.#addTo(h, j, logits.subarray(0, seen), key, value, of)
      }
    }
  }

  #addTo(h: number, j: number, logits: Float64Array, key: Tensor, value: Tensor, of: number): void {
    const row = h * this.#query.tokens + j
    const most = Math.max(this.#most[row] as number, this.#logits(h, j, logits, key, of))
    const keep = Math.exp((this.#most[row] as number) - most)
    const d = this.#valueDim
    const out = this.#out.subarray(row * d, (row + 1) * d)
    let sum = (this.#sum[row] as number) * keep
    if (keep !== 1) for (let c = 0; c < d; c++) out[c] = (out[c] as number) * keep
    for (let t = 0; t < logits.length; t++) {
      const weight = Math.exp((logits[t] as number) - most)
      sum += weight
      // What rounds away needs no reading.
      if (weight < 1e-18) continue
      const at = (t * value.heads + of) * d
      for (let c = 0; c < d; c++) out[c] = (out[c] as number) + weight * (value.data[at + c] as number)
    }
    this.#most[row] = most
    this.#sum[row] = sum
  }

  /** Fills the logits and returns their maximum. */
  #logits(h: number, j: number, logits: Float64Array, key: Tensor, of: number): number {
    const { heads, headDim, data } = this.#query
    const from = (j * heads + h) * headDim
    const q = Float64Array.from(data.subarray(from, from + headDim), (x) => x / Math.sqrt(headDim))
    let most = Number.NEGATIVE_INFINITY
    for (let t = 0; t < logits.length; t++) {
      const at = (t * key.heads + of) * headDim
      let logit = 0
      for (let c = 0; c < headDim; c++) logit += (q[c] as number) * (key.data[at + c] as number)
      logits[t] = logit
      if (logit > most) most = logit
    }
    return most
  }

  /** The outputs: [queries, heads, valueDim]. */
  output(): Tensor {
    const { tokens, heads } = this.#query
    const d = this.#valueDim
    const out = tensor({ tokens, heads, headDim: d })
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < tokens; j++) {
        const row = h * tokens + j
        for (let c = 0; c < d; c++) {
          out.data[(j * heads + h) * d + c] = (this.#out[row * d + c] as number) / (this.#sum[row] as number)
        }
      }
    }
    return out
  }
}

/** For each head the distance of `got` from `expected`, relative to the length of `expected`, over all queries. */
export function headErrors(got: Tensor, expected: Tensor): number[] {
  const { tokens, heads, headDim } = expected
  return Array.from({ length: heads }, (_, h) => {
    let [error, length] = [0, 0]
    for (let t = 0; t < tokens; t++) {
      for (let at = (t * heads + h) * headDim, end = at + headDim; at < end; at++) {
        error += ((got.data[at] as number) - (expected.data[at] as number)) ** 2
        length += (expected.data[at] as number) ** 2
      }
    }
    return length > 0 ? Math.sqrt(error / length) : Math.sqrt(error)
  })
}
