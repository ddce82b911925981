// Codes and scattered rows by themselves: how fast 4-bit codes become numbers, by conversion or by a table, and rows are
// fetched one by one.
import { total } from './lanes'
import { at, least, word } from './words'

/** Bytes of a block of 16384 codes. */
const block: usize = 8192

/** Sums the codes of blocks. args: codes, sums, blocks, blocks of a piece. Nibbles stay in their place of the word. */
export function unpack(args: usize, piece: i32): void {
  const each = word(args, 3)
  const end = least((piece + 1) * each, word(args, 2))
  for (let b = piece * each; b < end; b++) {
    const from = at(args, 0) + block * b
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    let s4 = f32x4.splat(0)
    let s5 = f32x4.splat(0)
    let s6 = f32x4.splat(0)
    let s7 = f32x4.splat(0)
    for (let p = from; p < from + block; p += 16) {
      const c = v128.load(p)
      s0 = f32x4.add(s0, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf))))
      s1 = f32x4.add(s1, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf0))))
      s2 = f32x4.add(s2, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf00))))
      s3 = f32x4.add(s3, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf000))))
      s4 = f32x4.add(s4, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf0000))))
      s5 = f32x4.add(s5, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf00000))))
      s6 = f32x4.add(s6, f32x4.convert_i32x4_s(v128.and(c, i32x4.splat(0xf000000))))
      s7 = f32x4.add(s7, f32x4.convert_i32x4_s(i32x4.shr_u(c, 28)))
    }
    let sum = total(s0) + total(s7)
    sum += total(s1) / 0x10
    sum += total(s2) / 0x100
    sum += total(s3) / 0x1000
    sum += total(s4) / 0x10000
    sum += total(s5) / 0x100000
    sum += total(s6) / 0x1000000
    store<f32>(at(args, 1) + ((<usize>b) << 2), sum)
  }
}

/** Four tables of bytes out of one of sixteen singles: byte `k` of each. */
export function plane0(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = v128.shuffle<u8>(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0)
  const cd = v128.shuffle<u8>(c, d, 0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0)
  return v128.shuffle<i64>(ab, cd, 0, 2)
}

export function plane1(a: v128, b: v128, c: v128, d: v128): v128 {
  return plane0(i32x4.shr_u(a, 8), i32x4.shr_u(b, 8), i32x4.shr_u(c, 8), i32x4.shr_u(d, 8))
}

export function plane2(a: v128, b: v128, c: v128, d: v128): v128 {
  return plane0(i32x4.shr_u(a, 16), i32x4.shr_u(b, 16), i32x4.shr_u(c, 16), i32x4.shr_u(d, 16))
}

export function plane3(a: v128, b: v128, c: v128, d: v128): v128 {
  return plane0(i32x4.shr_u(a, 24), i32x4.shr_u(b, 24), i32x4.shr_u(c, 24), i32x4.shr_u(d, 24))
}

/** The first or the last eight bytes of two vectors, in turn. */
export function weave8(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
}

export function weave8Last(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
}

/** The same of four words of 16 bits. */
export function weave16(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
}

export function weave16Last(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
}

/** Sums what codes stand for in a table of sixteen. args: codes, table, sums, blocks, blocks of a piece. */
export function lookup(args: usize, piece: i32): void {
  const each = word(args, 4)
  const end = least((piece + 1) * each, word(args, 3))
  const table = at(args, 1)
  const a = v128.load(table)
  const b = v128.load(table, 16)
  const c = v128.load(table, 32)
  const d = v128.load(table, 48)
  const t0 = plane0(a, b, c, d)
  const t1 = plane1(a, b, c, d)
  const t2 = plane2(a, b, c, d)
  const t3 = plane3(a, b, c, d)
  for (let i = piece * each; i < end; i++) {
    const from = at(args, 0) + block * i
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    let s2 = f32x4.splat(0)
    let s3 = f32x4.splat(0)
    for (let p = from; p < from + block; p += 16) {
      const both = v128.load(p)
      let codes = v128.and(both, i8x16.splat(0xf))
      for (let half = 0; half < 2; half++) {
        const x0 = i8x16.swizzle(t0, codes)
        const x1 = i8x16.swizzle(t1, codes)
        const x2 = i8x16.swizzle(t2, codes)
        const x3 = i8x16.swizzle(t3, codes)
        const low = weave8(x0, x1)
        const high = weave8(x2, x3)
        s0 = f32x4.add(s0, weave16(low, high))
        s1 = f32x4.add(s1, weave16Last(low, high))
        const lowLast = weave8Last(x0, x1)
        const highLast = weave8Last(x2, x3)
        s2 = f32x4.add(s2, weave16(lowLast, highLast))
        s3 = f32x4.add(s3, weave16Last(lowLast, highLast))
        codes = v128.and(i16x8.shr_u(both, 4), i8x16.splat(0xf))
      }
    }
    store<f32>(at(args, 2) + ((<usize>i) << 2), total(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))))
  }
}

/** Sums rows that lie anywhere. args: x, index, sums, picked rows, elements of a row, rows of a piece. */
export function gather(args: usize, piece: i32): void {
  const bytes = (<usize>word(args, 4)) << 2
  const each = word(args, 5)
  const end = least((piece + 1) * each, word(args, 3))
  for (let i = piece * each; i < end; i++) {
    const from = at(args, 0) + bytes * load<u32>(at(args, 1) + ((<usize>i) << 2))
    let s0 = f32x4.splat(0)
    let s1 = f32x4.splat(0)
    for (let p = from; p < from + bytes; p += 32) {
      s0 = f32x4.add(s0, v128.load(p))
      s1 = f32x4.add(s1, v128.load(p, 16))
    }
    store<f32>(at(args, 2) + ((<usize>i) << 2), total(f32x4.add(s0, s1)))
  }
}
