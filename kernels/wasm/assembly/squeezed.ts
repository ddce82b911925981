// Squeezed Attention's decode step (arXiv 2411.09688): queries are compared with centroids, clusters whose share of the
// softmax is above a threshold are marked, the indices of their keys are written in a row, and those keys are attended.
import { mergeRow, rescale, score1, scores4, topOf, weightsOf } from './attention'
import { exp2x1, exp2x4, total, totals, touch } from './lanes'
import { at, least, word } from './words'

/** Centroids, or keys, whose scores are made before they are used. */
const block: i32 = 64
/** Centroids of a piece of the marking. */
const markBlock: i32 = 256
const low: f32 = -1e30

/**
 * Scores in base 2, and of each chunk of centroids their maximum and their sum over the members. args: q, centroids,
 * members, scores, denominators, dim, centroids of a head, rows of a unit, splits, centroids of a split, the bits of
 * log2(e) / √dim. Piece: unit × split.
 */
export function compare(args: usize, piece: i32): void {
  const dim = word(args, 5)
  const n = word(args, 6)
  const rows = word(args, 7)
  const splits = word(args, 8)
  const chunk = word(args, 9)
  const scale = reinterpret<f32>(word(args, 10))
  const unit = piece / splits
  const split = piece % splits
  const row = (<usize>dim) << 2
  const q = at(args, 0) + row * (unit * rows)
  const centroids = at(args, 1) + row * (<usize>unit * n)
  const scores = at(args, 3) + ((<usize>unit * rows * n) << 2)
  const rowBytes = (<usize>n) << 2
  const begin = split * chunk
  const end = least(begin + chunk, n)
  for (let first = begin; first < end; first += block) {
    const last = least(first + block, end)
    touch(centroids + row * first, row * (last - first))
    for (let r = 0; r < rows; r++) {
      const to = scores + rowBytes * r
      let c = first
      for (; c + 4 <= last; c += 4) {
        const s = scores4(q + row * r, centroids + row * c, row)
        v128.store(to + ((<usize>c) << 2), f32x4.mul(s, f32x4.splat(scale)))
      }
      for (; c < last; c++) {
        store<f32>(to + ((<usize>c) << 2), score1(q + row * r, centroids + row * c, row) * scale)
      }
    }
  }
  const members = at(args, 2) + ((<usize>unit * n) << 2)
  for (let r = 0; r < rows; r++) {
    const from = scores + rowBytes * r
    const top = topOf(from + ((<usize>begin) << 2), end - begin)
    const out = at(args, 4) + ((<usize>((unit * rows + r) * splits + split)) << 3)
    store<f32>(out, top)
    store<f32>(out, weighed(from, members, begin, end, top), 4)
  }
}

/** Σ members · 2^(score - top). */
function weighed(scores: usize, members: usize, begin: i32, end: i32, top: f32): f32 {
  const t4 = f32x4.splat(top)
  let sum = f32x4.splat(0)
  let c = begin
  for (; c + 4 <= end; c += 4) {
    const w = exp2x4(f32x4.sub(v128.load(scores + ((<usize>c) << 2)), t4))
    sum = f32x4.add(sum, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load(members + ((<usize>c) << 2)))))
  }
  let rest: f32 = 0
  for (; c < end; c++) {
    rest += <f32>load<i32>(members + ((<usize>c) << 2)) * exp2x1(load<f32>(scores + ((<usize>c) << 2)) - top)
  }
  return total(sum) + rest
}

/** A row's maximum, and one over its sum. args: denominators, wholes, splits. Piece: a row. */
export function wholeOf(args: usize, piece: i32): void {
  const splits = word(args, 2)
  const from = at(args, 0) + ((<usize>piece * splits) << 3)
  let top = low
  for (let i = 0; i < splits; i++) top = max<f32>(top, load<f32>(from + ((<usize>i) << 3)))
  let sum: f32 = 0
  for (let i = 0; i < splits; i++) {
    const part = from + ((<usize>i) << 3)
    sum += load<f32>(part, 4) * exp2x1(load<f32>(part) - top)
  }
  const out = at(args, 1) + ((<usize>piece) << 3)
  store<f32>(out, top)
  store<f32>(out, 1 / sum, 4)
}

/**
 * Marks the clusters whose share is above the threshold, and sets the heads' counts to none. args: scores, wholes, marks,
 * counts, centroids of a head, rows of a unit, words of a head's marks, the bits of the threshold. Piece: unit × 256
 * centroids. Scores are read past the last one, and not used.
 */
