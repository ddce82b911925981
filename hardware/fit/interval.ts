// 90 % intervals by regime, in the manner of split conformal prediction: quantiles of measured over expected on rows that
// the constants were not fitted on. Every machine weighs alike, since it is the next machine that they are for.
import type { Interval } from '../interval.ts'
import { quantile } from './errors.ts'

export interface Residual {
  /** Measured over expected. */
  readonly ratio: number
  readonly regime: string
  readonly machine: string
}

const tail = 0.05
/** Regimes with fewer rows take the interval of all. */
const fewest = 40

/** An interval for each regime. */
export function regimeIntervals<R extends string>(
  regimes: readonly R[],
  residuals: readonly Residual[],
): Record<R, Interval> {
  const all = interval(residuals)
  return Object.fromEntries(
    regimes.map((regime) => {
      const own = residuals.filter((r) => r.regime === regime)
      return [regime, own.length < fewest ? all : interval(own)]
    }),
  ) as Record<R, Interval>
}

/** Quantiles of rows weighted so that machines count alike; 1 is always inside. */
function interval(residuals: readonly Residual[]): Interval {
  const counts = new Map<string, number>()
  for (const { machine } of residuals) counts.set(machine, (counts.get(machine) ?? 0) + 1)
  const sorted = residuals
    .map(({ ratio, machine }) => ({ ratio, weight: 1 / (counts.get(machine) as number) }))
    .sort((a, b) => a.ratio - b.ratio)
  const whole = counts.size
  const at = (q: number) => {
    let sum = 0
    for (const { ratio, weight } of sorted) {
      sum += weight
      if (sum >= q * whole) return ratio
    }
    return quantile(
      sorted.map((s) => s.ratio),
      q,
    )
  }
  return [Math.min(1, at(tail)), Math.max(1, at(1 - tail))]
}
