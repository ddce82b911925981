// QuantSpec's hierarchical quantization (arXiv 2502.10424; steps as in github.com/rishabh-16/QuantSpec): two
// planes of 4-bit codes, of which the upper one alone is a 4-bit tensor and both together are an 8-bit one. A draft reads
// the upper plane, its target both. Scales and minima are kept in f64 here; stored they take 16 bits each.
import { type Shape, type Tensor, tensor } from './tensor.ts'

/** The codes of one group. */
export interface GroupCodes {
  readonly min: number
  /** Of an upper code; a lower one is a sixteenth. 0 where all elements are equal. */
  readonly scale: number
  /** 0 to 15. */
  readonly upper: readonly number[]
  /** -8 to 7, stored with 8 added. */
  readonly lower: readonly number[]
}

const levels = 15
const steps = 16

/** Quantizes one group. Throws RangeError for what is no number. */
export function quantizeGroup(x: readonly number[]): GroupCodes {
  const min = x.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const max = x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (!Number.isFinite(max - min)) throw new RangeError(`expected a group of finite numbers, got ${min} to ${max}`)
  const scale = (max - min) / levels
  // A spread too small for a scale is none.
  if (scale / steps === 0) return { min, scale: 0, upper: x.map(() => 0), lower: x.map(() => 0) }
  const upper = x.map((v) => clamp(roundToEven((v - min) / scale), 0, levels))
  const lower = x.map((v, i) => {
    const residual = v - ((upper[i] as number) * scale + min)
    return clamp(roundToEven(residual / (scale / steps)), -steps / 2, steps / 2 - 1)
  })
  return { min, scale, upper, lower }
}

/** The group from its upper codes: within scale / 2. */
export function dequantizeUpper({ min, scale, upper }: GroupCodes): number[] {
  return upper.map((u) => u * scale + min)
}

/** The group from both planes: within scale / 32, where a lower code was clamped within scale / 16. */
export function dequantizeBoth({ min, scale, upper, lower }: GroupCodes): number[] {
  return upper.map((u, i) => u * scale + ((lower[i] as number) * scale) / steps + min)
}

/** As the released code's arithmetic rounds: halves to even. */
function roundToEven(x: number): number {
  const down = Math.floor(x)
  const rest = x - down
  if (rest !== 0.5) return Math.round(x)
  return down % 2 === 0 ? down : down + 1
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x))
}

/** Codes of 0 to 15, two a byte, the first in the low half. Throws RangeError for an odd number. */
export function packNibbles(codes: ArrayLike<number>): Uint8Array {
  if (codes.length % 2 !== 0) throw new RangeError(`expected an even number of codes, got ${codes.length}`)
  const bytes = new Uint8Array(codes.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (codes[2 * i] as number) | ((codes[2 * i + 1] as number) << 4)
  }
  return bytes
}

/** The codes of `packNibbles`. */
export function unpackNibbles(bytes: Uint8Array): Uint8Array {
  const codes = new Uint8Array(bytes.length * 2)
  bytes.forEach((byte, i) => {
    codes[2 * i] = byte & 15
    codes[2 * i + 1] = byte >> 4
  })
  return codes
}

/** Keys are grouped along tokens and packed along channels; values the other way round. */
export type Along = 'tokens' | 'channels'

export interface Hierarchical extends Shape {
  readonly along: Along
  readonly group: number
  /** Packed codes, [heads, tokens, channels] of keys, [heads, channels, tokens] of values. */
  readonly upper: Uint8Array
  readonly lower: Uint8Array
  /** Of each group: [heads, channels, group of tokens] of keys, [heads, tokens, group of channels] of values. */
  readonly min: Float64Array
  readonly scale: Float64Array
}

/** Where the elements of group `g` stand: the i-th in the tensor's data and in the planes. */
function places({ tokens, heads, headDim }: Shape, along: Along, group: number) {
  const [outer, inner] = along === 'tokens' ? [headDim, tokens] : [tokens, headDim]
  const perRow = inner / group
  return {
    groups: heads * outer * perRow,
    at: (g: number, i: number) => {
      const head = Math.floor(g / (outer * perRow))
      const row = Math.floor(g / perRow) % outer
      const place = (g % perRow) * group + i
      const [token, channel] = along === 'tokens' ? [place, row] : [row, place]
      // In the planes the axis of the groups is the slower one.
      return { data: (token * heads + head) * headDim + channel, plane: (head * inner + place) * outer + row }
    },
  }
}

function checkGroup(shape: Shape, along: Along, group: number): void {
  const length = along === 'tokens' ? shape.tokens : shape.headDim
  const other = along === 'tokens' ? shape.headDim : shape.tokens
  if (!Number.isInteger(group) || group < 1 || length % group !== 0) {
    throw new RangeError(`group: expected a divisor of ${length} ${along}, got ${group}`)
  }
  if (other % 2 !== 0) {
    throw new RangeError(`expected an even number of ${along === 'tokens' ? 'channels' : 'tokens'}, got ${other}`)
  }
}

/** Quantizes keys (`tokens`) or values (`channels`) in groups of `group` elements. Throws RangeError. */
export function quantizeHierarchical(x: Tensor, along: Along, group: number): Hierarchical {
  checkGroup(x, along, group)
  const { groups, at } = places(x, along, group)
  const [upper, lower] = [new Uint8Array(x.data.length), new Uint8Array(x.data.length)]
  const [min, scale] = [new Float64Array(groups), new Float64Array(groups)]
  for (let g = 0; g < groups; g++) {
    const own = Array.from({ length: group }, (_, i) => at(g, i))
    const codes = quantizeGroup(own.map(({ data }) => x.data[data] as number))
    min[g] = codes.min
    scale[g] = codes.scale
    own.forEach(({ plane }, i) => {
      upper[plane] = codes.upper[i] as number
      lower[plane] = (codes.lower[i] as number) + steps / 2
    })
  }
  const { tokens, heads, headDim } = x
  return { tokens, heads, headDim, along, group, upper: packNibbles(upper), lower: packNibbles(lower), min, scale }
}

/** The tensor as a draft (`upper`) or its target (`both`) reads it. */
export function readHierarchical(h: Hierarchical, planes: 'upper' | 'both'): Tensor {
  const out = tensor({ tokens: h.tokens, heads: h.heads, headDim: h.headDim })
  const { groups, at } = places(h, h.along, h.group)
  const upper = unpackNibbles(h.upper)
  const lower = planes === 'both' ? unpackNibbles(h.lower) : undefined
  for (let g = 0; g < groups; g++) {
    const [min, scale] = [h.min[g] as number, h.scale[g] as number]
    for (let i = 0; i < h.group; i++) {
      const { data, plane } = at(g, i)
      const fine = lower === undefined ? 0 : (lower[plane] as number) - steps / 2
      out.data[data] = (upper[plane] as number) * scale + (fine * scale) / steps + min
    }
  }
  return out
}

const scaleBytes = 2

/** Bytes read of a tensor: one plane or both, with a scale and a minimum of 16 bits for each group. */
export function hierarchicalBytes(h: Hierarchical, planes: 'upper' | 'both'): number {
  const codes = h.upper.length + (planes === 'both' ? h.lower.length : 0)
  return codes + 2 * scaleBytes * h.min.length
}
