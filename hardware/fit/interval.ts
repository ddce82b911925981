// 90 % intervals by regime, in the manner of conformal prediction over machines, since it is the next machine that they
// are for: the envelope over machines of each one's own 8 and 92 % quantiles of measured over expected, on rows that the
// constants were not fitted on. What a machine's median is off by can have either sign on the next one, so that each
// machine stands for its mirror image too: the same spread about a median as far off the other way.
import type { Interval } from '../interval.ts'
import { quantile } from './errors.ts'

export interface Residual {
  /** Measured over expected. */
  readonly ratio: number
  readonly regime: string
  readonly machine: string
  /** By constants that saw the machine, if not the row. Such rows are a machine of their own: they only widen. */
  readonly seen?: true
}

/** With the half of its machine's shapes that it is in. */
export interface Halved extends Residual {
  readonly half: string
}

/** An interval from the errors of other rows, and what the row was held out with. */
export interface HeldOut {
  readonly interval: Interval
  readonly by: 'machine' | 'half'
}

/** An envelope holds more than each of what it envelops: with these tails nine rows in ten of a machine held out are inside. */
const tail = 0.08
/** Regimes with fewer rows take the interval of all. */
const fewest = 40
/** A machine with fewer rows has no quantile of its own, only an extreme: such machines count together as one. */
const ownQuantile = 20

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

/**
 * For a row, the interval of its regime learnt without its machine; where no other machine has enough rows of that
 * regime, without the half of its machine's shapes that it is in.
 */
export function heldOutIntervals<R extends string>(
  regimes: readonly R[],
  residuals: readonly Halved[],
): (row: { readonly machine: string; readonly regime: R; readonly half: string }) => HeldOut {
  const known = new Map<string, Record<R, Interval>>()
  const learnt = (key: string, others: () => readonly Residual[]) => {
    const intervals = known.get(key) ?? regimeIntervals(regimes, others())
    known.set(key, intervals)
    return intervals
  }
  const elsewhere = new Map<string, number>()
  const rowsElsewhere = (machine: string, regime: R) => {
    const key = JSON.stringify([machine, regime])
    const count = elsewhere.get(key) ?? residuals.filter((r) => r.machine !== machine && r.regime === regime).length
    elsewhere.set(key, count)
    return count
  }
  return ({ machine, regime, half }) => {
    if (rowsElsewhere(machine, regime) >= fewest) {
      const own = learnt(JSON.stringify([machine]), () => residuals.filter((r) => r.machine !== machine))
      return { interval: own[regime], by: 'machine' }
    }
    const others = () => residuals.filter((r) => r.machine !== machine || r.half !== half)
    return { interval: learnt(JSON.stringify([machine, half]), others)[regime], by: 'half' }
  }
}

/** The envelope of machines and their mirror images; 1 is always inside. */
function interval(residuals: readonly Residual[]): Interval {
  const spans = machinesOf(residuals).flatMap((ratios) => {
    const logs = ratios.map(Math.log).sort((a, b) => a - b)
    const [low, middle, high] = [quantile(logs, tail), quantile(logs, 0.5), quantile(logs, 1 - tail)]
    return [
      [low, high],
      [low - 2 * middle, high - 2 * middle],
    ] as const
  })
  return [Math.exp(Math.min(0, ...spans.map(([low]) => low))), Math.exp(Math.max(0, ...spans.map(([, high]) => high)))]
}

/** Ratios by machine. */
function machinesOf(residuals: readonly Residual[]): number[][] {
  const machines = new Map<string, number[]>()
  for (const { ratio, machine, seen = false } of residuals) {
    const key = `${machine} ${seen}`
    const own = machines.get(key)
    if (own) own.push(ratio)
    else machines.set(key, [ratio])
  }
  const large = [...machines.values()].filter((own) => own.length >= ownQuantile)
  const rest = [...machines.values()].filter((own) => own.length < ownQuantile).flat()
  return rest.length === 0 ? large : [...large, rest]
}
