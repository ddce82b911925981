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
  const pass = passes.map((p) => ({ ratio: 1 / p.ratio, regime: 'pass', machine: p.measured.machine.name }))
  const operators = regimeIntervals(regimes, outcomes)
  return { operators, pass: regimeIntervals(['pass'], pass).pass as Interval }
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

/** All rows, then every group of at least `least`. */
export function coverageOf(outcomes: readonly Outcome[], intervals: Intervals, least = 100): Coverage[] {
  const groups = new Map<string, Outcome[]>()
  for (const o of outcomes) {
    const group = groups.get(o.group)
    if (group) group.push(o)
    else groups.set(o.group, [o])
  }
  const large = [...groups].filter(([, rows]) => rows.length >= least)
  return [cover('all rows', outcomes, intervals), ...large.map(([group, rows]) => cover(group, rows, intervals))]
}

function cover(group: string, outcomes: readonly Outcome[], { operators }: Intervals): Coverage {
  let shipped = 0
  let unseen = 0
  let width = 0
  for (const o of outcomes) {
    const [low, high] = operators[o.shippedRegime]
    if (inside(o.shipped, operators[o.shippedRegime])) shipped++
    if (inside(o.ratio, operators[o.regime])) unseen++
    width += high - low
  }
  const rows = outcomes.length
  return { group, rows, shipped: shipped / rows, unseen: unseen / rows, width: width / rows }
}

function inside(ratio: number, [low, high]: Interval): boolean {
  return ratio >= low && ratio <= high
}
