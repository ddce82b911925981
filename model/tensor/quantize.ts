// Quantized tokens as they would lie in memory: packed codes, scales, sparse outliers, tokens kept whole. Its length in
// bytes is the cache's. A token's codes stand on whole bytes. KVQuant, arXiv 2401.18079.

import type { Calibrated } from './calibrate.ts'
import { fp16Bits, fp16Values } from './half.ts'
import { cells, type Encoder, encode, encoder } from './levels.ts'
import { pack, packedBytes, unpack } from './pack.ts'
import { groupRanges, type Ranges, rangesOf, tokenThresholds, valueThresholdIndex } from './ranges.ts'
import { quantizedTokens, type Scheme } from './scheme.ts'
import { type Tensor, tensor, width } from './tensor.ts'

/** Numbers in 16 bits, or in 32 as released. */
type Numbers = Uint16Array | Float32Array

export interface Packed {
  readonly heads: number
  readonly headDim: number
  /** First tokens, and last ones, in 16 bits. */
  readonly before: Uint16Array
  readonly after: Uint16Array
  /** Tokens between them. */
  readonly tokens: number
  readonly codes: Uint8Array
  /** Of ranges per token or group: the middle and half width of each, or its step. */
  readonly scales: Numbers
  /** Of schemes with zero points: packed codes of the groups' zeros, those of a token on whole bytes. */
  readonly zeros: Uint8Array
  /** What is added to dequantized elements: the values, and the element of the token each belongs to. */
  readonly values: Numbers
  readonly indices: Uint16Array | Int32Array
  /** For each token where its sparse values end; absent where every token has as many. */
  readonly ends?: Uint32Array
}

export interface PackedBytes {
  readonly codes: number
  readonly scales: number
  /** Sparse values and indices. */
  readonly sparse: number
  /** Where each token's sparse values end; in the released code also the row that each thread begins in. */
  readonly pointers: number
  /** Tokens kept in 16 bits. */
  readonly kept: number
}

/** Nonzeros of one thread of the released kernels, each of which keeps a 32-bit row to begin in. */
const perThread = 10

/** Bytes that tokens take. What a layer takes once is `fixedBytes`. */
export function bytesOf(p: Packed, { storage }: Scheme): PackedBytes {
  const startRows = storage === 'released' && p.ends ? 4 * Math.ceil(p.values.length / perThread) : 0
  return {
    codes: p.codes.byteLength,
    scales: p.scales.byteLength + p.zeros.byteLength,
    sparse: p.values.byteLength + p.indices.byteLength,
    pointers: (p.ends?.byteLength ?? 0) + startRows,
    kept: p.before.byteLength + p.after.byteLength,
  }
}

/** Bytes that a layer takes once: the ranges of channels, and a learned table. */
export function fixedBytes({ scheme, channels, restored }: Calibrated): number {
  const each = scheme.storage === 'paper' ? 2 : 4
  const ranges = channels ? 2 * channels.zero.length : 0
  return each * (ranges + (scheme.codebook === 'learned' ? restored.length : 0))
}

/** Sparse values of every token, where their number is fixed, so that none needs a pointer. */
function slots(scheme: Scheme, row: number): number | undefined {
  if (scheme.cap !== undefined && scheme.axis === 'channel') return scheme.cap
  if (scheme.axis === 'channel' || scheme.storage === 'released') return undefined
  return scheme.outliers === 0 ? 0 : 2 * Math.min(valueThresholdIndex(row, scheme.outliers), row >> 1) - 1
}

/** Which tokens of how many a block holds. */
export interface Place {
  readonly firstToken: number
  readonly total: number
}

/**
 * Quantizes the tokens of a block. Tokens do not depend on each other, so that appending them one by one gives what the
 * whole prompt does (`join`); schemes that share ranges among tokens take blocks of whole groups. Throws RangeError.
 */
export function quantize(by: Calibrated, block: Tensor, place: Place = { firstToken: 0, total: block.tokens }): Packed {
  const { scheme } = by
  const row = width(block)
  if (row !== by.width) throw new RangeError(`expected tokens of ${by.width} elements as calibrated, got ${row}`)
  const [from, to] = quantizedTokens(scheme, place.total)
  const begin = clamp(from - place.firstToken, block.tokens)
  const end = Math.max(begin, clamp(to - place.firstToken, block.tokens))
  const writer = new Writer(by, row, end - begin)
  if (scheme.axis === 'token') for (let t = begin; t < end; t++) writer.tokenRow(block.data, t * row)
  else if (by.channels) for (let t = begin; t < end; t++) writer.channelRow(block.data, t * row, by.channels)
  else writer.groups(block.data, begin, end)
  return {
    heads: block.heads,
    headDim: block.headDim,
    before: halves(block.data.subarray(0, begin * row)),
    after: halves(block.data.subarray(end * row)),
    tokens: end - begin,
    ...writer.parts(),
  }
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value))
}

