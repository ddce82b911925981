// Decode attention over KVQuant's cache (arXiv 2401.18079), 64 tokens at a time: codes of a table, keys turned as
// they are read, outliers beside. The query is turned back to the first token of each run of 32, and its products with the
// channels' scales and zero points are made once for the run; what is left of the angle depends on the place in the run.
import { rescale, topOf, weightsOf } from './attention'
import { plane0, plane1, plane2, plane3, weave8, weave8Last, weave16, weave16Last } from './codes'
import { exp2x1, half, halfValue, total } from './lanes'
import { at, least, word } from './words'

const run: i32 = 32
const tile: i32 = 64
const low: f32 = -1e30

/** Bytes of both tables of sixteen, before what else lies with them. */
const tables: usize = 128

/**
 * The tables of keys and of values, one behind the other; then cosines and sines of the first 32 positions, by rows of
 * pairs that lie next to each other; 0 past the last pair. args: turns (the tables' entries in turn, then cosine and sine
 * in turn), out, pairs, wide (pairs in whole loads), pairs before those of the first positions. Piece: a position.
 */
export function turnTable(args: usize, piece: i32): void {
  const pairs = word(args, 2)
  const wide = word(args, 3)
  const from = at(args, 0)
  if (piece === 0) {
    for (let i: usize = 0; i < 16; i++) {
      store<f32>(at(args, 1) + (i << 2), load<f32>(from + (i << 3)))
      store<f32>(at(args, 1) + (i << 2), load<f32>(from + (i << 3), 4), 64)
    }
  }
  const turns = from + ((<usize>(word(args, 4) + piece * pairs)) << 3)
  const out = at(args, 1) + tables + ((<usize>piece * wide) << 3)
  for (let p = 0; p < wide; p++) {
    const inside = p < pairs
    store<f32>(out + ((<usize>p) << 2), inside ? load<f32>(turns + ((<usize>p) << 3)) : 0)
    store<f32>(out + ((<usize>(wide + p)) << 2), inside ? load<f32>(turns + ((<usize>p) << 3), 4) : 0)
  }
}

/** What a run's codes are multiplied with: six rows of `wide`, by pair. */
function prepare(to: usize, q: usize, scales: usize, turns: usize, pairs: i32, wide: i32, scale: f32): void {
  const row = (<usize>wide) << 2
  for (let p = 0; p < wide; p++) {
    const out = to + ((<usize>p) << 2)
    let a: f32 = 0
    let b: f32 = 0
    let lowScale: f32 = 0
    let lowZero: f32 = 0
    let highScale: f32 = 0
    let highZero: f32 = 0
    if (p < pairs) {
      const cos = load<f32>(turns + ((<usize>p) << 3))
      const sin = load<f32>(turns + ((<usize>p) << 3), 4)
      const x = half(q, p) * scale
      const y = half(q, pairs + p) * scale
      a = x * cos + y * sin
      b = y * cos - x * sin
      lowScale = half(scales, 2 * p)
      lowZero = half(scales, 2 * p + 1)
      highScale = half(scales, 2 * (pairs + p))
      highZero = half(scales, 2 * (pairs + p) + 1)
    }
    store<f32>(out, a * lowScale)
    store<f32>(out + row, b * highScale)
    store<f32>(out + 2 * row, b * lowScale)
    store<f32>(out + 3 * row, -a * highScale)
    store<f32>(out + 4 * row, a * lowZero + b * highZero)
    store<f32>(out + 5 * row, b * lowZero - a * highZero)
  }
}

/** What four pairs add to a score. `p` points at the six rows, `t` at cosines, sines `wide` later. */
function turned(l: v128, h: v128, p: usize, t: usize, row: usize): v128 {
  const x = f32x4.add(f32x4.add(f32x4.mul(v128.load(p), l), f32x4.mul(v128.load(p + row), h)), v128.load(p + 4 * row))
  const y = f32x4.add(
    f32x4.add(f32x4.mul(v128.load(p + 2 * row), l), f32x4.mul(v128.load(p + 3 * row), h)),
    v128.load(p + 5 * row),
  )
  return f32x4.add(f32x4.mul(x, v128.load(t)), f32x4.mul(y, v128.load(t + row)))
}

