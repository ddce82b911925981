// Rows as kernels store them, in whole packs, and as TensorFlow.js does, one directly after the other.
import { padded } from '../webgpu/wgsl.ts'
import type { Dimensions } from './operations.ts'

const widthOf = (shape: Dimensions) => shape.at(-1) ?? 1
const sizeOf = (shape: Dimensions) => shape.reduce((a, b) => a * b, 1)

/** Without what fills up the rows. */
export function compact(stored: Float32Array, shape: Dimensions): Float32Array {
  const width = widthOf(shape)
  const stride = padded(width)
  if (stride === width) return stored.subarray(0, sizeOf(shape))
  const out = new Float32Array(sizeOf(shape))
  for (let at = 0, row = 0; at < out.length; at += width, row++) {
    out.set(stored.subarray(row * stride, row * stride + width), at)
  }
  return out
}

/** With zeros that fill up the rows. */
export function expanded(values: Float32Array, shape: Dimensions): Float32Array {
  const width = widthOf(shape)
  const stride = padded(width)
  const out = new Float32Array((sizeOf(shape) / width) * stride)
  for (let row = 0; row * width < values.length; row++) {
    out.set(values.subarray(row * width, (row + 1) * width), row * stride)
  }
  return out
}