function halves(data: Float32Array): Uint16Array {
  const bits = new Uint16Array(data.length)
  for (let i = 0; i < data.length; i++) {
    bits[i] = fp16Bits(data[i] as number)
    if (((bits[i] as number) & 0x7fff) === 0x7c00) throw tooLarge(data[i] as number)
  }
  return bits
}

function tooLarge(x: number): RangeError {
  return new RangeError(`expected numbers that 16 bits hold (up to 65504), got ${x}`)
}

/** Writes rows of codes and what belongs to them. */
class Writer {
  readonly #scheme: Scheme
  readonly #row: number
  readonly #encoder: Encoder
  readonly #restored: Float64Array
  /** The code of outliers in the dense rows, and what it stands for. */
  readonly #zeroCode: number
  readonly #slots: number | undefined
  readonly #rowBytes: number
  readonly #codes: Uint8Array
  readonly #rowCodes: Uint8Array
  readonly #inverse: Float64Array
  readonly #scales: number[] = []
  readonly #zeros: number[] = []
  readonly #zeroCodes: number[] = []
  readonly #values: number[] = []
  readonly #indices: number[] = []
  readonly #ends: number[] = []
  #rows = 0

  constructor({ scheme, channels, levels, restored }: Calibrated, row: number, tokens: number) {
    this.#scheme = scheme
    this.#row = row
    this.#encoder = encoder(levels)
    this.#restored = restored
    this.#zeroCode = encode(this.#encoder, 0)
    this.#slots = slots(scheme, row)
    this.#rowBytes = packedBytes(row, scheme.bits)
    this.#codes = new Uint8Array(tokens * this.#rowBytes)
    this.#rowCodes = new Uint8Array(row)
    this.#inverse = new Float64Array(row)
    if (channels) this.#invert(channels)
    if (scheme.storage === 'paper' && row > 65536 && scheme.outliers > 0) {
      throw new RangeError(`expected tokens of at most 65536 elements for 16-bit indices, got ${row}`)
    }
  }

