// Exponential growth by the rule of AI and Memory Wall: least squares of the decimal logarithm on the date, in years of
// 365.25 days.
import type { Point } from './points.ts'

export interface Growth {
  /** Decades per year. */
  readonly slope: number
  /** log10 of the value at year 0. */
  readonly intercept: number
  readonly per2: number
  readonly per20: number
}

const day = 86_400_000

/** Years of an ISO date since the start of 1970, plus 1970. */
export function yearOf(date: string): number {
  return 1970 + Date.parse(`${date}T00:00:00Z`) / day / 365.25
}

/** Growth of two or more points at different dates. */
export function growth(points: readonly Point[]): Growth {
  const x = points.map((p) => yearOf(p.date))
  const y = points.map((p) => Math.log10(p.value))
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
  const [mx, my] = [mean(x), mean(y)]
  const square = x.reduce((sum, v) => sum + (v - mx) ** 2, 0)
  if (square === 0) throw new RangeError(`trend: expected points at different dates, got ${points.length}`)
  const slope = x.reduce((sum, v, i) => sum + (v - mx) * ((y[i] as number) - my), 0) / square
  return { slope, intercept: my - slope * mx, per2: 10 ** (2 * slope), per20: 10 ** (20 * slope) }
}

/** The value on the fitted line at a year. */
export function valueAt({ slope, intercept }: Growth, year: number): number {
  return 10 ** (intercept + slope * year)
}

/** The growth of one series over another's. */
export function quotient(a: Growth, b: Growth): Growth {
  const slope = a.slope - b.slope
  return { slope, intercept: a.intercept - b.intercept, per2: 10 ** (2 * slope), per20: 10 ** (20 * slope) }
}

/** The year in which the fitted line reaches a value. */
export function yearAt({ slope, intercept }: Growth, value: number): number {
  return (Math.log10(value) - intercept) / slope
}
