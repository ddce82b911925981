// What a thread computes at most, and a launch that does nothing but mark that it ran.
import { total } from './lanes'
import { at, least, word } from './words'

/**
 * Sixteen chains x ← x/2 + 1/2 of a lane, as four vectors; three lanes side by side are what the registers hold, and hide
 * the latency. args: starts, ends, lanes, steps, lanes of a piece.
 */
export function fma(args: usize, piece: i32): void {
  const starts = at(args, 0)
  const ends = at(args, 1)
  const lanes = word(args, 2)
  const steps = word(args, 3)
  const each = word(args, 4)
  const end = least((piece + 1) * each, lanes)
  const half = f32x4.splat(0.5)
  const ramp = f32x4(0, 1, 2, 3)
  for (let lane = piece * each; lane < end; lane += 3) {
    const second = least(lane + 1, end - 1)
    const third = least(lane + 2, end - 1)
    let x0 = f32x4.add(f32x4.splat(load<f32>(starts + ((<usize>lane) << 2))), ramp)
    let x1 = f32x4.add(x0, f32x4.splat(1))
    let x2 = f32x4.add(x0, f32x4.splat(2))
    let x3 = f32x4.add(x0, f32x4.splat(3))
    let y0 = f32x4.add(f32x4.splat(load<f32>(starts + ((<usize>second) << 2))), ramp)
    let y1 = f32x4.add(y0, f32x4.splat(1))
    let y2 = f32x4.add(y0, f32x4.splat(2))
    let y3 = f32x4.add(y0, f32x4.splat(3))
    let z0 = f32x4.add(f32x4.splat(load<f32>(starts + ((<usize>third) << 2))), ramp)
    let z1 = f32x4.add(z0, f32x4.splat(1))
    let z2 = f32x4.add(z0, f32x4.splat(2))
    let z3 = f32x4.add(z0, f32x4.splat(3))
    for (let step = 0; step < steps; step += 2) {
      x0 = f32x4.add(f32x4.mul(x0, half), half)
      x1 = f32x4.add(f32x4.mul(x1, half), half)
      x2 = f32x4.add(f32x4.mul(x2, half), half)
      x3 = f32x4.add(f32x4.mul(x3, half), half)
      y0 = f32x4.add(f32x4.mul(y0, half), half)
      y1 = f32x4.add(f32x4.mul(y1, half), half)
      y2 = f32x4.add(f32x4.mul(y2, half), half)
      y3 = f32x4.add(f32x4.mul(y3, half), half)
      z0 = f32x4.add(f32x4.mul(z0, half), half)
      z1 = f32x4.add(f32x4.mul(z1, half), half)
      z2 = f32x4.add(f32x4.mul(z2, half), half)
      z3 = f32x4.add(f32x4.mul(z3, half), half)
      x0 = f32x4.add(f32x4.mul(x0, half), half)
      x1 = f32x4.add(f32x4.mul(x1, half), half)
      x2 = f32x4.add(f32x4.mul(x2, half), half)
      x3 = f32x4.add(f32x4.mul(x3, half), half)
      y0 = f32x4.add(f32x4.mul(y0, half), half)
      y1 = f32x4.add(f32x4.mul(y1, half), half)
      y2 = f32x4.add(f32x4.mul(y2, half), half)
      y3 = f32x4.add(f32x4.mul(y3, half), half)
      z0 = f32x4.add(f32x4.mul(z0, half), half)
      z1 = f32x4.add(f32x4.mul(z1, half), half)
      z2 = f32x4.add(f32x4.mul(z2, half), half)
      z3 = f32x4.add(f32x4.mul(z3, half), half)
    }
    store<f32>(ends + ((<usize>lane) << 2), total(f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3))))
    store<f32>(ends + ((<usize>second) << 2), total(f32x4.add(f32x4.add(y0, y1), f32x4.add(y2, y3))))
    store<f32>(ends + ((<usize>third) << 2), total(f32x4.add(f32x4.add(z0, z1), f32x4.add(z2, z3))))
  }
}

/** args: word, mark. */
export function mark(args: usize, _piece: i32): void {
  store<i32>(at(args, 0), word(args, 1))
}