export function markShares(args: usize, piece: i32): void {
  const n = word(args, 4)
  const rows = word(args, 5)
  const words = word(args, 6)
  const threshold = f32x4.splat(reinterpret<f32>(word(args, 7)))
  const blocks = (n + markBlock - 1) / markBlock
  const unit = piece / blocks
  const first = (piece % blocks) * markBlock
  const last = least(first + markBlock, n)
  const wholes = at(args, 1) + ((<usize>unit * rows) << 3)
  if (first === 0) store<i32>(at(args, 3) + ((<usize>unit) << 2), 0)
  for (let c = first; c < last; c += 32) {
    let marked: u32 = 0
    for (let i = 0; i < 32 && c + i < last; i += 4) {
      let share = f32x4.splat(0)
      for (let r = 0; r < rows; r++) {
        const scores = v128.load(at(args, 0) + ((<usize>((unit * rows + r) * n + c + i)) << 2))
        const whole = wholes + ((<usize>r) << 3)
        const weight = exp2x4(f32x4.sub(scores, v128.load32_splat(whole)))
        share = f32x4.add(share, f32x4.mul(weight, v128.load32_splat(whole, 4)))
      }
      marked |= (<u32>i32x4.bitmask(f32x4.gt(share, threshold))) << i
    }
    const left = last - c
    if (left < 32) marked &= (1 << left) - 1
    store<u32>(at(args, 2) + ((<usize>(unit * words + (c >> 5))) << 2), marked)
  }
}

/** args: counts. Piece: a head. */
export function clearCount(args: usize, piece: i32): void {
  store<i32>(at(args, 0) + ((<usize>piece) << 2), 0)
}

/**
 * Writes the indices of the keys whose clusters are marked, and of the new one, the last; pieces in any order. args:
 * labels, marks, counts, indices, room, tokens, words of a head's marks, tokens of a piece. Piece: unit × tokens.
 */
export function select(args: usize, piece: i32): void {
  const tokens = word(args, 5)
  const words = word(args, 6)
  const each = word(args, 7)
  const keys = tokens - 1
  const blocks = (tokens + each - 1) / each
  const unit = piece / blocks
  const first = (piece % blocks) * each
  const labels = at(args, 0) + ((<usize>unit * keys) << 2)
  const marks = at(args, 1) + ((<usize>unit * words) << 2)
  const room = at(args, 4) + ((<usize>piece * each) << 2)
  const end = least(first + each, keys)
  let count = 0
  for (let key = first; key < end; key++) {
    const label = load<u32>(labels + ((<usize>key) << 2))
    // Written in any case, and over where it is not kept: faster than a branch.
    store<i32>(room + ((<usize>count) << 2), key)
    count += <i32>((load<u32>(marks + ((<usize>(label >>> 5)) << 2)) >>> (label & 31)) & 1)
  }
  if (first + each >= tokens) {
    store<i32>(room + ((<usize>count) << 2), keys)
    count++
  }
  const begin = atomic.add<i32>(at(args, 2) + ((<usize>unit) << 2), count)
  memory.copy(at(args, 3) + ((<usize>(unit * tokens + begin)) << 2), room, (<usize>count) << 2)
}

/** A row of a list. */
function listed(from: usize, indices: usize, j: i32, row: usize): usize {
  return from + row * load<u32>(indices + ((<usize>j) << 2))
}

/** The dot products of a query with four keys of a list, as lanes. */
function scoresListed(q: usize, k: usize, indices: usize, j: i32, row: usize): v128 {
  const k0 = listed(k, indices, j, row)
  const k1 = listed(k, indices, j + 1, row)
  const k2 = listed(k, indices, j + 2, row)
  const k3 = listed(k, indices, j + 3, row)
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  for (let p: usize = 0; p < row; p += 16) {
    const x = v128.load(q + p)
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k0 + p)))
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k1 + p)))
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k2 + p)))
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k3 + p)))
  }
  return totals(s0, s1, s2, s3)
}

