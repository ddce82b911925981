// What SIMD lacks: sums over lanes, exponentials, halves.

/** The sum of the four lanes. */
export function total(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1))
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1)
}

/** The sums over the lanes of four vectors, as lanes. */
export function totals(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7))
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7))
  return f32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7))
}

export let seen: i64 = 0

/** Reads a word of each line in order, so that what then reads in another order finds all in the cache. */
export function touch(from: usize, bytes: usize): void {
  let all: i64 = 0
  for (let p = from; p < from + bytes; p += 64) all |= load<i64>(p)
  seen = all
}

/** Powers of two below this count as nothing, so that no product with them is a denormal, which are slow. */
const nothing: f32 = -100

/**
 * 2^x for x up to 127, within 2 units in the last place; 0 below 2^-100. Taylor's polynomial of degree 6 in f·ln 2 around
 * the nearest whole number: |f| ≤ 1/2 leaves 2^-27.
 */
export function exp2x4(x: v128): v128 {
  const inside = f32x4.ge(x, f32x4.splat(nothing))
  const whole = f32x4.nearest(v128.and(x, inside))
  const f = f32x4.sub(v128.and(x, inside), whole)
  let p = f32x4.splat(1.5403531e-4)
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(1.3333558e-3))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(9.618129e-3))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(5.5504109e-2))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(0.24022651))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(<f32>Math.LN2))
  p = f32x4.add(f32x4.mul(p, f), f32x4.splat(1))
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23)
  return v128.and(f32x4.mul(p, power), inside)
}

/** 2^x of one number. */
export function exp2x1(x: f32): f32 {
  return f32x4.extract_lane(exp2x4(f32x4.splat(x)), 0)
}

/** The value of a half that is no denormal, infinite or NaN; 0 for 0. */
export function halfValue(bits: u32): f32 {
  const size = reinterpret<f32>((bits & 0x7fff) << 13) * <f32>5.192296858534828e33
  return bits & 0x8000 ? -size : size
}

/** Element `i` of a row of halves. */
export function half(from: usize, i: i32): f32 {
  return halfValue(load<u16>(from + ((<usize>i) << 1)))
}

/** The bits of the half nearest to a value, ties to even. */
export function halfBits(value: f32): u32 {
  const bits = reinterpret<u32>(value)
  const sign = (bits >>> 16) & 0x8000
  const size = bits & 0x7fffffff
  // Below 2^-14 halves are multiples of 2^-24; from 65520 on they are infinite.
  if (size < 0x38800000) return sign | <u32>nearest<f32>(reinterpret<f32>(size) * 16777216)
  if (size >= 0x477ff000) return sign | 0x7c00
  return sign | ((size + 0xfff + ((size >>> 13) & 1) - 0x38000000) >>> 13)
}
