// Convolutions of each channel over time. Channels lie next to each other; four outputs at a time share the weights.
import { touch } from './lanes'
import { at, least, word } from './words'

/** One output of eight channels: taps `from` to `to`. */
function one(x: usize, w: usize, y: usize, row: usize, from: i32, to: i32): void {
  let a = f32x4.splat(0)
  let b = f32x4.splat(0)
  for (let t = from; t < to; t++) {
    const p = x + row * t
    const q = w + row * t
    a = f32x4.add(a, f32x4.mul(v128.load(p), v128.load(q)))
    b = f32x4.add(b, f32x4.mul(v128.load(p, 16), v128.load(q, 16)))
  }
  v128.store(y, a)
  v128.store(y, b, 16)
}

/** Four outputs of eight channels, each `step` bytes after the one before, all taps inside. */
function four(x: usize, w: usize, y: usize, row: usize, step: usize, taps: i32): void {
  let a0 = f32x4.splat(0)
  let a1 = f32x4.splat(0)
  let b0 = f32x4.splat(0)
  let b1 = f32x4.splat(0)
  let c0 = f32x4.splat(0)
  let c1 = f32x4.splat(0)
  let d0 = f32x4.splat(0)
  let d1 = f32x4.splat(0)
  let p = x
  let q = w
  for (let t = 0; t < taps; t++) {
    const w0 = v128.load(q)
    const w1 = v128.load(q, 16)
    let r = p
    a0 = f32x4.add(a0, f32x4.mul(w0, v128.load(r)))
    a1 = f32x4.add(a1, f32x4.mul(w1, v128.load(r, 16)))
    r += step
    b0 = f32x4.add(b0, f32x4.mul(w0, v128.load(r)))
    b1 = f32x4.add(b1, f32x4.mul(w1, v128.load(r, 16)))
    r += step
    c0 = f32x4.add(c0, f32x4.mul(w0, v128.load(r)))
    c1 = f32x4.add(c1, f32x4.mul(w1, v128.load(r, 16)))
    r += step
    d0 = f32x4.add(d0, f32x4.mul(w0, v128.load(r)))
    d1 = f32x4.add(d1, f32x4.mul(w1, v128.load(r, 16)))
    p += row
    q += row
  }
  v128.store(y, a0)
  v128.store(y, a1, 16)
  v128.store(y + row, b0)
  v128.store(y + row, b1, 16)
  v128.store(y + 2 * row, c0)
  v128.store(y + 2 * row, c1, 16)
  v128.store(y + 3 * row, d0)
  v128.store(y + 3 * row, d1, 16)
}

/**
 * args: x, w, y, tokens, outputs, channels8, taps, stride, positions before the first, outputs of a piece, pieces of a
 * sequence.
 */
export function depthwise(args: usize, piece: i32): void {
  const tokens = word(args, 3)
  const outputs = word(args, 4)
  const row = (<usize>word(args, 5)) << 2
  const taps = word(args, 6)
  const stride = word(args, 7)
  const before = word(args, 8)
  const each = word(args, 9)
  const pieces = word(args, 10)
  const x = at(args, 0) + row * tokens * (piece / pieces)
  const y = at(args, 2) + row * outputs * (piece / pieces)
  const first = (piece % pieces) * each
  const end = least(first + each, outputs)
  const reach = first * stride - before
  const begins = reach < 0 ? 0 : reach
  const ends = least((end - 1) * stride - before + taps, tokens)
  touch(x + row * begins, row * (ends - begins))
  let o = first
  while (o < end) {
    const begin = o * stride - before
    const whole = o + 4 <= end && begin >= 0 && begin + 3 * stride + taps <= tokens
    const from = x + row * begin
    const to = y + row * o
    for (let c: usize = 0; c < row; c += 32) {
      const w = at(args, 1) + c
      if (whole) four(from + c, w, to + c, row, row * stride, taps)
      else one(from + c, w, to + c, row, begin < 0 ? -begin : 0, least(taps, tokens - begin))
    }
    o += whole ? 4 : 1
  }
}
