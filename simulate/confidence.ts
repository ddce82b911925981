// 95 % confidence intervals of what simulations average: Student's for a mean, the delta method's for a ratio of means.

export type Interval = readonly [low: number, high: number]

/** Sums of pairs, enough for the means, their ratio and the intervals of both. */
export class Pairs {
  count = 0
  private x = 0
  private y = 0
  private xx = 0
  private xy = 0
  private yy = 0
  // Sums are taken about the first pair, so that nothing cancels where the spread is small.
  private origin: readonly [number, number] = [0, 0]

  add(x: number, y: number): void {
    if (this.count === 0) this.origin = [x, y]
    const [dx, dy] = [x - this.origin[0], y - this.origin[1]]
    this.count++
    this.x += dx
    this.y += dy
    this.xx += dx * dx
    this.xy += dx * dy
    this.yy += dy * dy
  }

  get meanX(): number {
    return this.origin[0] + this.x / this.count
  }

  get meanY(): number {
    return this.origin[1] + this.y / this.count
  }

  /** mean x over mean y. */
  get ratio(): number {
    return this.meanX / this.meanY
  }

  /** Of the mean of y; undefined where fewer than two pairs tell no spread. */
  get secondInterval(): Interval | undefined {
    return this.interval(this.meanY, this.spread(0, 1))
  }

  get ratioInterval(): Interval | undefined {
    return this.interval(this.ratio, this.spread(1, this.ratio) / this.meanY ** 2)
  }

  /** Sample variance of a x - b y. */
  private spread(a: number, b: number): number {
    const squares = a * a * this.xx - 2 * a * b * this.xy + b * b * this.yy
    const mean = a * this.x - b * this.y
    return Math.max(0, squares - (mean * mean) / this.count) / (this.count - 1)
  }

  private interval(middle: number, variance: number): Interval | undefined {
    if (this.count < 2) return undefined
    const half = studentQuantile(this.count - 1) * Math.sqrt(variance / this.count)
    return [middle - half, middle + half]
  }
}

const few = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706] as const
const normal = 1.959964

/** The 97.5 % quantile of Student's t: a table, then Cornish and Fisher's expansion, to three decimals. */
export function studentQuantile(freedom: number): number {
  const known = few[freedom - 1]
  if (known !== undefined) return known
  const z = normal
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3
}
