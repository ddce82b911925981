// Attention of a few query rows over a chunk of keys, then the merge of the chunks by logsumexp (FlashDecoding). Keys are
// taken in blocks: their scores, the running maximum, then the values of the block.
import { exp2x1, exp2x4, halfBits, total, totals, touch } from './lanes'
import { at, least, word } from './words'

/** Keys of a block: scores that a piece keeps. */
const block: i32 = 64

const low: f32 = -1e30

/** The dot products of one query with four keys, as lanes. */
export function scores4(q: usize, k: usize, row: usize): v128 {
  const k1 = k + row
  const k2 = k1 + row
  const k3 = k2 + row
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  for (let p: usize = 0; p < row; p += 32) {
    const x = v128.load(q + p)
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k + p)))
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k1 + p)))
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k2 + p)))
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k3 + p)))
    const y = v128.load(q + p, 16)
    s0 = f32x4.add(s0, f32x4.mul(y, v128.load(k + p, 16)))
    s1 = f32x4.add(s1, f32x4.mul(y, v128.load(k1 + p, 16)))
    s2 = f32x4.add(s2, f32x4.mul(y, v128.load(k2 + p, 16)))
    s3 = f32x4.add(s3, f32x4.mul(y, v128.load(k3 + p, 16)))
  }
  return totals(s0, s1, s2, s3)
}

export function score1(q: usize, k: usize, row: usize): f32 {
  let s = f32x4.splat(0)
  for (let p: usize = 0; p < row; p += 16) s = f32x4.add(s, f32x4.mul(v128.load(q + p), v128.load(k + p)))
  return total(s)
}

/** out += Σ weights[j]·v[j] over `count` rows of `row` bytes, eight of them at a time. */
function weigh(out: usize, weights: usize, v: usize, row: usize, count: i32): void {
  let j = 0
  for (; j + 8 <= count; j += 8) {
    const w = weights + ((<usize>j) << 2)
    const w0 = v128.load32_splat(w)
    const w1 = v128.load32_splat(w, 4)
    const w2 = v128.load32_splat(w, 8)
    const w3 = v128.load32_splat(w, 12)
    const w4 = v128.load32_splat(w, 16)
    const w5 = v128.load32_splat(w, 20)
    const w6 = v128.load32_splat(w, 24)
    const w7 = v128.load32_splat(w, 28)
    let from = v + row * j
    for (let p: usize = 0; p < row; p += 16) {
      let a = v128.load(out + p)
      let at = from
      a = f32x4.add(a, f32x4.mul(w0, v128.load(at)))
      at += row
      let b = f32x4.mul(w1, v128.load(at))
      at += row
      a = f32x4.add(a, f32x4.mul(w2, v128.load(at)))
      at += row
      b = f32x4.add(b, f32x4.mul(w3, v128.load(at)))
      at += row
      a = f32x4.add(a, f32x4.mul(w4, v128.load(at)))
      at += row
      b = f32x4.add(b, f32x4.mul(w5, v128.load(at)))
      at += row
      a = f32x4.add(a, f32x4.mul(w6, v128.load(at)))
      at += row
      b = f32x4.add(b, f32x4.mul(w7, v128.load(at)))
      v128.store(out + p, f32x4.add(a, b))
      from += 16
    }
  }
  for (; j < count; j++) {
    const w0 = v128.load32_splat(weights + ((<usize>j) << 2))
    const from = v + row * j
    for (let p: usize = 0; p < row; p += 16) {
      v128.store(out + p, f32x4.add(v128.load(out + p), f32x4.mul(w0, v128.load(from + p))))
    }
  }
}

/** Turns `count` scores into weights 2^(s·scale - top) in place; returns their sum. Past `count` it writes zeros. */
export function weightsOf(scores: usize, count: i32, scale: f32, top: f32): f32 {
  const s4 = f32x4.splat(scale)
  const t4 = f32x4.splat(top)
  const ramp = i32x4(0, 1, 2, 3)
  let sum = f32x4.splat(0)
  for (let j = 0; j < count; j += 4) {
    const to = scores + ((<usize>j) << 2)
    const in4 = i32x4.lt_s(i32x4.add(i32x4.splat(j), ramp), i32x4.splat(count))
    const w = v128.and(exp2x4(f32x4.sub(f32x4.mul(v128.load(to), s4), t4)), in4)
    sum = f32x4.add(sum, w)
    v128.store(to, w)
  }
  return total(sum)
}

/** The largest of `count` scores. */
export function topOf(scores: usize, count: i32): f32 {
  let top = low
  for (let j = 0; j < count; j++) top = max<f32>(top, load<f32>(scores + ((<usize>j) << 2)))
  return top
}

