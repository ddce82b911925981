// Products: of tiles for many rows, of dot products for few, and of 4-bit weights.
import { halfValue, total, totals } from './lanes'
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
  let b0: v128
  let b1: v128
  let x: v128
  let i = begin
  for (; i < end; i++) {
    b0 = v128.load(b)
    b1 = v128.load(b, 16)
    x = v128.load32_splat(a0)
    s00 = f32x4.add(s00, f32x4.mul(x, b0))
    s01 = f32x4.add(s01, f32x4.mul(x, b1))
    x = v128.load32_splat(a1)
    s10 = f32x4.add(s10, f32x4.mul(x, b0))
    s11 = f32x4.add(s11, f32x4.mul(x, b1))
    x = v128.load32_splat(a2)
    s20 = f32x4.add(s20, f32x4.mul(x, b0))
    s21 = f32x4.add(s21, f32x4.mul(x, b1))
    x = v128.load32_splat(a3)
    s30 = f32x4.add(s30, f32x4.mul(x, b0))
    s31 = f32x4.add(s31, f32x4.mul(x, b1))
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

/**
 * y = x Wᵀ, rows of k8 elements, y of n8. Weights are read row by row, as they lie. args: x, w, y, m, n, n8, k8, outputs
 * of a piece. Outputs past n are 0.
 */
export function gemv(args: usize, piece: i32): void {
  const x = at(args, 0)
  const w = at(args, 1)
  const m = word(args, 3)
  const n = word(args, 4)
  const n8 = word(args, 5)
  const row = (<usize>word(args, 6)) << 2
  const each = word(args, 7)
  const end = least((piece + 1) * each, n8)
  // Eight rows of weights stay in the cache while four rows of x at a time pass them.
  for (let first = piece * each; first < end; first += 8) {
    const last = least(first + 8, end)
    for (let r = 0; r < m; r += 4) {
      const left = least(4, m - r)
      for (let o = first; o < last; o++) {
        const from = w + row * least(o, n - 1)
        const y = at(args, 2) + ((<usize>r * n8 + o) << 2)
        if (left === 4) {
          const four = o < n ? dots(x + row * r, from, row) : f32x4.splat(0)
          store<f32>(y, f32x4.extract_lane(four, 0))
          store<f32>(y + ((<usize>n8) << 2), f32x4.extract_lane(four, 1))
          store<f32>(y + ((<usize>n8) << 3), f32x4.extract_lane(four, 2))
          store<f32>(y + <usize>n8 * 12, f32x4.extract_lane(four, 3))
          continue
        }
        for (let i = 0; i < left; i++) {
          store<f32>(y + ((<usize>i * n8) << 2), o < n ? dot(x + row * (r + i), from, row) : 0)
        }
      }
    }
  }
}

/** The dot product of two rows; `bytes` is a multiple of 32. */
function dot(x: usize, w: usize, bytes: usize): f32 {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let p: usize = 0
  for (; p + 64 <= bytes; p += 64) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(x + p), v128.load(w + p)))
    s1 = f32x4.add(s1, f32x4.mul(v128.load(x + p, 16), v128.load(w + p, 16)))
    s2 = f32x4.add(s2, f32x4.mul(v128.load(x + p, 32), v128.load(w + p, 32)))
    s3 = f32x4.add(s3, f32x4.mul(v128.load(x + p, 48), v128.load(w + p, 48)))
  }
  if (p < bytes) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(x + p), v128.load(w + p)))
    s1 = f32x4.add(s1, f32x4.mul(v128.load(x + p, 16), v128.load(w + p, 16)))
  }
  return total(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
}