/** 32 codes of so many bits, two to a byte. */
function nibbles(from: usize, bits: i32): v128 {
  if (bits === 4) return v128.load(from)
  const pairs = v128.load64_splat(from)
  const low = v128.shuffle<i64>(pairs, i16x8.shr_u(pairs, 4), 0, 3)
  const two = v128.or(v128.and(low, i8x16.splat(3)), i16x8.shl(v128.and(low, i8x16.splat(12)), 2))
  if (bits === 2) return two
  const third = i8x16.swizzle(v128.load32_splat(from, 8), i8x16(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3))
  const even = i8x16(1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8)
  const odd = i8x16(16, 32, 64, -128, 16, 32, 64, -128, 16, 32, 64, -128, 16, 32, 64, -128)
  const first = v128.and(i8x16.eq(v128.and(third, even), even), i8x16.splat(4))
  const second = v128.and(i8x16.eq(v128.and(third, odd), odd), i8x16.splat(64))
  return v128.or(two, v128.or(first, second))
}

/** Scores of a run of tokens, of which `count` are. */
function scoreRun(
  scores: usize,
  k: usize,
  products: usize,
  turns: usize,
  table: usize,
  loads: i32,
  count: i32,
  bits: i32,
): void {
  const e0 = v128.load(table)
  const e1 = v128.load(table, 16)
  const e2 = v128.load(table, 32)
  const e3 = v128.load(table, 48)
  const t0 = plane0(e0, e1, e2, e3)
  const t1 = plane1(e0, e1, e2, e3)
  const t2 = plane2(e0, e1, e2, e3)
  const t3 = plane3(e0, e1, e2, e3)
  const row = (<usize>loads) << 6
  for (let j = 0; j < count; j++) {
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    for (let g = 0; g < loads; g++) {
      const both = nibbles(k + ((<usize>((g * run + j) * bits)) << 2), bits)
      const p = products + ((<usize>g) << 6)
      const t = turns + 2 * row * j + ((<usize>g) << 6)
      const lowCodes = v128.and(both, i8x16.splat(0xf))
      const highCodes = v128.and(i16x8.shr_u(both, 4), i8x16.splat(0xf))
      const a0 = i8x16.swizzle(t0, lowCodes)
      const a1 = i8x16.swizzle(t1, lowCodes)
      const a2 = i8x16.swizzle(t2, lowCodes)
      const a3 = i8x16.swizzle(t3, lowCodes)
      const b0 = i8x16.swizzle(t0, highCodes)
      const b1 = i8x16.swizzle(t1, highCodes)
      const b2 = i8x16.swizzle(t2, highCodes)
      const b3 = i8x16.swizzle(t3, highCodes)
      let x = weave8(a0, a1)
      let y = weave8(a2, a3)
      let u = weave8(b0, b1)
      let v = weave8(b2, b3)
      s0 = f32x4.add(s0, turned(weave16(x, y), weave16(u, v), p, t, row))
      s1 = f32x4.add(s1, turned(weave16Last(x, y), weave16Last(u, v), p + 16, t + 16, row))
      x = weave8Last(a0, a1)
      y = weave8Last(a2, a3)
      u = weave8Last(b0, b1)
      v = weave8Last(b2, b3)
      s0 = f32x4.add(s0, turned(weave16(x, y), weave16(u, v), p + 32, t + 32, row))
      s1 = f32x4.add(s1, turned(weave16Last(x, y), weave16Last(u, v), p + 48, t + 48, row))
    }
    store<f32>(scores + ((<usize>j) << 2), total(f32x4.add(s0, s1)))
  }
}

