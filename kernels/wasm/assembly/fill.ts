// Makes inputs in place: input.ts bit for bit. args: out, kind, first, count, seed, outlier mask + 1 (0: none), the bits
// of the scale as a single, word (or `below`, or `each`), stride (or `least`), elements of a piece.
import { halfBits } from './lanes'
import { at, least, word } from './words'

const normal: i32 = 0
const positive: i32 = 1
const bits: i32 = 2
const constant: i32 = 3
const whole: i32 = 5
const sparse: i32 = 6

function hash(seed: u32, index: u32): u32 {
  let z = index ^ (seed * 0x9e3779b9)
  z ^= z >>> 17
  z *= 0xed5ad4bb
  z ^= z >>> 11
  z *= 0xac4c1b51
  return z ^ (z >>> 15)
}

function element(kind: i32, seed: u32, rare: u32, scale: f32, index: u32): f32 {
  const h = hash(seed, index)
  if (kind === normal) {
    const sum: i32 = <i32>((h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24)) - 510
    const far = rare !== 0 && (hash(seed ^ 0x5eed, index) & (rare - 1)) === 0
    return <f32>(far ? sum * 16 : sum) * scale
  }
  const parts: u32 = 256 + (h & 511)
  const size = <f32>parts * scale
  return kind === positive || (index & 1) === 0 ? size : -4 * size
}

/** A half in the upper bits, its place in the lower ones. */
function sparseAt(seed: u32, index: u32, each: u32, stride: u32, scale: f32): u32 {
  const h = hash(seed ^ 0x7a1e, index)
  const parts: u32 = 256 + (h & 511)
  const value = <f32>parts * (h & 512 ? -scale : scale)
  return (halfBits(value) << 16) | ((index % each) * stride + (hash(seed, index) % stride))
}

export function fill(args: usize, piece: i32): void {
  const kind = word(args, 1)
  const first = <u32>word(args, 2)
  const count = word(args, 3)
  const seed = <u32>word(args, 4)
  const rare = <u32>word(args, 5)
  const scale = reinterpret<f32>(word(args, 6))
  const each = word(args, 9)
  const begin = piece * each
  const end = least(begin + each, count)
  let to = at(args, 0) + ((<usize>begin) << 2)
  for (let i = begin; i < end; i++) {
    if (kind === constant) store<i32>(to, word(args, 7))
    else if (kind === bits) store<u32>(to, hash(seed, first + i))
    else if (kind === whole) store<u32>(to, <u32>word(args, 8) + (hash(seed, first + i) % <u32>word(args, 7)))
    else if (kind === sparse) store<u32>(to, sparseAt(seed, first + i, word(args, 7), word(args, 8), scale))
    else store<f32>(to, element(kind, seed, rare, scale, first + i))
    to += 4
  }
}

export function fillHalf(args: usize, piece: i32): void {
  const kind = word(args, 1)
  const first = <u32>word(args, 2)
  const count = word(args, 3)
  const seed = <u32>word(args, 4)
  const rare = <u32>word(args, 5)
  const scale = reinterpret<f32>(word(args, 6))
  const each = word(args, 9)
  const begin = piece * each
  const end = least(begin + each, count)
  const to = at(args, 0)
  for (let i = begin; i < end; i++) {
    const half =
      kind === constant ? word(args, 7) >>> ((i & 1) << 4) : halfBits(element(kind, seed, rare, scale, first + i))
    store<u16>(to + ((<usize>i) << 1), <u16>half)
  }
}