/** The dot products of four rows of x with one row, as lanes. */
function dots(x: usize, w: usize, bytes: usize): v128 {
  const x1 = x + bytes
  const x2 = x1 + bytes
  const x3 = x2 + bytes
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let t0 = f32x4.splat(0)
  let t1 = f32x4.splat(0)
  let t2 = f32x4.splat(0)
  let t3 = f32x4.splat(0)
  for (let p: usize = 0; p < bytes; p += 32) {
    const v = v128.load(w + p)
    s0 = f32x4.add(s0, f32x4.mul(v, v128.load(x + p)))
    s1 = f32x4.add(s1, f32x4.mul(v, v128.load(x1 + p)))
    s2 = f32x4.add(s2, f32x4.mul(v, v128.load(x2 + p)))
    s3 = f32x4.add(s3, f32x4.mul(v, v128.load(x3 + p)))
    const u = v128.load(w + p, 16)
    t0 = f32x4.add(t0, f32x4.mul(u, v128.load(x + p, 16)))
    t1 = f32x4.add(t1, f32x4.mul(u, v128.load(x1 + p, 16)))
    t2 = f32x4.add(t2, f32x4.mul(u, v128.load(x2 + p, 16)))
    t3 = f32x4.add(t3, f32x4.mul(u, v128.load(x3 + p, 16)))
  }
  return totals(f32x4.add(s0, t0), f32x4.add(s1, t1), f32x4.add(s2, t2), f32x4.add(s3, t3))
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

/** Dot products of one group of `loads` loads of codes with four rows, as lanes. */
function codes4(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, loads: i32): v128 {
  let s0 = f32x4.splat(0)
  let s1 = f32x4.splat(0)
  let s2 = f32x4.splat(0)
  let s3 = f32x4.splat(0)
  let p = x
  for (let l: usize = 0; l < (<usize>loads) << 4; l += 16) {
    const c0 = v128.load(w0 + l)
    const c1 = v128.load(w1 + l)
    const c2 = v128.load(w2 + l)
    const c3 = v128.load(w3 + l)
    let mask = i32x4.splat(0xf)
    let v = v128.load(p)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 16)
    mask = i32x4.splat(0xf0)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 32)
    mask = i32x4.splat(0xf00)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 48)
    mask = i32x4.splat(0xf000)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 64)
    mask = i32x4.splat(0xf0000)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 80)
    mask = i32x4.splat(0xf00000)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 96)
    mask = i32x4.splat(0xf000000)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c0, mask))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c1, mask))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c2, mask))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(v128.and(c3, mask))))
    v = v128.load(p, 112)
    s0 = f32x4.add(s0, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c0, 28))))
    s1 = f32x4.add(s1, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c1, 28))))
    s2 = f32x4.add(s2, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c2, 28))))
    s3 = f32x4.add(s3, f32x4.mul(v, f32x4.convert_i32x4_s(i32x4.shr_u(c3, 28))))
    p += 128
  }
  return totals(s0, s1, s2, s3)
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
  const scaleRow = (<usize>word(args, 8)) << 1
  const each = word(args, 9)
  const groups = (loads + 3) >> 2
  const row = (<usize>loads) << 4
  const end = least((piece + 1) * each, n8)
  for (let o = piece * each; o < end; o += 4) {
    const o0 = least(o, n - 1)
    const o1 = least(o + 1, n - 1)
    const o2 = least(o + 2, n - 1)
    const o3 = least(o + 3, n - 1)
    for (let r = 0; r < m; r++) {
      const from = x + ((<usize>r * (loads * 32 + groups)) << 2)
      let sum = f32x4.splat(0)
      for (let g = 0; g < groups; g++) {
        const at16 = (<usize>g) << 6
        const products = codes4(
          from + ((<usize>g) << 9),
          w + row * o0 + at16,
          w + row * o1 + at16,
          w + row * o2 + at16,
          w + row * o3 + at16,
          least(4, loads - 4 * g),
        )
        const zero = v128.load32_splat(from + ((<usize>(loads * 32 + g)) << 2))
        const at2 = scales + ((<usize>g) << 1)
        const scale = f32x4(
          halfValue(load<u16>(at2 + scaleRow * o0)),
          halfValue(load<u16>(at2 + scaleRow * o1)),
          halfValue(load<u16>(at2 + scaleRow * o2)),
          halfValue(load<u16>(at2 + scaleRow * o3)),
        )
        sum = f32x4.add(sum, f32x4.mul(scale, f32x4.sub(products, zero)))
      }
      v128.store(y + ((<usize>r * n8 + o) << 2), v128.and(sum, inside(o, n)))
    }
  }
}

/** All bits of the lanes whose output is one. */
function inside(first: i32, n: i32): v128 {
  return i32x4.lt_s(i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3)), i32x4.splat(n))
}