  #invert({ range }: Ranges): void {
    for (let c = 0; c < range.length; c++) this.#inverse[c] = inverse(range[c] as number)
  }

  /** A token whose channels have their own ranges. */
  channelRow(data: Float32Array, at: number, { low, high, zero, range }: Ranges): void {
    const { middles, first } = this.#encoder
    const codes = this.#rowCodes
    const invert = this.#inverse
    const apart = this.#scheme.outliers > 0
    const outliers: number[] = []
    for (let c = 0; c < codes.length; c++) {
      const x = data[at + c] as number
      if (apart && (x < (low[c] as number) || x > (high[c] as number))) {
        outliers.push(c)
        continue
      }
      codes[c] = code(middles, first, (x - (zero[c] as number)) * (invert[c] as number))
    }
    const kept = this.#scheme.cap === undefined ? outliers : this.#capped(data, at, zero, outliers)
    for (const c of kept) this.#apart(data[at + c] as number, c, zero[c] as number, range[c] as number)
    this.#endRow()
  }

  /** The outliers farthest out, half of the cap at each end; the others take the nearest code. */
  #capped(data: Float32Array, at: number, zero: Float64Array, outliers: readonly number[]): readonly number[] {
    const most = (this.#scheme.cap as number) / 2
    const far = (c: number) => ((data[at + c] as number) - (zero[c] as number)) * (this.#inverse[c] as number)
    const sorted = [...outliers].sort((a, b) => far(a) - far(b) || a - b)
    const up = sorted.filter((c) => far(c) > 0)
    const kept = new Set([...sorted.slice(0, Math.min(most, sorted.length - up.length)), ...up.slice(-most)])
    for (const c of outliers) if (!kept.has(c)) this.#rowCodes[c] = encode(this.#encoder, far(c))
    return outliers.filter((c) => kept.has(c))
  }

  /** A token with ranges of its own: one, or one for each group of its elements. */
  tokenRow(data: Float32Array, at: number): void {
    const { group = this.#row, outliers } = this.#scheme
    const { middles, first } = this.#encoder
    const codes = this.#rowCodes
    for (let begin = 0; begin < this.#row; begin += group) {
      const count = Math.min(group, this.#row - begin)
      const ranges = groupRanges(this.#scheme, data, at + begin, count, this.#room(count))
      const zero = ranges.zero[0] as number
      const range = ranges.range[0] as number
      const low = outliers > 0 ? (ranges.low[0] as number) : Number.NEGATIVE_INFINITY
      const high = outliers > 0 ? (ranges.high[0] as number) : Number.POSITIVE_INFINITY
      const invert = inverse(range)
      for (let i = begin; i < begin + count; i++) {
        const x = data[at + i] as number
        if (x < low || x > high) this.#apart(x, i, zero, range)
        else codes[i] = code(middles, first, (x - zero) * invert)
      }
      this.#scale(zero, range)
    }
    this.#endZeros()
    this.#endRow()
  }

  readonly #rooms = new Map<number, ReturnType<typeof tokenThresholds>>()

  #room(count: number) {
    const room = this.#rooms.get(count) ?? tokenThresholds(this.#scheme, count)
    this.#rooms.set(count, room)
    return room
  }

  /** Tokens of which so many share the ranges of their channels. */
  groups(data: Float32Array, begin: number, end: number): void {
    const { group = 1 } = this.#scheme
    if ((end - begin) % group !== 0) {
      throw new RangeError(`expected whole groups of ${group} tokens, got ${end - begin} tokens`)
    }
    for (let t = begin; t < end; t += group) {
      const ranges = this.#columnRanges(data, t, t + group)
      this.#invert(ranges)
      for (let of = t; of < t + group; of++) this.channelRow(data, of * this.#row, ranges)
      for (let c = 0; c < this.#row; c++) this.#scale(ranges.zero[c] as number, ranges.range[c] as number)
      this.#endZeros()
    }
  }

  #columnRanges(data: Float32Array, begin: number, end: number): Ranges {
    const low = new Float64Array(this.#row).fill(Number.POSITIVE_INFINITY)
    const high = new Float64Array(this.#row).fill(Number.NEGATIVE_INFINITY)
    for (let t = begin; t < end; t++) {
      for (let c = 0; c < this.#row; c++) {
        const x = data[t * this.#row + c] as number
        if (x < (low[c] as number)) low[c] = x
        if (x > (high[c] as number)) high[c] = x
      }
    }
    return rangesOf(this.#scheme, low, high)
  }

  #scale(zero: number, range: number): void {
    if (this.#scheme.zero === 'offset') {
      this.#scales.push(zero, range)
      return
    }
    const steps = 2 ** this.#scheme.bits - 1
    const step = range / (steps / 2)
    this.#scales.push(step)
    this.#zeroCodes.push(step > 0 ? Math.round(steps / 2 - zero / step) : 0)
  }

  #endZeros(): void {
    if (this.#zeroCodes.length === 0) return
    this.#zeros.push(...pack(Uint8Array.from(this.#zeroCodes), this.#scheme.bits))
    this.#zeroCodes.length = 0
  }

  /** An outlier: its dense code is that nearest to zero, and the sparse value is what this lacks. */
  #apart(x: number, index: number, zero: number, range: number): void {
    this.#rowCodes[index] = this.#zeroCode
    this.#values.push(x - (zero + (this.#restored[this.#zeroCode] as number) * range))
    this.#indices.push(index)
  }

  #endRow(): void {
    pack(this.#rowCodes, this.#scheme.bits, this.#codes, this.#rows * this.#rowBytes)
    this.#rows++
    if (this.#slots === undefined) {
      this.#ends.push(this.#values.length)
      return
    }
    // Adding nothing to the first element fills what a token does not need.
    while (this.#values.length < this.#rows * this.#slots) {
      this.#values.push(0)
      this.#indices.push(0)
    }
  }

  parts() {
    const wide = this.#scheme.storage === 'released'
    const numbers = (of: readonly number[]) => (wide ? Float32Array.from(of) : sixteenBits(of))
    return {
      codes: this.#codes,
      scales: numbers(this.#scales),
      zeros: Uint8Array.from(this.#zeros),
      values: numbers(this.#values),
      indices: wide ? Int32Array.from(this.#indices) : Uint16Array.from(this.#indices),
      ...(this.#slots === undefined && this.#scheme.outliers > 0 && { ends: Uint32Array.from(this.#ends) }),
    }
  }
}

/** 1 / range; 0 where all are equal, so that every code means the middle. */
function inverse(range: number): number {
  return range > 0 ? 1 / range : 0
}

/** As `encode`, in the two loops that time is spent in. */
function code(middles: Float64Array, first: Uint8Array, x: number): number {
  let at = x >= 1 ? (first[cells] as number) : x <= -1 ? 0 : (first[((x + 1) * (cells / 2)) | 0] as number)
  while (x > (middles[at] as number)) at++
  return at
}

function sixteenBits(numbers: readonly number[]): Uint16Array {
  return Uint16Array.from(numbers, (x) => {
    if (Math.abs(x) >= 65520) throw tooLarge(x)
    return fp16Bits(x)
  })
}

/** The numbers that packed tokens stand for. */
export function dequantize({ scheme, channels, restored }: Calibrated, p: Packed): Tensor {
  const row = p.heads * p.headDim
  const [before, after] = [p.before.length / row, p.after.length / row]
  const out = tensor({ tokens: before + p.tokens + after, heads: p.heads, headDim: p.headDim })
  const codes = new Uint8Array(row)
  const rowBytes = packedBytes(row, scheme.bits)
  const groups = scheme.axis === 'token' ? Math.ceil(row / (scheme.group ?? row)) : 0
  const reader = scaleReader(scheme, p, groups > 0 ? groups : row)
  const width = scheme.axis === 'token' ? (scheme.group ?? row) : row
  for (let t = 0; t < p.tokens; t++) {
    unpack(p.codes, scheme.bits, codes, t * rowBytes)
    const at = (before + t) * row
    const firstScale = groups > 0 ? t * groups : Math.floor(t / (scheme.group ?? 1)) * row
    for (let i = 0; i < row; i++) {
      const level = restored[codes[i] as number] as number
      const scale = groups > 0 ? firstScale + Math.floor(i / width) : firstScale + i
      const zero = channels ? (channels.zero[i] as number) : reader.zero(scale)
      const range = channels ? (channels.range[i] as number) : reader.range(scale)
      out.data[at + i] = zero + level * range
    }
  }
  addSparse(p, out.data.subarray(before * row, (before + p.tokens) * row), row)
  wholes(p.before, out.data.subarray(0, before * row))
  wholes(p.after, out.data.subarray((before + p.tokens) * row))
  return out
}

/** The middle and half width of the nth range as stored; the zeros of `together` ranges begin on a byte. */
function scaleReader({ zero: kind, bits }: Scheme, { scales, zeros }: Packed, together: number) {
  const stored = numbersOf(scales)
  if (kind === 'offset') {
    return { zero: (n: number) => stored[2 * n] as number, range: (n: number) => stored[2 * n + 1] as number }
  }
  const half = (2 ** bits - 1) / 2
  const codes = new Uint8Array(stored.length)
  for (let n = 0; n < codes.length; n += together) {
    unpack(zeros, bits, codes.subarray(n, n + together), (n / together) * packedBytes(together, bits))
  }
  return {
    zero: (n: number) => (half - (codes[n] as number)) * (stored[n] as number),
    range: (n: number) => half * (stored[n] as number),
  }
}

function numbersOf(stored: Numbers): Float32Array {
  if (stored instanceof Float32Array) return stored
  const numbers = new Float32Array(stored.length)
  wholes(stored, numbers)
  return numbers
}

function wholes(bits: Uint16Array, into: Float32Array): void {
  const values = fp16Values()
  for (let i = 0; i < bits.length; i++) into[i] = values[bits[i] as number] as number
}

function addSparse({ tokens, values, indices, ends }: Packed, data: Float32Array, row: number): void {
  const numbers = numbersOf(values)
  const each = numbers.length / tokens
  for (let t = 0, i = 0; t < tokens; t++) {
    const end = ends ? (ends[t] as number) : (t + 1) * each
    for (; i < end; i++) {
      const at = t * row + (indices[i] as number)
      data[at] = (data[at] as number) + (numbers[i] as number)
    }
  }
}

/** Blocks of following tokens as one. */
export function join(blocks: readonly Packed[]): Packed {
  const [first] = blocks
  if (first === undefined) throw new RangeError('join: expected blocks, got none')
  const of = <T extends Numbers | Uint8Array | Int32Array | Uint32Array>(part: (p: Packed) => T) =>
    concatenated(blocks.map(part))
  let sparse = 0
  const ends = blocks.map(({ ends, values }) => {
    const moved = ends?.map((end) => end + sparse) ?? new Uint32Array()
    sparse += values.length
    return moved
  })
  return {
    heads: first.heads,
    headDim: first.headDim,
    before: of((p) => p.before),
    after: of((p) => p.after),
    tokens: blocks.reduce((sum, { tokens }) => sum + tokens, 0),
    codes: of((p) => p.codes),
    scales: of((p) => p.scales),
    zeros: of((p) => p.zeros),
    values: of((p) => p.values),
    indices: of((p) => p.indices),
    ...(first.ends && { ends: concatenated(ends) }),
  }
}

function concatenated<T extends Numbers | Uint8Array | Int32Array | Uint32Array>(parts: readonly T[]): T {
  const [first] = parts as [T]
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const out = new (first.constructor as new (n: number) => T)(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
