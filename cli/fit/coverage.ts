// 90 % intervals from the errors of constants that never saw the machine, and how many rows they hold: by what ships, and
// held out, where neither a row's constants nor its interval have seen its machine.

import { hash } from '../../hardware/fit/errors.ts'
import { type Halved, type HeldOut, heldOutIntervals, regimeIntervals } from '../../hardware/fit/interval.ts'
import { type Interval, type Intervals, type Regime, regimes } from '../../hardware/interval.ts'
import type { Case } from '../../simulate/accuracy/case.ts'
import { type CasesOf, type Measured, told } from './cases.ts'
import type { FileName } from './data.ts'
import type { PassRow } from './passes.ts'
import type { Sets } from './sets.ts'

/** Files of operators; those of passes have the interval of a pass. */
export const operatorFiles = [
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
export interface Outcome extends Halved {
  readonly regime: Regime
  /** Measured over expected, by the shipped constants, and its regime there. */
  readonly shipped: number
  readonly shippedRegime: Regime
  readonly kind: string
  /** The file's framework or library; empty where it names none. */
  readonly engine: string
}

export function outcomesOf(cases: CasesOf, sets: Sets): Outcome[] {
  return operatorFiles.flatMap((file) => cases(file).map((measured) => outcome(measured, sets)))
}

/** Halves by shape: rows of several engines of one shape are in one half. */
const halfOf = ({ operators }: Case) => String(hash(JSON.stringify(operators)) & 1)

function outcome(measured: Measured, sets: Sets): Outcome {
  const { row, machine } = measured
  const profiled = row.basis === 'profiler'
  const shipped = told(measured, profiled ? sets.profiler : sets.graph)
  const others = profiled ? sets.unseenProfiler(row.keys.model ?? '', machine.name) : sets.unseen(machine.name)
  const unseen = told(measured, others)
  return {
    ratio: 1 / unseen.ratio,
    regime: unseen.regime,
    machine: machine.name,
    ...(row.kind === 'layer-gemm' && { seen: true }),
    half: halfOf(row),
    shipped: 1 / shipped.ratio,
    shippedRegime: shipped.regime,
    kind: row.kind,
    engine: row.keys.framework ?? '',
  }
}

const passKinds = ['pass', 'serving', 'untuned'] as const
type PassKind = (typeof passKinds)[number]

interface Pass extends Halved {
  readonly regime: PassKind
}

function residualOf({ ratio, measured: { row, machine } }: PassRow): Pass {
  return { ratio: 1 / ratio, regime: passKindOf(row), machine: machine.name, half: halfOf(row) }
}

function passKindOf({ kind }: Case): PassKind {
  if (kind === 'llama.cpp-prefill') return 'untuned'
  return kind === 'serving' ? 'serving' : 'pass'
}

export function intervalsOf(outcomes: readonly Outcome[], passes: readonly PassRow[]): Intervals {
  return { operators: regimeIntervals(regimes, outcomes), ...regimeIntervals(passKinds, passes.map(residualOf)) }
}

/** Share of rows inside, and mean width over expected. */
interface Inside {
  readonly inside: number
  readonly width: number
}

export interface Coverage {
  readonly group: string
  readonly rows: number
  /** By the constants and intervals that ship. */
  readonly shipped: Inside
  /** By constants and intervals of other rows. */
  readonly unseen: Inside
  /** Share of rows whose interval is of other machines; that of the others is of the other half of their machine's. */
  readonly foreign: number
}

/** Kernels and passes together, each of the two, then every group of at least `least` rows. */
export function coverageOf(
  outcomes: readonly Outcome[],
  passes: readonly PassRow[],
  intervals: Intervals,
  least = 100,
): Coverage[] {
  const operatorInterval = heldOutIntervals(regimes, outcomes)
  const kernels = outcomes.map(
    (o): Scored => ({
      group: `${o.kind} ${o.machine}`,
      shipped: { ratio: o.shipped, interval: intervals.operators[o.shippedRegime] },
      unseen: { ratio: o.ratio, ...operatorInterval(o) },
    }),
  )
  const passResiduals = passes.map(residualOf)
  const passInterval = heldOutIntervals(passKinds, passResiduals)
  const whole = passes.map(({ same, measured: { row, machine } }, i): Scored => {
    const own = passResiduals[i] as Pass
    return {
      group: `${row.kind} ${machine.name}`,
      shipped: { ratio: 1 / same, interval: intervals[own.regime] },
      unseen: { ratio: own.ratio, ...passInterval(own) },
    }
  })
  const all = [...kernels, ...whole]
  const groups = new Map<string, Scored[]>()
  for (const scored of all) {
    const group = groups.get(scored.group)
    if (group) group.push(scored)
    else groups.set(scored.group, [scored])
  }
  const large = [...groups].filter(([, scored]) => scored.length >= least)
  return [
    cover('all rows', all),
    cover('all kernels', kernels),
    cover('all passes', whole),
    ...large.map(([group, scored]) => cover(group, scored)),
  ]
}

interface Ratio {
  readonly ratio: number
  readonly interval: Interval
}

/** A row's ratios beside their intervals. */
interface Scored {
  readonly group: string
  readonly shipped: Ratio
  readonly unseen: Ratio & HeldOut
}

function cover(group: string, rows: readonly Scored[]): Coverage {
  const share = (of: (row: Scored) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length
  const insideOf = (of: (row: Scored) => Ratio): Inside => ({
    inside: share((row) => Number(inside(of(row)))),
    width: share((row) => width(of(row))),
  })
  return {
    group,
    rows: rows.length,
    shipped: insideOf((row) => row.shipped),
    unseen: insideOf((row) => row.unseen),
    foreign: share(({ unseen }) => Number(unseen.by === 'machine')),
  }
}

function inside({ ratio, interval: [low, high] }: Ratio): boolean {
  return ratio >= low && ratio <= high
}

function width({ interval: [low, high] }: Ratio): number {
  return high - low
}
