// Decode attention over QuantSpec's cache (arXiv 2502.10424), 128 tokens at a time: an upper plane of 4-bit codes, alone or
// refined to 8 bits by a lower one. Codes are converted in their place of the word; what that multiplies them with is
// divided out of the other factor: of the query times the channels' scales, or of the weights times the tokens' scales.
import { rescale, topOf, weightsOf } from './attention'
import { exp2x1, half, totals, touch } from './lanes'
import { at, least, word } from './words'

const tile: i32 = 128
const low: f32 = -1e30

/** Factors of 32 codes of an upper plane with their values: vector k has every eighth code from k on. */
function upperTimes(c: v128, by: usize): v128 {
  let a = f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf))), v128.load(by))
  let b = f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf0))), v128.load(by, 16))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf00))), v128.load(by, 32)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf000))), v128.load(by, 48)))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf0000))), v128.load(by, 64)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf00000))), v128.load(by, 80)))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf000000))), v128.load(by, 96)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(c, 28)), v128.load(by, 112)))
  return f32x4.add(a, b)
}

/** The same of both planes, whose codes become bytes: those of even places, then those of odd ones. */
function bothTimes(upper: v128, lower: v128, by: usize): v128 {
  const nibbles = i8x16.splat(0xf)
  const even = v128.or(i16x8.shl(v128.and(upper, nibbles), 4), v128.and(lower, nibbles))
  const odd = v128.or(v128.andnot(upper, nibbles), v128.and(i16x8.shr_u(lower, 4), nibbles))
  let a = f32x4.mul(f32x4.convert_i32x4_s(v128.and(even, i32x4.splat(0xff))), v128.load(by))
  let b = f32x4.mul(f32x4.convert_i32x4_s(v128.and(odd, i32x4.splat(0xff))), v128.load(by, 16))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(v128.and(even, i32x4.splat(0xff00))), v128.load(by, 32)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(v128.and(odd, i32x4.splat(0xff00))), v128.load(by, 48)))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(v128.and(even, i32x4.splat(0xff0000))), v128.load(by, 64)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(v128.and(odd, i32x4.splat(0xff0000))), v128.load(by, 80)))
  a = f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(even, 24)), v128.load(by, 96)))
  b = f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(odd, 24)), v128.load(by, 112)))
  return f32x4.add(a, b)
}

/** Where the factor of code `i` of a load of 32 lies, in bytes. */
function placeOf(i: i32): usize {
  return (<usize>(((i >> 5) << 5) + ((i & 7) << 2) + ((i >> 3) & 3))) << 2
}

/** What undoes the place of code `i` in its word; with both planes a code also counts sixteenths. */
function shareOf(i: i32, two: bool): f32 {
  const k = i & 7
  if (!two) return k === 7 ? 1 : reinterpret<f32>((127 - 4 * k) << 23)
  return k >= 6 ? <f32>0.0625 : reinterpret<f32>((123 - 8 * (k >> 1)) << 23)
}

/**
 * The query times the channels' scales of a tile, where its codes want it; returns its product with their zero points.
 * With both planes the lower one counts from -8.
 */
function fold(to: usize, q: usize, scales: usize, dim: i32, loads: i32, scale: f32, two: bool): f32 {
  let base: f32 = 0
  for (let c = 0; c < 32 * loads; c++) {
    let by: f32 = 0
    if (c < dim) {
      const x = half(q, c) * scale
      by = x * half(scales, 2 * c)
      base += x * half(scales, 2 * c + 1)
      if (two) base -= by * 0.5
    }
    store<f32>(to + placeOf(c), by * shareOf(c, two))
  }
  return base
}

/** Sums over the loads of a row of codes, `step` bytes apart. */
function rowTimes(upper: usize, lower: usize, step: usize, loads: i32, by: usize, two: bool): v128 {
  let sum = f32x4.splat(0)
  for (let b = 0; b < loads; b++) {
    const far = step * b
    const factors = by + ((<usize>b) << 7)
    const part = two
      ? bothTimes(v128.load(upper + far), v128.load(lower + far), factors)
      : upperTimes(v128.load(upper + far), factors)
    sum = f32x4.add(sum, part)
  }
  return sum
}

/** Four rows of codes, 16 bytes apart, times the same factors, as lanes. */
function fourTimes(upper: usize, lower: usize, step: usize, loads: i32, by: usize, two: bool): v128 {
  return totals(
    rowTimes(upper, lower, step, loads, by, two),
    rowTimes(upper + 16, lower + 16, step, loads, by, two),
    rowTimes(upper + 32, lower + 32, step, loads, by, two),
    rowTimes(upper + 48, lower + 48, step, loads, by, two),
  )
}

