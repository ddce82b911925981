// A new token encoded into KVQuant's cache, four channels at a time: each code that of the nearest entry of a table of
// sixteen, which is how many of the fifteen middles between neighbours lie below.
import { halfBits, halfValue } from './lanes'
import { at, word } from './words'

const run: i32 = 32
const loadPairs: i32 = 16

function nearest4(edges: usize, x: v128): v128 {
  let codes = i32x4.splat(0)
  for (let i: usize = 0; i < 60; i += 4) codes = i32x4.sub(codes, f32x4.gt(x, v128.load32_splat(edges + i)))
  return codes
}

/** The values of halves, one in the lower bits of each lane. */
function halves4(bits: v128): v128 {
  const size = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13)
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16)
  return v128.or(f32x4.mul(size, f32x4.splat(<f32>5.192296858534828e33)), sign)
}

/** Four halves next to each other. */
function loadHalves(from: usize, i: i32): v128 {
  return halves4(v128.load16x4_u(from + ((<usize>i) << 1)))
}

function keyCodes(args: usize, channel: i32): v128 {
  const both = v128.load(at(args, 1) + ((<usize>channel) << 2))
  const zeros = halves4(i32x4.shr_u(both, 16))
  return nearest4(at(args, 2), f32x4.div(f32x4.sub(loadHalves(at(args, 0), channel), zeros), halves4(both)))
}

/**
 * args: keys, scales, edges, cache, dim, runs of 32 tokens, loads of a token, the new one's run and its place there.
 * Piece: a head of a sequence.
 */
export function appendKeys(args: usize, piece: i32): void {
  const dim = word(args, 4)
  const runs = word(args, 5)
  const loads = word(args, 6)
  const place = word(args, 8)
  const pairs = dim / 2
  for (let g = 0; g < loads; g++) {
    const to = at(args, 3) + ((<usize>(((piece * runs + word(args, 7)) * loads + g) * run + place)) << 4)
    for (let i = 0; i < loadPairs; i += 4) {
      const pair = g * loadPairs + i
      const first = piece * dim + pair
      let bytes: u32 = 0
      if (pair < pairs) {
        const both = v128.or(keyCodes(args, first), i32x4.shl(keyCodes(args, first + pairs), 4))
        const narrow = i16x8.narrow_i32x4_u(both, both)
        bytes = i32x4.extract_lane(i8x16.narrow_i16x8_u(narrow, narrow), 0)
      }
      store<u32>(to + <usize>i, bytes)
    }
  }
}

/** Puts a code into a word of eight. */
function put(to: usize, code: i32, shift: i32): void {
  store<u32>(to, (load<u32>(to) & ~(15 << shift)) | (code << shift))
}

/**
 * args: values, edges, cache, scales, dim, heads, runs of 32 tokens, room for tokens, the new one's run and its place
 * there. Piece: a sequence.
 */
export function appendValues(args: usize, piece: i32): void {
  const dim = word(args, 4)
  const heads = word(args, 5)
  const runs = word(args, 6)
  const newRun = word(args, 8)
  const place = word(args, 9)
  const width = heads * dim
  const from = at(args, 0) + ((<usize>piece * width) << 1)
  let lows = loadHalves(from, 0)
  let highs = lows
  for (let i = 4; i < width; i += 4) {
    const x = loadHalves(from, i)
    lows = f32x4.min(lows, x)
    highs = f32x4.max(highs, x)
  }
  lows = f32x4.min(lows, v128.shuffle<i32>(lows, lows, 2, 3, 0, 1))
  highs = f32x4.max(highs, v128.shuffle<i32>(highs, highs, 2, 3, 0, 1))
  const low = min<f32>(f32x4.extract_lane(lows, 0), f32x4.extract_lane(lows, 1))
  const high = max<f32>(f32x4.extract_lane(highs, 0), f32x4.extract_lane(highs, 1))
  const scaleBits = halfBits(0.5 * (high - low))
  const zeroBits = halfBits(0.5 * (high + low))
  const token = piece * word(args, 7) + newRun * run + place
  store<u32>(at(args, 3) + ((<usize>token) << 2), scaleBits | (zeroBits << 16))
  const scale = f32x4.splat(halfValue(scaleBits))
  const zero = f32x4.splat(halfValue(zeroBits))
  const shift = (place & 7) << 2
  for (let head = 0; head < heads; head++) {
    const rows = ((piece * heads + head) * runs + newRun) * dim
    const cache = at(args, 2) + ((<usize>(place >> 3)) << 2)
    for (let c = 0; c < dim; c += 4) {
      const x = loadHalves(from, head * dim + c)
      const codes = nearest4(at(args, 1), f32x4.div(f32x4.sub(x, zero), scale))
      const to = cache + ((<usize>(rows + c)) << 4)
      put(to, i32x4.extract_lane(codes, 0), shift)
      put(to + 16, i32x4.extract_lane(codes, 1), shift)
      put(to + 32, i32x4.extract_lane(codes, 2), shift)
      put(to + 48, i32x4.extract_lane(codes, 3), shift)
    }
  }
}
