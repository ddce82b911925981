// Products: of tiles for many rows, of dot products for few, and of 4-bit weights.
import { halfValue, total } from './lanes'
import { at, least, word } from './words'

/** Columns of a panel, rows of a register tile, depth of a slice that stays in the first-level cache. */
const wide: i32 = 8
const high: i32 = 4
const depth: i32 = 256

/** Brings columns of B (k × n8) together by panels: [n8 / 8][k][8]. args: b, packed, k, n8, panels of a piece. */
export function pack(args: usize, piece: i32): void {
  const b = at(args, 0)
  const packed = at(args, 1)
  const k = word(args, 2)
  const n = word(args, 3)
  const each = word(args, 4)
  const first = piece * each
  const last = least(first + each, n / wide)
  for (let i = 0; i < k; i++) {
    let from = b + ((<usize>i * n + first * wide) << 2)
    let to = packed + ((<usize>first * k + i) << 5)
    for (let panel = first; panel < last; panel++) {
      v128.store(to, v128.load(from))
      v128.store(to, v128.load(from, 16), 16)
      from += 32
      to += (<usize>k) << 5
    }
  }
}

/**
 * C = A B in tiles of 4 × 8 held in registers. A is m × k8 rows, C m × n8. args: a, packed, c, m, n8, k, k8, rows of a
 * piece, panels of a piece, pieces across.
 */
export function multiply(args: usize, piece: i32): void {
  const a = at(args, 0)
  const packed = at(args, 1)
  const c = at(args, 2)
  const m = word(args, 3)
  const n = word(args, 4)
  const k = word(args, 5)
  const k8 = word(args, 6)
  const rows = word(args, 7)
  const panels = word(args, 8)
  const across = word(args, 9)
  const top = (piece / across) * rows
  const bottom = least(top + rows, m)
  const left = (piece % across) * panels
  const right = least(left + panels, n / wide)
  for (let begin = 0; begin < k; begin += depth) {
    const end = least(begin + depth, k)
    for (let panel = left; panel < right; panel++) {
      const columns = packed + ((<usize>panel * k + begin) << 5)
      for (let row = top; row < bottom; row += high) {
        tile(a, columns, c, row, bottom, k8, n, panel, begin, end)
      }
    }
  }
}

function tile(
  a: usize,
  columns: usize,
  c: usize,
  row: i32,
  bottom: i32,
  k8: i32,
  n: i32,
  panel: i32,
  begin: i32,
  end: i32,
): void {
  const r1 = least(row + 1, bottom - 1)
  const r2 = least(row + 2, bottom - 1)
  const r3 = least(row + 3, bottom - 1)
  let a0 = a + ((<usize>row * k8 + begin) << 2)
  let a1 = a + ((<usize>r1 * k8 + begin) << 2)
  let a2 = a + ((<usize>r2 * k8 + begin) << 2)
  let a3 = a + ((<usize>r3 * k8 + begin) << 2)
  const c0 = c + ((<usize>row * n + panel * wide) << 2)
  const c1 = c + ((<usize>r1 * n + panel * wide) << 2)
  const c2 = c + ((<usize>r2 * n + panel * wide) << 2)
  const c3 = c + ((<usize>r3 * n + panel * wide) << 2)
  let s00 = f32x4.splat(0)
  let s01 = f32x4.splat(0)
  let s10 = f32x4.splat(0)
  let s11 = f32x4.splat(0)
  let s20 = f32x4.splat(0)
  let s21 = f32x4.splat(0)
  let s30 = f32x4.splat(0)
  let s31 = f32x4.splat(0)
  if (begin > 0) {
    s00 = v128.load(c0)
    s01 = v128.load(c0, 16)
    s10 = v128.load(c1)
    s11 = v128.load(c1, 16)
    s20 = v128.load(c2)
    s21 = v128.load(c2, 16)
    s30 = v128.load(c3)
    s31 = v128.load(c3, 16)
  }
  let b = columns
  for (let i = begin; i < end; i++) {
    const b0 = v128.load(b)
    const b1 = v128.load(b, 16)
    const x0 = v128.load32_splat(a0)
    s00 = f32x4.add(s00, f32x4.mul(x0, b0))
    s01 = f32x4.add(s01, f32x4.mul(x0, b1))
    const x1 = v128.load32_splat(a1)
    s10 = f32x4.add(s10, f32x4.mul(x1, b0))
    s11 = f32x4.add(s11, f32x4.mul(x1, b1))
    const x2 = v128.load32_splat(a2)
    s20 = f32x4.add(s20, f32x4.mul(x2, b0))
    s21 = f32x4.add(s21, f32x4.mul(x2, b1))
    const x3 = v128.load32_splat(a3)
    s30 = f32x4.add(s30, f32x4.mul(x3, b0))
    s31 = f32x4.add(s31, f32x4.mul(x3, b1))
    b += 32
    a0 += 4
    a1 += 4
    a2 += 4
    a3 += 4
  }
  v128.store(c0, s00)
  v128.store(c0, s01, 16)
  v128.store(c1, s10)
  v128.store(c1, s11, 16)
  v128.store(c2, s20)
  v128.store(c2, s21, 16)
  v128.store(c3, s30)
  v128.store(c3, s31, 16)
}