/** out[c] += the values of a run, weighed: even tokens' weights, then odd ones'. */
function weighRun(out: usize, v: usize, weights: usize, table: usize, dim: i32, bits: i32): void {
  const e0 = v128.load(table)
  const e1 = v128.load(table, 16)
  const e2 = v128.load(table, 32)
  const e3 = v128.load(table, 48)
  const t0 = plane0(e0, e1, e2, e3)
  const t1 = plane1(e0, e1, e2, e3)
  const t2 = plane2(e0, e1, e2, e3)
  const t3 = plane3(e0, e1, e2, e3)
  for (let c = 0; c < dim; c++) {
    const both = nibbles(v + ((<usize>(c * bits)) << 2), bits)
    let codes = v128.and(both, i8x16.splat(0xf))
    let w = weights
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    for (let part = 0; part < 2; part++) {
      const a0 = i8x16.swizzle(t0, codes)
      const a1 = i8x16.swizzle(t1, codes)
      const a2 = i8x16.swizzle(t2, codes)
      const a3 = i8x16.swizzle(t3, codes)
      const x = weave8(a0, a1)
      const y = weave8(a2, a3)
      s0 = f32x4.add(s0, f32x4.mul(weave16(x, y), v128.load(w)))
      s1 = f32x4.add(s1, f32x4.mul(weave16Last(x, y), v128.load(w, 16)))
      const xLast = weave8Last(a0, a1)
      const yLast = weave8Last(a2, a3)
      s0 = f32x4.add(s0, f32x4.mul(weave16(xLast, yLast), v128.load(w, 32)))
      s1 = f32x4.add(s1, f32x4.mul(weave16Last(xLast, yLast), v128.load(w, 48)))
      codes = v128.and(i16x8.shr_u(both, 4), i8x16.splat(0xf))
      w += 64
    }
    const to = out + ((<usize>c) << 2)
    store<f32>(to, load<f32>(to) + total(f32x4.add(s0, s1)))
  }
}

/**
 * args: q, k, v, scales of k, scales of v, turns, turn table (as above), parts, scratch, outliers of k, outliers of v,
 * starts, dim, tokens, key heads, rows of a unit, splits, keys of a split, the bits of log2(e) / √dim, tiles, whether
 * there are outliers, bits of a code. Piece: unit × split. Scratch of a piece: two runs' products, 64 scores, 64 weights.
 */