/** out += Σ weights[j]·v[indices[j]], four of them at a time. */
function weighListed(out: usize, weights: usize, v: usize, indices: usize, row: usize, count: i32): void {
  let j = 0
  for (; j + 4 <= count; j += 4) {
    const w = weights + ((<usize>j) << 2)
    const w0 = v128.load32_splat(w)
    const w1 = v128.load32_splat(w, 4)
    const w2 = v128.load32_splat(w, 8)
    const w3 = v128.load32_splat(w, 12)
    const v0 = listed(v, indices, j, row)
    const v1 = listed(v, indices, j + 1, row)
    const v2 = listed(v, indices, j + 2, row)
    const v3 = listed(v, indices, j + 3, row)
    for (let p: usize = 0; p < row; p += 16) {
      const a = f32x4.add(v128.load(out + p), f32x4.mul(w0, v128.load(v0 + p)))
      const b = f32x4.mul(w1, v128.load(v1 + p))
      const c = f32x4.mul(w2, v128.load(v2 + p))
      const d = f32x4.mul(w3, v128.load(v3 + p))
      v128.store(out + p, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)))
    }
  }
  for (; j < count; j++) {
    const w0 = v128.load32_splat(weights + ((<usize>j) << 2))
    const from = listed(v, indices, j, row)
    for (let p: usize = 0; p < row; p += 16) {
      v128.store(out + p, f32x4.add(v128.load(out + p), f32x4.mul(w0, v128.load(from + p))))
    }
  }
}

/**
 * Attends the keys of a list. args: q, k, v, parts, scores, indices, counts, dim, tokens, rows of a unit, splits, keys of
 * a split, the bits of log2(e) / √dim. Piece: unit × split; those past a head's count do nothing.
 */
export function attendListed(args: usize, piece: i32): void {
  const dim = word(args, 7)
  const tokens = word(args, 8)
  const rows = word(args, 9)
  const splits = word(args, 10)
  const chunk = word(args, 11)
  const scale = reinterpret<f32>(word(args, 12))
  const unit = piece / splits
  const split = piece % splits
  const begin = split * chunk
  const end = least(begin + chunk, load<i32>(at(args, 6) + ((<usize>unit) << 2)))
  if (begin >= end) return
  const row = (<usize>dim) << 2
  const q = at(args, 0) + row * (unit * rows)
  const k = at(args, 1) + row * (<usize>unit * tokens)
  const v = at(args, 2) + row * (<usize>unit * tokens)
  const scores = at(args, 4) + <usize>piece * block * 4
  const partRow = row + 8
  for (let r = 0; r < rows; r++) {
    const part = at(args, 3) + partRow * ((unit * rows + r) * splits + split)
    for (let p: usize = 0; p < row; p += 16) v128.store(part + p, f32x4.splat(0))
    store<f32>(part + row, low)
    store<f32>(part + row + 4, 0)
  }
  for (let first = begin; first < end; first += block) {
    const count = least(block, end - first)
    const indices = at(args, 5) + ((<usize>(unit * tokens + first)) << 2)
    for (let r = 0; r < rows; r++) {
      const part = at(args, 3) + partRow * ((unit * rows + r) * splits + split)
      let j = 0
      for (; j + 4 <= count; j += 4) {
        v128.store(scores + ((<usize>j) << 2), scoresListed(q + row * r, k, indices, j, row))
      }
      for (; j < count; j++) {
        store<f32>(scores + ((<usize>j) << 2), score1(q + row * r, listed(k, indices, j, row), row))
      }
      const before = load<f32>(part + row)
      const top = max<f32>(before, topOf(scores, count) * scale)
      const keep: f32 = before === low ? 0 : exp2x1(before - top)
      rescale(part, row, keep)
      store<f32>(part + row, top)
      store<f32>(part + row + 4, load<f32>(part + row + 4) * keep + weightsOf(scores, count, scale, top))
      weighListed(part, scores, v, indices, row, count)
    }
  }
}

/** Merges the parts that a head's count fills. args: parts, output, counts, dim, splits, rows of a unit, keys of a split. */
export function mergeListed(args: usize, piece: i32): void {
  const dim = word(args, 3)
  const splits = word(args, 4)
  const rows = word(args, 5)
  const chunk = word(args, 6)
  const row = (<usize>dim) << 2
  const count = load<i32>(at(args, 2) + ((<usize>(piece / rows)) << 2))
  const parts = at(args, 0) + (row + 8) * (<usize>piece * splits)
  mergeRow(parts, (count + chunk - 1) / chunk, dim)
  const sum = f32x4.splat(load<f32>(parts + row + 4))
  const out = at(args, 1) + row * piece
  for (let p: usize = 0; p < row; p += 16) v128.store(out + p, f32x4.div(v128.load(parts + p), sum))
}
