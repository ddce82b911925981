// A new token encoded into KVQuant's cache: each code that of the nearest entry of a table of sixteen.
import { half, halfBits, halfValue } from './lanes'
import { at, word } from './words'

const run: i32 = 32
const loadPairs: i32 = 16

/** How many middles between neighbouring entries lie below. */
function nearest(entries: usize, x: f32): u32 {
  let code: u32 = 0
  for (let i: usize = 0; i < 60; i += 4) {
    const middle: f32 = 0.5 * (load<f32>(entries + i) + load<f32>(entries + i, 4))
    code += <u32>(x > middle)
  }
  return code
}

function keyCode(args: usize, channel: i32): u32 {
  const scales = at(args, 1)
  return nearest(at(args, 2), (half(at(args, 0), channel) - half(scales, 2 * channel + 1)) / half(scales, 2 * channel))
}

/**
 * args: keys, scales, entries, cache, dim, runs of 32 tokens, loads of a token, the new one's run and its place there.
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
    for (let i = 0; i < loadPairs; i++) {
      const pair = g * loadPairs + i
      const first = piece * dim + pair
      const both: u32 = pair < pairs ? keyCode(args, first) | (keyCode(args, first + pairs) << 4) : 0
      store<u8>(to + <usize>i, <u8>both)
    }
  }
}

/**
 * args: values, entries, cache, scales, dim, heads, runs of 32 tokens, room for tokens, the new one's run and its place
 * there. Piece: a sequence.
 */
export function appendValues(args: usize, piece: i32): void {
  const dim = word(args, 4)
  const heads = word(args, 5)
  const runs = word(args, 6)
  const run32 = word(args, 8)
  const place = word(args, 9)
  const width = heads * dim
  const from = at(args, 0) + ((<usize>piece * width) << 1)
  let low: f32 = 1e30
  let high: f32 = -1e30
  for (let i = 0; i < width; i++) {
    const x = half(from, i)
    low = min<f32>(low, x)
    high = max<f32>(high, x)
  }
  const scaleBits = halfBits(0.5 * (high - low))
  const zeroBits = halfBits(0.5 * (high + low))
  const token = piece * word(args, 7) + run32 * run + place
  store<u32>(at(args, 3) + ((<usize>token) << 2), scaleBits | (zeroBits << 16))
  const scale = halfValue(scaleBits)
  const zero = halfValue(zeroBits)
  const shift = (place & 7) << 2
  for (let i = 0; i < width; i++) {
    const code = nearest(at(args, 1), (half(from, i) - zero) / scale)
    const unit = piece * heads + i / dim
    const to = at(args, 2) + ((<usize>(((unit * runs + run32) * dim + (i % dim)) * 4 + (place >> 3))) << 2)
    store<u32>(to, (load<u32>(to) & ~(15 << shift)) | (code << shift))
  }
}
