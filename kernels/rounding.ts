// What an honest kernel may be off by: bounds from the arithmetic it does, not from what it was seen to do. Standard
// model of rounding (Higham, Accuracy and Stability of Numerical Algorithms, sections 2.2 and 3.1).

/** Unit roundoffs. */
export const unitRoundoff = { fp32: 2 ** -24, fp16: 2 ** -11 } as const

/** The smallest normal half: below it, rounding is absolute. */
export const leastHalf = 2 ** -14

/** Relative error of `n` roundings one after the other, at most: n·u / (1 - n·u). */
export function roundings(n: number, u: number = unitRoundoff.fp32): number {
  const product = n * u
  if (product >= 0.5) throw new RangeError(`expected fewer than ${0.5 / u} roundings, got ${n}`)
  return product / (1 - product)
}

/** Error that storing `value` in so many bits adds. */
export function stored(value: number, type: 'fp32' | 'fp16'): number {
  const u = unitRoundoff[type]
  return type === 'fp16' ? u * Math.max(Math.abs(value), leastHalf) : u * Math.abs(value)
}

/** Accuracy of WGSL's exp on an fp32 argument: 3 + 2·|x| units in the last place (WGSL, section 15.7.4). */
export function exponentialError(argument: number): number {
  return (3 + 2 * Math.abs(argument)) * 2 ** -23
}

/** What norms add to a variance. */
export const normEpsilon = 2 ** -17
