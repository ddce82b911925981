// 90 % intervals from the errors of constants that never saw the machine, and how many rows they hold.

import { type Residual, regimeIntervals } from '../../hardware/fit/interval.ts'
import { type Interval, type Intervals, type Regime, regimes } from '../../hardware/interval.ts'
import { casesOf, type Measured, told } from './cases.ts'
import type { Data, FileName } from './data.ts'
import type { PassRow } from './passes.ts'
import type { Sets } from './sets.ts'

/** Files of operators; those of passes have the interval of a pass. */
const operatorFiles = [
  'gemm_bf16',
  'gemm_lowp',
  'attention_decode',
  'attention_prefill',
  'attention_encoder',
  'moe',
  'mla',
  'collectives',
  'layer_ops',
] as const satisfies readonly FileName[]

/** A row of operators with what the shipped set and the set without its machine say. */
export interface Outcome extends Residual {
  readonly regime: Regime
  /** Measured over expected, by the shipped constants, and its regime there. */
  readonly shipped: number
  readonly shippedRegime: Regime
  /** Kind and machine. */
  readonly group: string
}

export async function outcomesOf({ lines }: Data, sets: Sets): Promise<Outcome[]> {
  const out: Outcome[] = []
  for (const file of operatorFiles) {
    for (const measured of await casesOf(lines[file])) out.push(...outcome(measured, sets))
  }
  return out
}

function outcome(measured: Measured, sets: Sets): Outcome[] {
  const { row, machine } = measured
  const profiled = row.basis === 'profiler'
  const shipped = told(measured, profiled ? sets.profiler : sets.graph)
  // Layers' constants hold for unseen models, not machines: all machines of that file were fitted together.
  const unseen = profiled ? shipped : told(measured, sets.unseen(machine.name))
  if (!shipped || !unseen) return []
  return [
    {
      ratio: 1 / unseen.ratio,
      regime: unseen.regime,
      machine: machine.name,
      shipped: 1 / shipped.ratio,
      shippedRegime: shipped.regime,
      group: `${row.kind} ${machine.name}`,
    },
  ]
}

export function intervalsOf(outcomes: readonly Outcome[], passes: readonly PassRow[]): Intervals {
  const whole = passes.map((p) => ({ ratio: 1 / p.ratio, regime: kindOf(p), machine: p.measured.machine.name }))
  const operators = regimeIntervals(regimes, outcomes)
  return { operators, ...regimeIntervals(['pass', 'serving', 'untuned'], whole) }
}

function kindOf({ measured }: PassRow): 'pass' | 'serving' | 'untuned' {
  const { kind } = measured.row
  if (kind === 'llama.cpp-prefill') return 'untuned'
  return kind === 'serving' ? 'serving' : 'pass'
}

export interface Coverage {
  readonly group: string
  readonly rows: number
  /** Shares of rows inside, by the shipped constants and by those without the machine. */
  readonly shipped: number
  readonly unseen: number
  /** Mean width over expected. */
  readonly width: number
}

/** Kernels and passes together, each of the two, then every group of at least `least` rows. */
export function coverageOf(
  outcomes: readonly Outcome[],
  passes: readonly PassRow[],
  intervals: Intervals,
  least = 100,
): Coverage[] {
  const kernels = outcomes.map((o): Held => {
    const shipped = intervals.operators[o.shippedRegime]
    const [low, high] = shipped
    return {
      group: o.group,
      shipped: inside(o.shipped, shipped),
      unseen: inside(o.ratio, intervals.operators[o.regime]),
      width: high - low,
    }
  })
  const whole = passes.map((p): Held => {
    const { row, machine } = p.measured
    const group = `${row.kind} ${machine.name}`
    const own = intervals[kindOf(p)]
    return { group, shipped: inside(1 / p.same, own), unseen: inside(1 / p.ratio, own), width: own[1] - own[0] }
  })
  const all = [...kernels, ...whole]
  const groups = new Map<string, Held[]>()
  for (const held of all) {
    const group = groups.get(held.group)
    if (group) group.push(held)
    else groups.set(held.group, [held])
  }
  const large = [...groups].filter(([, held]) => held.length >= least)
  return [
    cover('all rows', all),
    cover('all kernels', kernels),
    cover('all passes', whole),
    ...large.map(([group, held]) => cover(group, held)),
  ]
}

/** Whether a row is inside its interval, and how wide that is. */
interface Held {
  readonly group: string
  readonly shipped: boolean
  readonly unseen: boolean
  readonly width: number
}

function cover(group: string, held: readonly Held[]): Coverage {
  const share = (of: (h: Held) => number) => held.reduce((sum, h) => sum + of(h), 0) / held.length
  return {
    group,
    rows: held.length,
    shipped: share((h) => Number(h.shipped)),
    unseen: share((h) => Number(h.unseen)),
    width: share((h) => h.width),
  }
}

function inside(ratio: number, [low, high]: Interval): boolean {
  return ratio >= low && ratio <= high
}
