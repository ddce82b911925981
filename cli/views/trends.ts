// The memory wall in numbers: growth of each series as published, as fitted and as continued, and the ridge point.

import { valueAt } from '../../hardware/trends/fit.ts'
import { source } from '../../hardware/trends/points.ts'
import type { Ridge, Trend } from '../../hardware/trends/trends.ts'
import type { View } from '../answer.ts'
import type { WorkloadYear } from '../commands/trends.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

export function trendsView(series: readonly Trend[], over: Ridge, workloads: readonly WorkloadYear[]): View {
  const rows = table(columns, series)
  return {
    table: rows,
    sections: [
      { kind: 'title', text: 'Growth per two years', under: 'least squares of the logarithm on the date' },
      { kind: 'table', table: rows },
      {
        kind: 'notes',
        lines: [
          `Ridge point: ${units.times(over.per_2_years)} per two years, the quotient of compute and DRAM bandwidth; on that line, continued backwards before 2003, it was ${ridgeIn(over, 1997)} FLOP/byte in 1997 and is ${ridgeIn(over, 2025)} in 2025, and it is ${units.digits(median(over))} in the median of the ${over.machines.length} shipped accelerators.`,
        ],
      },
      ...(workloads.length === 0
        ? []
        : [{ kind: 'table' as const, title: 'Bound by memory', table: table(workloadColumns, workloads) }]),
      {
        kind: 'notes',
        lines: [
          'Continued: the best shipped accelerator of each later year, dated to its middle; compute is in 16 bits.',
          `Source of the points: ${source}.`,
        ],
      },
    ],
  }
}

function ridgeIn({ growth }: Ridge, year: number): string {
  return units.digits(valueAt(growth, year))
}

function median({ machines }: Ridge): number {
  const sorted = machines.map((m) => m.ridge).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Three or more digits: 1.86x, 413x. */
function factor(value: number): string {
  return `${value.toPrecision(4)}x`
}

const columns: readonly Column<Trend>[] = [
  { key: 'name', title: 'series', value: (t) => t.name },
  { key: 'unit', value: (t) => t.unit },
  { key: 'points', title: 'points', value: (t) => t.points.length, align: 'right' },
  {
    key: 'printed_per_2_years',
    title: 'printed',
    value: (t) => t.printed_per_2_years,
    text: (t) => `${t.printed_per_2_years}x`,
    align: 'right',
  },
  {
    key: 'per_2_years',
    title: 'fitted',
    value: (t) => t.per_2_years,
    text: (t) => factor(t.per_2_years),
    align: 'right',
  },
  {
    key: 'per_20_years',
    title: 'in 20 years',
    value: (t) => t.per_20_years,
    text: (t) => `${units.plain(t.per_20_years)}x`,
    align: 'right',
  },
  {
    key: 'later_points',
    title: 'more',
    value: (t) => t.extended?.points.length ?? 0,
    text: (t) => (t.extended ? String(t.extended.points.length) : '-'),
    align: 'right',
  },
  {
    key: 'extended_per_2_years',
    title: 'continued',
    value: (t) => t.extended?.per_2_years ?? null,
    text: (t) => (t.extended ? factor(t.extended.per_2_years) : '-'),
    align: 'right',
  },
]

const workloadColumns: readonly Column<WorkloadYear>[] = [
  { key: 'workload', title: 'workload', value: (w) => w.workload, wraps: true },
  {
    key: 'intensity',
    title: 'FLOP/byte',
    value: (w) => w.intensity,
    text: (w) => units.digits(w.intensity),
    align: 'right',
  },
  {
    key: 'memory_bound_since',
    title: 'since',
    value: (w) => w.memory_bound_since,
    text: (w) => String(Math.floor(w.memory_bound_since)),
    align: 'right',
  },
]
