// Memory by itself. Four accumulators hide the additions, and the processor's prefetchers do the rest: reading stretches
// side by side, or one vector of each line first, is no faster.
import { total } from './lanes'
import { at, least, word } from './words'

/** Elements that are summed into one. */
const block: i32 = 16384

/** The sum of elements `begin` to `end`, the last perhaps in the middle of a vector. */
function sum(b: usize, begin: i32, end: i32): f32 {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let p = b + ((<usize>begin) << 2)
  let i = begin
  for (; i + 16 <= end; i += 16) {
    s0 = f32x4.add(s0, v128.load(p))
    s1 = f32x4.add(s1, v128.load(p, 16))
    s2 = f32x4.add(s2, v128.load(p, 32))
    s3 = f32x4.add(s3, v128.load(p, 48))
    p += 64
  }
  let rest: f32 = 0
  for (; i < end; i++) {
    rest += load<f32>(p)
    p += 4
  }
  return total(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) + rest
}

/** args: b, sums, elements, blocks of a piece. */
export function read(args: usize, piece: i32): void {
  const b = at(args, 0)
  const sums = at(args, 1)
  const elements = word(args, 2)
  const each = word(args, 3)
  const end = least((piece + 1) * each, (elements + block - 1) / block)
  for (let i = piece * each; i < end; i++) {
    store<f32>(sums + ((<usize>i) << 2), sum(b, i * block, least((i + 1) * block, elements)))
  }
}

/** args: a, b, elements, vectors of a piece. Arrays are whole vectors. */
export function copy(args: usize, piece: i32): void {
  const vectors = (word(args, 2) + 3) >> 2
  const each = word(args, 3)
  const begin = piece * each
  const count = least(each, vectors - begin)
  const from = at(args, 1) + ((<usize>begin) << 4)
  const to = at(args, 0) + ((<usize>begin) << 4)
  const bytes = (<usize>count) << 4
  let p: usize = 0
  for (; p + 64 <= bytes; p += 64) {
    const x0 = v128.load(from + p)
    const x1 = v128.load(from + p, 16)
    const x2 = v128.load(from + p, 32)
    const x3 = v128.load(from + p, 48)
    v128.store(to + p, x0)
    v128.store(to + p, x1, 16)
    v128.store(to + p, x2, 32)
    v128.store(to + p, x3, 48)
  }
  for (; p < bytes; p += 16) v128.store(to + p, v128.load(from + p))
}

/** a = b + factor·c. args: a, b, c, elements, vectors of a piece, factor. */
export function triad(args: usize, piece: i32): void {
  const vectors = (word(args, 3) + 3) >> 2
  const each = word(args, 4)
  const factor = f32x4.splat(<f32>word(args, 5))
  const begin = piece * each
  const bytes = (<usize>least(each, vectors - begin)) << 4
  const a = at(args, 0) + ((<usize>begin) << 4)
  const b = at(args, 1) + ((<usize>begin) << 4)
  const c = at(args, 2) + ((<usize>begin) << 4)
  let p: usize = 0
  for (; p + 32 <= bytes; p += 32) {
    const x0 = f32x4.add(v128.load(b + p), f32x4.mul(factor, v128.load(c + p)))
    const x1 = f32x4.add(v128.load(b + p, 16), f32x4.mul(factor, v128.load(c + p, 16)))
    v128.store(a + p, x0)
    v128.store(a + p, x1, 16)
  }
  for (; p < bytes; p += 16) v128.store(a + p, f32x4.add(v128.load(b + p), f32x4.mul(factor, v128.load(c + p))))
}