/** y = x Wᵀ, rows of k8 elements, y of n8. args: x, w, y, m, n, n8, k8, outputs of a piece. Outputs past n are 0. */
export function gemv(args: usize, piece: i32): void {
  const x = at(args, 0)
  const w = at(args, 1)
  const y = at(args, 2)
  const m = word(args, 3)
  const n = word(args, 4)
  const n8 = word(args, 5)
  const k8 = word(args, 6)
  const each = word(args, 7)
  const row = (<usize>k8) << 2
  const end = least((piece + 1) * each, n8)
  for (let first = piece * each; first < end; first += 4) {
    const w0 = w + row * least(first, n - 1)
    const w1 = w + row * least(first + 1, n - 1)
    const w2 = w + row * least(first + 2, n - 1)
    const w3 = w + row * least(first + 3, n - 1)
    for (let r = 0; r < m; r++) {
      const to = y + ((<usize>r * n8 + first) << 2)
      v128.store(to, v128.and(dots(x + row * r, w0, w1, w2, w3, row), inside(first, n)))
    }
  }
}

/** All bits of the lanes whose output is one. */
function inside(first: i32, n: i32): v128 {
  return i32x4.lt_s(i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3)), i32x4.splat(n))
}

/** Four dot products with x, as lanes; `bytes` is a multiple of 32. */
function dots(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, bytes: usize): v128 {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let t0 = f32x4.splat(0)
  let t1 = f32x4.splat(0)
  let t2 = f32x4.splat(0)
  let t3 = f32x4.splat(0)
  for (let p: usize = 0; p < bytes; p += 32) {
    const x0 = v128.load(x + p)
    s0 = f32x4.add(s0, f32x4.mul(x0, v128.load(w0 + p)))
    s1 = f32x4.add(s1, f32x4.mul(x0, v128.load(w1 + p)))
    s2 = f32x4.add(s2, f32x4.mul(x0, v128.load(w2 + p)))
    s3 = f32x4.add(s3, f32x4.mul(x0, v128.load(w3 + p)))
    const x1 = v128.load(x + p, 16)
    t0 = f32x4.add(t0, f32x4.mul(x1, v128.load(w0 + p, 16)))
    t1 = f32x4.add(t1, f32x4.mul(x1, v128.load(w1 + p, 16)))
    t2 = f32x4.add(t2, f32x4.mul(x1, v128.load(w2 + p, 16)))
    t3 = f32x4.add(t3, f32x4.mul(x1, v128.load(w3 + p, 16)))
  }
  return f32x4(total(f32x4.add(s0, t0)), total(f32x4.add(s1, t1)), total(f32x4.add(s2, t2)), total(f32x4.add(s3, t3)))
}

/**
 * Rows of x in the order in which a load of 32 codes gives them: nibble j of its four words are elements j, 8 + j,
 * 16 + j and 24 + j. Nibbles stay where they are in the word, so x is divided by 16^j (but for the last, which is
 * shifted down: there it would be the sign). Then 8 times the sum of each group of 128, the codes' zero.
 * args: x, out, loads of a row; a piece is a row. Out: loads × 32 elements, then loads / 4 (rounded up) sums.
 */
