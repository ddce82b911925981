// Elements of large inputs: a hash of a counter, so that a device makes them in place and the reference makes any of
// them again. Values are sums of four random bytes, near a normal distribution of deviation 0.58, with planted outliers
// sixteen times as large; all are multiples of 1/256 that fp16 and fp32 hold exactly.

import { halfBits } from './half.ts'

/** How elements are stored. `u32` are codes and indices, as many to a word as the kernel packs. */
export const elementTypes = ['fp32', 'fp16', 'u32'] as const
export type ElementType = (typeof elementTypes)[number]

export const elementBytes: Readonly<Record<ElementType, number>> = { fp32: 4, fp16: 2, u32: 4 }

export type Fill =
  /** Near normal; one in 2^`outliers` elements is 16 times as large (none where absent); all times 2^`scale`. */
  | { readonly kind: 'normal'; readonly seed: number; readonly outliers?: number; readonly scale?: number }
  /** Like `normal`, but positive and never near zero, in [1, 3) times 2^`scale`: scales of quantized groups. */
  | { readonly kind: 'positive'; readonly seed: number; readonly scale?: number }
  /** Even elements are scales, positive, the odd ones zero points, negative: [1, 3) and (-12, -4] times 2^`scale`. */
  | { readonly kind: 'affine'; readonly seed: number; readonly scale?: number }
  /** 32 random bits. */
  | { readonly kind: 'bits'; readonly seed: number }
  /** Whole numbers in [`least`, `least` + `below`): labels, sizes. */
  | { readonly kind: 'index'; readonly seed: number; readonly below: number; readonly least?: number }
  /**
   * Outliers of a tile, `each` in each, in the order of their places: a half in the upper 16 bits, its place in the
   * lower ones, one to every `stride` places.
   */
  | {
      readonly kind: 'sparse'
      readonly seed: number
      readonly each: number
      readonly stride: number
      readonly scale?: number
    }
  /** The same word everywhere. */
  | { readonly kind: 'word'; readonly word: number }
  /** Numbers made on the host, stored in the tensor's type. */
  | { readonly kind: 'values'; readonly values: ArrayLike<number> }

/** A word that no kernel writes: two halves that are NaN, and a single that is. */
export const poison = 0x7fc17fc1

/** Numbers as a tensor of `type` stores them. */
export function bytesOf(values: ArrayLike<number>, type: ElementType): ArrayBufferView {
  if (type === 'fp16') return Uint16Array.from(values, halfBits)
  return type === 'fp32' ? Float32Array.from(values) : Uint32Array.from(values)
}

/** 32 bits from a counter and a seed (a bijection of the counter: Ettinger's triple32 without its last round). */
export function hash(seed: number, index: number): number {
  let z = (index ^ Math.imul(seed, 0x9e3779b9)) | 0
  z ^= z >>> 17
  z = Math.imul(z, 0xed5ad4bb)
  z ^= z >>> 11
  z = Math.imul(z, 0xac4c1b51)
  z ^= z >>> 15
  return z >>> 0
}

const outlierSeed = 0x5eed

/** Element `index` of a `normal` fill. */
export function normalAt(fill: Extract<Fill, { kind: 'normal' }>, index: number): number {
  const h = hash(fill.seed, index)
  const sum = (h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24) - 510
  const far = fill.outliers !== undefined && isOutlier(fill.seed, index, fill.outliers)
  return (far ? sum * 16 : sum) * 2 ** ((fill.scale ?? 0) - 8)
}

/** Whether one in 2^`rarity` falls on this element. */
export function isOutlier(seed: number, index: number, rarity: number): boolean {
  return (hash(seed ^ outlierSeed, index) & (2 ** rarity - 1)) === 0
}

/** Element `index` of a `positive` fill. */
export function positiveAt(fill: Extract<Fill, { kind: 'positive' | 'affine' }>, index: number): number {
  return (256 + (hash(fill.seed, index) & 511)) * 2 ** ((fill.scale ?? 0) - 8)
}

const valueSeed = 0x7a1e

/** Word `index` of a `sparse` fill: its value is like those of a `normal` one, but never small. */
export function sparseAt(fill: Extract<Fill, { kind: 'sparse' }>, index: number): number {
  const place = (index % fill.each) * fill.stride + (hash(fill.seed, index) % fill.stride)
  return ((halfBits(sparseValue(fill, index)) << 16) | place) >>> 0
}

/** The value of that word: 1 to 3, of either sign, times 2^`scale`. */
export function sparseValue(fill: Extract<Fill, { kind: 'sparse' }>, index: number): number {
  const h = hash(fill.seed ^ valueSeed, index)
  return (h & 512 ? -1 : 1) * (256 + (h & 511)) * 2 ** ((fill.scale ?? 0) - 8)
}

/** Elements `first` to `first + count` of a fill of numbers, in f64. */
export function elementsOf(fill: Fill, first: number, count: number): Float64Array {
  const at = reader(fill)
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++) out[i] = at(first + i)
  return out
}

/** Reads single elements of a fill. */
export function reader(fill: Fill): (index: number) => number {
  switch (fill.kind) {
    case 'normal':
      return (i) => normalAt(fill, i)
    case 'positive':
      return (i) => positiveAt(fill, i)
    case 'affine':
      return (i) => (i % 2 === 0 ? 1 : -4) * positiveAt(fill, i)
    case 'bits':
      return (i) => hash(fill.seed, i)
    case 'index':
      return (i) => (fill.least ?? 0) + (hash(fill.seed, i) % fill.below)
    case 'sparse':
      return (i) => sparseAt(fill, i)
    case 'word':
      return () => fill.word
    case 'values':
      return (i) => fill.values[i] as number
  }
}