/**
 * args: q, upper and lower plane of k, of v, scales of k, of v, parts, scratch, dim, tokens, query, rows of a unit, splits,
 * tokens of a split, the bits of log2(e) / √dim, planes. Piece: unit × split. Scratch of a piece: a factor for each
 * channel in whole loads, a score and a weight for each token of a tile.
 */
export function attendPlanes(args: usize, piece: i32): void {
  const dim = word(args, 9)
  const tokens = word(args, 10)
  const query = word(args, 11)
  const rows = word(args, 12)
  const splits = word(args, 13)
  const chunk = word(args, 14)
  const scale = reinterpret<f32>(word(args, 15))
  const two = word(args, 16) === 2
  const unit = piece / splits
  const split = piece % splits
  const loads = (dim + 31) / 32
  const tiles = (tokens + tile - 1) / tile
  const row = (<usize>dim) << 2
  const partRow = row + 8
  const keyBytes = <usize>loads * tile * 16
  const valueBytes = (<usize>dim) << 6
  const room = at(args, 8) + <usize>piece * (32 * loads + 2 * tile) * 4
  const scores = room + ((<usize>loads) << 7)
  const weights = scores + tile * 4
  const end = least((split + 1) * chunk, tokens)
  const parts = at(args, 7) + partRow * (<usize>unit * rows * splits + split)
  for (let r = 0; r < rows; r++) {
    const part = parts + partRow * splits * r
    for (let p: usize = 0; p < row; p += 16) v128.store(part + p, f32x4.splat(0))
    store<f32>(part + row, low)
    store<f32>(part + row + 4, 0)
  }
  for (let first = split * chunk; first < end; first += tile) {
    const t = unit * tiles + first / tile
    const ku = at(args, 1) + keyBytes * t
    const kl = at(args, 2) + keyBytes * t
    const vu = at(args, 3) + valueBytes * t
    const vl = at(args, 4) + valueBytes * t
    const scales = at(args, 6) + ((<usize>t * tile) << 2)
    touch(ku, keyBytes)
    touch(vu, valueBytes)
    if (two) {
      touch(kl, keyBytes)
      touch(vl, valueBytes)
    }
    for (let r = 0; r < rows; r++) {
      const count = least(tile, least(end, tokens - query + 1 + (r % query)) - first)
      if (count <= 0) continue
      const part = parts + partRow * splits * r
      const q = at(args, 0) + ((<usize>(unit * rows + r) * dim) << 1)
      const base = f32x4.splat(fold(room, q, at(args, 5) + ((<usize>t * dim) << 2), dim, loads, scale, two))
      for (let j = 0; j < count; j += 4) {
        const far = (<usize>j) << 4
        const s = fourTimes(ku + far, kl + far, tile * 16, loads, room, two)
        v128.store(scores + ((<usize>j) << 2), f32x4.add(s, base))
      }
      const before = load<f32>(part + row)
      const top = max<f32>(before, topOf(scores, count))
      const keep: f32 = before === low ? 0 : exp2x1(before - top)
      rescale(part, row, keep)
      store<f32>(part + row, top)
      store<f32>(part + row + 4, load<f32>(part + row + 4) * keep + weightsOf(scores, count, 1, top))
      const zero = f32x4.splat(scaleWeights(weights, scores, scales, count, two))
      for (let c = 0; c < dim; c += 4) {
        const far = (<usize>c) << 4
        const to = part + ((<usize>c) << 2)
        const o = fourTimes(vu + far, vl + far, (<usize>dim) << 4, tile / 32, weights, two)
        v128.store(to, f32x4.add(v128.load(to), f32x4.add(o, zero)))
      }
    }
  }
}

/** Weights times the tokens' scales, where their codes want them; returns their product with the zero points. */
function scaleWeights(to: usize, from: usize, scales: usize, count: i32, two: bool): f32 {
  let zeros: f32 = 0
  for (let j = 0; j < tile; j++) {
    let by: f32 = 0
    if (j < count) {
      const w = load<f32>(from + ((<usize>j) << 2))
      by = w * half(scales, 2 * j)
      zeros += w * half(scales, 2 * j + 1)
      if (two) zeros -= by * 0.5
    }
    store<f32>(to + placeOf(j), by * shareOf(j, two))
  }
  return zeros
}