export function transposeCodes(args: usize, piece: i32): void {
  const loads = word(args, 2)
  const groups = (loads + 3) >> 2
  const x = at(args, 0) + ((<usize>piece * loads) << 7)
  const out = at(args, 1) + ((<usize>piece * (loads * 32 + groups)) << 2)
  for (let l = 0; l < loads; l++) {
    for (let j = 0; j < 8; j++) {
      const scale: f32 = j === 7 ? 1 : <f32>1 / <f32>(1 << (4 * j))
      for (let i = 0; i < 4; i++) {
        const value = load<f32>(x + ((l * 32 + i * 8 + j) << 2))
        store<f32>(out + ((l * 32 + j * 4 + i) << 2), value * scale)
      }
    }
  }
  for (let g = 0; g < groups; g++) {
    let sum: f32 = 0
    const last = least(g * 128 + 128, loads * 32)
    for (let i = g * 128; i < last; i++) sum += load<f32>(x + ((<usize>i) << 2))
    store<f32>(out + ((loads * 32 + g) << 2), 8 * sum)
  }
}

/**
 * y = x Wᵀ of 4-bit codes with a half for the scale of each 128. args: x (as above), w, scales, y, m, n, n8, loads,
 * scales of a row, outputs of a piece.
 */
export function gemvCodes(args: usize, piece: i32): void {
  const x = at(args, 0)
  const w = at(args, 1)
  const scales = at(args, 2)
  const y = at(args, 3)
  const m = word(args, 4)
  const n = word(args, 5)
  const n8 = word(args, 6)
  const loads = word(args, 7)
  const scaleRow = word(args, 8)
  const each = word(args, 9)
  const groups = (loads + 3) >> 2
  const end = least((piece + 1) * each, n8)
  for (let o = piece * each; o < end; o += 2) {
    const o0 = least(o, n - 1)
    const o1 = least(o + 1, n - 1)
    const w0 = w + ((<usize>o0 * loads) << 4)
    const w1 = w + ((<usize>o1 * loads) << 4)
    for (let r = 0; r < m; r++) {
      const row = x + ((<usize>r * (loads * 32 + groups)) << 2)
      let y0: f32 = 0
      let y1: f32 = 0
      for (let g = 0; g < groups; g++) {
        const last = least(g * 4 + 4, loads)
        let s0 = f32x4.splat(0)
        let s1 = f32x4.splat(0)
        let t0 = f32x4.splat(0)
        let t1 = f32x4.splat(0)
        for (let l = g * 4; l < last; l++) {
          const c0 = v128.load(w0 + ((<usize>l) << 4))
          const c1 = v128.load(w1 + ((<usize>l) << 4))
          const p = row + ((<usize>l) << 7)
          let v = v128.load(p)
          let mask = i32x4.splat(0xf)
          s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 16)
          mask = i32x4.splat(0xf0)
          t0 = f32x4.add(t0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          t1 = f32x4.add(t1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 32)
          mask = i32x4.splat(0xf00)
          s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 48)
          mask = i32x4.splat(0xf000)
          t0 = f32x4.add(t0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          t1 = f32x4.add(t1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 64)
          mask = i32x4.splat(0xf0000)
          s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 80)
          mask = i32x4.splat(0xf00000)
          t0 = f32x4.add(t0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          t1 = f32x4.add(t1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 96)
          mask = i32x4.splat(0xf000000)
          s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
          s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
          v = v128.load(p, 112)
          t0 = f32x4.add(t0, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c0, 28))))
          t1 = f32x4.add(t1, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c1, 28))))
        }
        const zero = load<f32>(row + ((loads * 32 + g) << 2))
        const at0 = scales + ((<usize>o0 * scaleRow + g) << 1)
        const at1 = scales + ((<usize>o1 * scaleRow + g) << 1)
        y0 += halfValue(load<u16>(at0)) * (total(f32x4.add(s0, t0)) - zero)
        y1 += halfValue(load<u16>(at1)) * (total(f32x4.add(s1, t1)) - zero)
      }
      const to = y + ((<usize>r * n8 + o) << 2)
      store<f32>(to, o < n ? y0 : 0)
      store<f32>(to + 4, o + 1 < n ? y1 : 0)
    }
  }
}
