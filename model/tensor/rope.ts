// Rotary position embedding (RoFormer, arXiv 2104.09864) in the layout of LLaMA: channel c of a head turns together with
// channel c + headDim/2, by the angle position * theta^(-2c/headDim).
import type { Tensor } from './tensor.ts'

/** Radians per token of each pair of channels. */
export function ropeFrequencies(headDim: number, theta: number): Float64Array {
  if (headDim % 2 !== 0) throw new RangeError(`rotary embedding: expected an even head_dim, got ${headDim}`)
  return Float64Array.from({ length: headDim / 2 }, (_, c) => theta ** ((-2 * c) / headDim))
}

/**
 * Weights of squared errors (a diagonal Fisher information) of rotated channels, from those of the channels as they were:
 * the diagonal of the rotated matrix. In place, the first token at `firstPosition`; both ways are the same.
 */
export function rotateWeights(x: Tensor, theta: number, firstPosition = 0): Tensor {
  const half = x.headDim / 2
  const frequencies = ropeFrequencies(x.headDim, theta)
  for (let t = 0, at = 0; t < x.tokens; t++) {
    const shares = frequencies.map((f) => Math.sin((firstPosition + t) * f) ** 2)
    for (let h = 0; h < x.heads; h++, at += x.headDim) {
      for (let c = 0; c < half; c++) {
        const a = x.data[at + c] as number
        const b = x.data[at + half + c] as number
        const share = shares[c] as number
        x.data[at + c] = a + (b - a) * share
        x.data[at + half + c] = b + (a - b) * share
      }
    }
  }
  return x
}

/** Rotates in place, the first token by `firstPosition`; `way` -1 turns back. Returns its argument. */
export function rotate(x: Tensor, theta: number, firstPosition = 0, way: 1 | -1 = 1): Tensor {
  const { tokens, heads, headDim, data } = x
  const half = headDim / 2
  const frequencies = ropeFrequencies(headDim, theta)
  const cos = new Float64Array(half)
  const sin = new Float64Array(half)
  for (let t = 0, at = 0; t < tokens; t++) {
    frequencies.forEach((f, c) => {
      cos[c] = Math.cos((firstPosition + t) * f)
      sin[c] = way * Math.sin((firstPosition + t) * f)
    })
    for (let h = 0; h < heads; h++, at += headDim) {
      for (let c = 0; c < half; c++) {
        const a = data[at + c] as number
        const b = data[at + half + c] as number
        data[at + c] = a * (cos[c] as number) - b * (sin[c] as number)
        data[at + half + c] = b * (cos[c] as number) + a * (sin[c] as number)
      }
    }
  }
  return x
}