export function attendTable(args: usize, piece: i32): void {
  const dim = word(args, 12)
  const tokens = word(args, 13)
  const heads = word(args, 14)
  const rows = word(args, 15)
  const splits = word(args, 16)
  const chunk = word(args, 17)
  const scale = reinterpret<f32>(word(args, 18))
  const tiles = word(args, 19)
  const sparse = word(args, 20) !== 0
  const bits = word(args, 21)
  const pairs = dim / 2
  const loads = (pairs + 15) / 16
  const wide = loads * 16
  const row = (<usize>dim) << 2
  const partRow = row + 8
  const unit = piece / splits
  const split = piece % splits
  const products = at(args, 8) + <usize>piece * (12 * wide + 2 * tile) * 4
  const scores = products + <usize>(12 * wide) * 4
  const weights = scores + <usize>tile * 4
  const scales = at(args, 3) + ((<usize>unit * dim) << 2)
  const end = least((split + 1) * chunk, tokens)
  for (let r = 0; r < rows; r++) {
    const part = at(args, 7) + partRow * ((unit * rows + r) * splits + split)
    const q = at(args, 0) + ((<usize>(unit * rows + r) * dim) << 1)
    for (let p: usize = 0; p < row; p += 4) store<f32>(part + p, 0)
    let top = low
    let sum: f32 = 0
    for (let first = split * chunk; first < end; first += tile) {
      const t = first / tile
      const count = least(tile, end - first)
      for (let i = 0; i < 2 && i * run < count; i++) {
        const number = (unit * tiles + t) * 2 + i
        const own = products + <usize>(6 * wide * i) * 4
        const turns = at(args, 5) + tables + ((<usize>(2 * t + i) * pairs) << 3)
        prepare(own, q, scales, turns, pairs, wide, scale)
        const k = at(args, 1) + <usize>number * loads * run * bits * 4
        scoreRun(
          scores + <usize>(run * i) * 4,
          k,
          own,
          at(args, 6) + tables,
          at(args, 6),
          loads,
          least(run, count - run * i),
          bits,
        )
      }
      if (sparse) keyOutliers(args, unit * tiles + t, products, scores, pairs, wide, count)
      const before = top
      top = max<f32>(top, topOf(scores, count))
      const keep: f32 = before === low ? 0 : exp2x1(before - top)
      rescale(part, row, keep)
      sum = sum * keep + weightsOf(scores, count, 1, top)
      // Weights times the tokens' scales, even tokens of a run before odd ones; what is past the end weighs nothing.
      let zeros: f32 = 0
      for (let j = 0; j < tile; j++) {
        const from = at(args, 4) + <usize>((unit / heads) * tiles * tile + first + j) * 4
        const w: f32 = j < count ? load<f32>(scores + ((<usize>j) << 2)) : 0
        const place = (j & 32) + ((j & 1) << 4) + ((j & 31) >> 1)
        store<f32>(weights + ((<usize>place) << 2), w * half(from, 0))
        zeros += w * half(from, 1)
      }
      if (sparse) valueOutliers(args, unit * tiles + t, weights, part, dim)
      for (let i = 0; i < 2 && i * run < count; i++) {
        const v = at(args, 2) + <usize>((unit * tiles + t) * 2 + i) * dim * bits * 4
        weighRun(part, v, weights + <usize>(run * i) * 4, at(args, 6) + 64, dim, bits)
      }
      for (let p: usize = 0; p < row; p += 4) store<f32>(part + p, load<f32>(part + p) + zeros)
    }
    store<f32>(part + row, top)
    store<f32>(part + row + 4, sum)
  }
}

/** What outliers of keys add to the scores of their tokens. */
function keyOutliers(args: usize, t: i32, products: usize, scores: usize, pairs: i32, wide: i32, count: i32): void {
  const starts = at(args, 11) + ((<usize>t) << 2)
  const end = load<u32>(starts, 4)
  for (let e = load<u32>(starts); e < end; e++) {
    const outlier = load<i32>(at(args, 9) + ((<usize>e) << 2))
    const token = outlier & 63
    if (token >= count) continue
    const channel = (outlier & 0xffff) >> 6
    const high = channel >= pairs
    const pair = high ? channel - pairs : channel
    const place: i32 = 6 * wide * (token >> 5) + pair + (high ? wide : 0)
    const p = products + ((<usize>place) << 2)
    const turn = at(args, 6) + tables + ((<usize>((token & 31) * 2 * wide + pair)) << 2)
    const by =
      load<f32>(p) * load<f32>(turn) + load<f32>(p + ((<usize>wide) << 3)) * load<f32>(turn + ((<usize>wide) << 2))
    const to = scores + ((<usize>token) << 2)
    store<f32>(to, load<f32>(to) + halfValue(outlier >>> 16) * by)
  }
}

/** What outliers of values add to the output. */
function valueOutliers(args: usize, t: i32, weights: usize, out: usize, dim: i32): void {
  const starts = at(args, 11) + ((<usize>t) << 2)
  const end = load<u32>(starts, 4)
  for (let e = load<u32>(starts); e < end; e++) {
    const outlier = load<u32>(at(args, 10) + ((<usize>e) << 2))
    const token = <i32>(outlier & 0xffff) / dim
    const channel = <i32>(outlier & 0xffff) % dim
    const place = (token & 32) + ((token & 1) << 4) + ((token & 31) >> 1)
    const to = out + ((<usize>channel) << 2)
    store<f32>(to, load<f32>(to) + halfValue(outlier >>> 16) * load<f32>(weights + ((<usize>place) << 2)))
  }
}
