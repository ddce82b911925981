// What is computed over whole rows, in passes that find the row in the cache: norms, softmax, activations.
import { exp2x4, total } from './lanes'
import { at, least, word } from './words'

const log2e: f32 = <f32>Math.LOG2E

/** All bits of the lanes from `i` on that are below `n`. */
function below(i: i32, n: i32): v128 {
  return i32x4.lt_s(i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3)), i32x4.splat(n))
}

/** The sum of `n` elements. */
function sumOf(x: usize, n: i32): f32 {
  let a = f32x4.splat(0)
  let b = f32x4.splat(0)
  let c = f32x4.splat(0)
  let d = f32x4.splat(0)
  let i = 0
  for (; i + 16 <= n; i += 16) {
    const p = x + ((<usize>i) << 2)
    a = f32x4.add(a, v128.load(p))
    b = f32x4.add(b, v128.load(p, 16))
    c = f32x4.add(c, v128.load(p, 32))
    d = f32x4.add(d, v128.load(p, 48))
  }
  for (; i < n; i += 4) a = f32x4.add(a, v128.and(v128.load(x + ((<usize>i) << 2)), below(i, n)))
  return total(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)))
}

/** The sum of the squares of `n` elements less `mean`. */
function squaresOf(x: usize, n: i32, mean: f32): f32 {
  const m4 = f32x4.splat(mean)
  let a = f32x4.splat(0)
  let b = f32x4.splat(0)
  let c = f32x4.splat(0)
  let d = f32x4.splat(0)
  let i = 0
  for (; i + 16 <= n; i += 16) {
    const at = x + ((<usize>i) << 2)
    const p = f32x4.sub(v128.load(at), m4)
    const q = f32x4.sub(v128.load(at, 16), m4)
    const r = f32x4.sub(v128.load(at, 32), m4)
    const s = f32x4.sub(v128.load(at, 48), m4)
    a = f32x4.add(a, f32x4.mul(p, p))
    b = f32x4.add(b, f32x4.mul(q, q))
    c = f32x4.add(c, f32x4.mul(r, r))
    d = f32x4.add(d, f32x4.mul(s, s))
  }
  for (; i < n; i += 4) {
    const p = v128.and(f32x4.sub(v128.load(x + ((<usize>i) << 2)), m4), below(i, n))
    a = f32x4.add(a, f32x4.mul(p, p))
  }
  return total(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)))
}

/**
 * Layer norm or RMS norm, of x or of x and its residual. args: x, scale, bias, residual, y, sum, rows, width, width8,
 * whether layer, whether residual, the bits of epsilon, rows of a piece. Buffers that a norm has not are any.
 */
export function norm(args: usize, piece: i32): void {
  const n = word(args, 7)
  const wide = word(args, 8)
  const layer = word(args, 9) !== 0
  const carries = word(args, 10) !== 0
  const epsilon = reinterpret<f32>(word(args, 11))
  const each = word(args, 12)
  const scale = at(args, 1)
  const bias = at(args, 2)
  const bytes = (<usize>wide) << 2
  const end = least((piece + 1) * each, word(args, 6))
  for (let row = piece * each; row < end; row++) {
    let x = at(args, 0) + bytes * row
    const y = at(args, 4) + bytes * row
    if (carries) {
      const residual = at(args, 3) + bytes * row
      const sum = at(args, 5) + bytes * row
      for (let p: usize = 0; p < bytes; p += 16) {
        v128.store(sum + p, f32x4.add(v128.load(x + p), v128.load(residual + p)))
      }
      x = sum
    }
    const mean: f32 = layer ? sumOf(x, n) / <f32>n : 0
    const factor: f32 = <f32>1 / sqrt<f32>(squaresOf(x, n, mean) / <f32>n + epsilon)
    const m4 = f32x4.splat(mean)
    const f4 = f32x4.splat(factor)
    for (let p: usize = 0; p < bytes; p += 16) {
      let v = f32x4.mul(f32x4.mul(f32x4.sub(v128.load(x + p), m4), f4), v128.load(scale + p))
      if (layer) v = f32x4.add(v, v128.load(bias + p))
      v128.store(y + p, v)
    }
  }
}

/** The softmax of rows. args: x, y, rows, width, width8, rows of a piece. */
export function softmax(args: usize, piece: i32): void {
  const n = word(args, 3)
  const bytes = (<usize>word(args, 4)) << 2
  const each = word(args, 5)
  const end = least((piece + 1) * each, word(args, 2))
  const l4 = f32x4.splat(log2e)
  for (let row = piece * each; row < end; row++) {
    const x = at(args, 0) + bytes * row
    const y = at(args, 1) + bytes * row
    let t4 = f32x4.splat(-1e30)
    for (let i = 0; i < n; i += 4) {
      const v = v128.load(x + ((<usize>i) << 2))
      t4 = f32x4.pmax(t4, i + 4 <= n ? v : v128.bitselect(v, f32x4.splat(-1e30), below(i, n)))
    }
    t4 = f32x4.pmax(t4, v128.shuffle<i32>(t4, t4, 2, 3, 0, 1))
    t4 = f32x4.pmax(t4, v128.shuffle<i32>(t4, t4, 1, 0, 3, 2))
    let s4 = f32x4.splat(0)
    for (let i = 0; i < <i32>(bytes >> 2); i += 4) {
      let e = exp2x4(f32x4.mul(f32x4.sub(v128.load(x + ((<usize>i) << 2)), t4), l4))
      if (i + 4 > n) e = v128.and(e, below(i, n))
      s4 = f32x4.add(s4, e)
      v128.store(y + ((<usize>i) << 2), e)
    }
    const by = f32x4.splat(<f32>1 / total(s4))
    for (let p: usize = 0; p < bytes; p += 16) v128.store(y + p, f32x4.mul(v128.load(y + p), by))
  }
}

/** An exponential's argument stays finite. */
const largest: f32 = 80

/** x / (1 + exp(-z)) of four. */
function gated(x: v128, z: v128): v128 {
  const power = f32x4.mul(f32x4.pmin(f32x4.neg(z), f32x4.splat(largest)), f32x4.splat(log2e))
  return f32x4.div(x, f32x4.add(f32x4.splat(1), exp2x4(power)))
}

/** silu(gate) · up. args: x (a row of gates, then one of ups), y, rows, width8, rows of a piece. */
export function swiglu(args: usize, piece: i32): void {
  const bytes = (<usize>word(args, 3)) << 2
  const each = word(args, 4)
  const end = least((piece + 1) * each, word(args, 2))
  for (let row = piece * each; row < end; row++) {
    const x = at(args, 0) + 2 * bytes * row
    const y = at(args, 1) + bytes * row
    for (let p: usize = 0; p < bytes; p += 16) {
      const gate = v128.load(x + p)
      v128.store(y + p, f32x4.mul(gated(gate, gate), v128.load(x + bytes + p)))
    }
  }
}

/** GELU in its tanh form. args: x, y, rows, width8, rows of a piece. */
export function gelu(args: usize, piece: i32): void {
  const bytes = (<usize>word(args, 3)) << 2
  const each = word(args, 4)
  const end = least((piece + 1) * each, word(args, 2))
  const cube = f32x4.splat(0.044715)
  const scale = f32x4.splat(1.59576912)
  for (let p = bytes * piece * each; p < bytes * end; p += 16) {
    const x = v128.load(at(args, 0) + p)
    const z = f32x4.mul(scale, f32x4.add(f32x4.mul(f32x4.mul(f32x4.mul(x, x), x), cube), x))
    v128.store(at(args, 1) + p, gated(x, z))
  }
}