/** Multiplies `row` bytes of singles. */
export function rescale(out: usize, row: usize, by: f32): void {
  const b4 = f32x4.splat(by)
  for (let p: usize = 0; p < row; p += 16) v128.store(out + p, f32x4.mul(v128.load(out + p), b4))
}

/**
 * args: q, k, v, parts, scores, dim, tokens, query, rows of a unit, splits, keys of a split, the bits of
 * log2(e) / √dim. Piece: unit × split. A part's row is dim outputs, maximum (base 2) and sum.
 */
export function attend(args: usize, piece: i32): void {
  const dim = word(args, 5)
  const tokens = word(args, 6)
  const query = word(args, 7)
  const rows = word(args, 8)
  const splits = word(args, 9)
  const chunk = word(args, 10)
  const scale = reinterpret<f32>(word(args, 11))
  const unit = piece / splits
  const split = piece % splits
  const row = (<usize>dim) << 2
  const q = at(args, 0) + row * (unit * rows)
  const k = at(args, 1) + row * (<usize>unit * tokens)
  const v = at(args, 2) + row * (<usize>unit * tokens)
  const scores = at(args, 4) + <usize>piece * block * 4
  const partRow = row + 8
  const begin = split * chunk
  const end = least(begin + chunk, tokens)
  for (let r = 0; r < rows; r++) {
    const part = at(args, 3) + partRow * ((unit * rows + r) * splits + split)
    for (let p: usize = 0; p < row; p += 16) v128.store(part + p, f32x4.splat(0))
    store<f32>(part + row, low)
    store<f32>(part + row + 4, 0)
  }
  for (let first = begin; first < end; first += block) {
    const last = least(first + block, end)
    touch(k + row * first, row * (last - first))
    touch(v + row * first, row * (last - first))
    for (let r = 0; r < rows; r++) {
      const count = least(last, tokens - query + 1 + (r % query)) - first
      if (count <= 0) continue
      const part = at(args, 3) + partRow * ((unit * rows + r) * splits + split)
      const from = q + row * r
      let j = 0
      for (; j + 4 <= count; j += 4) {
        v128.store(scores + ((<usize>j) << 2), scores4(from, k + row * (first + j), row))
      }
      for (; j < count; j++) store<f32>(scores + ((<usize>j) << 2), score1(from, k + row * (first + j), row))
      const before = load<f32>(part + row)
      const top = max<f32>(before, topOf(scores, count) * scale)
      if (top > before) {
        const keep = exp2x1(before - top)
        rescale(part, row, keep)
        store<f32>(part + row, top)
        store<f32>(part + row + 4, load<f32>(part + row + 4) * keep)
      }
      store<f32>(part + row + 4, load<f32>(part + row + 4) + weightsOf(scores, count, scale, top))
      weigh(part, scores, v + row * first, row, count)
    }
  }
}

/** Merges the parts of a row into the first: its outputs, and its sum; the maximum stays that of the first alone. */
export function mergeRow(parts: usize, splits: i32, dim: i32): void {
  const row = (<usize>dim) << 2
  const partRow = row + 8
  let top = low
  for (let s = 0; s < splits; s++) top = max<f32>(top, load<f32>(parts + partRow * s + row))
  let sum: f32 = 0
  for (let s = 0; s < splits; s++) {
    const part = parts + partRow * s
    const weight = exp2x1(load<f32>(part + row) - top)
    sum += weight * load<f32>(part + row + 4)
    if (s === 0) {
      rescale(parts, row, weight)
      continue
    }
    const w4 = f32x4.splat(weight)
    for (let p: usize = 0; p < row; p += 16) {
      v128.store(parts + p, f32x4.add(v128.load(parts + p), f32x4.mul(w4, v128.load(part + p))))
    }
  }
  store<f32>(parts + row + 4, sum)
}

/** args: parts, output, dim, splits, whether halves are stored. Piece: an output row. The first part is overwritten. */
export function merge(args: usize, piece: i32): void {
  const dim = word(args, 2)
  const splits = word(args, 3)
  const row = (<usize>dim) << 2
  const parts = at(args, 0) + (row + 8) * (<usize>piece * splits)
  mergeRow(parts, splits, dim)
  const sum = load<f32>(parts + row + 4)
  if (word(args, 4) === 0) {
    const out = at(args, 1) + row * piece
    const by = f32x4.splat(sum)
    for (let p: usize = 0; p < row; p += 16) v128.store(out + p, f32x4.div(v128.load(parts + p), by))
    return
  }
  const out = at(args, 1) + (row >> 1) * piece
  for (let i = 0; i < dim; i++) {
    store<u16>(out + ((<usize>i) << 1), <u16>halfBits(load<f32>(parts + ((<usize>i) << 2)) / sum))
  }
}
