// A measured row's prediction beside its measurement: bound, expected and interval, and what the prediction says of the
// row (its regime, its roof, its largest term).
import { type Interval, type Intervals, type Regime as Kernels, regimeOf } from '../../hardware/interval.ts'
import type { Machine } from '../../hardware/machine.ts'
import type { Profile } from '../../hardware/profile.ts'
import { operatorTime, type Time } from '../../hardware/time.ts'
import { type Operator, operatorBytes } from '../../model/operator.ts'
import { graph, passSeconds } from '../engine.ts'
import { type Case, mapped } from './case.ts'
import type { Outcome } from './score.ts'

/** What sets the time of a row: latencies, one of the roofs, or the two near each other. */
export const regimes = ['launch', 'memory', 'ridge', 'compute', 'network'] as const
export type Regime = (typeof regimes)[number]

/** Expected over bound from which latencies, not roofs, set the time. */
const latent = 3
/** Ratio of the roofs within which a row is at the ridge. */
const near = 2

/** The row on its machine. Throws Unmappable where the machine cannot run it. */
export function outcomeOf(row: Case, profile: Profile): Outcome {
  const sums = { bound: 0, device: 0, launches: 0, collective: 0, compute: 0, memory: 0, network: 0 }
  const warm = isWarm(row, profile.machine)
  let longest: readonly [o: Operator, t: Time] | undefined
  for (const o of row.operators) {
    const time = mapped(() => operatorTime(o, profile, warm))
    sums.bound += time.bound * o.count
    sums.device += time.expected * o.count
    sums.launches += o.launches * o.count
    if (o.shape.kind === 'collective') sums.collective += time.expected * o.count
    sums.compute += Math.max(time.matrix, time.vector) * o.count
    sums.memory += time.memory * o.count
    sums.network += time.network * o.count
    if (!longest || time.expected * o.count > longest[1].expected * longest[0].count) longest = [o, time]
  }
  if (!longest) throw new Error(`${row.kind}: expected operators, got none`)
  const [operator, time] = longest
  const kernels = regimeOf(operator, time)
  const interval = profile.constants && intervalFor(row, kernels, profile.constants.interval)
  const { device, launches, collective } = sums
  const expected = profile.constants ? passSeconds(row.engine ?? graph, device, launches, 1, collective) : sums.bound
  return {
    measured: row.seconds,
    bound: sums.bound,
    expected,
    ...(interval && { interval: [expected * interval[0], expected * interval[1]] as const }),
    keys: {
      ...row.keys,
      machine: profile.machine.name,
      kind: row.kind,
      regime: regime(sums, expected),
      limit: time.limit,
      term: time.term,
      kernels,
    },
  }
}

/** Whether the row's kernels find their operands in the machine's last-level cache. */
export function isWarm({ warm, operators }: Case, { cache }: Machine): boolean {
  if (warm !== 'fitting') return warm === 'all'
  return operators.reduce((sum, o) => sum + operatorBytes(o) * o.count, 0) <= (cache?.bytes ?? 0)
}

function intervalFor(
  { whole, kind }: Case,
  kernels: Kernels,
  { operators, pass, serving, untuned }: Intervals,
): Interval {
  if (!whole) return operators[kernels]
  if (kind === 'llama.cpp-prefill') return untuned
  return kind === 'serving' ? serving : pass
}

function regime(s: { bound: number; compute: number; memory: number; network: number }, expected: number): Regime {
  if (expected > latent * s.bound) return 'launch'
  if (s.network > s.bound / 2) return 'network'
  const ratio = s.compute / s.memory
  if (ratio > near) return 'compute'
  return ratio < 1 / near ? 'memory' : 'ridge'
}
