// The report as people read it in a terminal: how far off in all and by regime, the worst, each row, what methods gain.
import { shapeText } from '../../kernels/measure.ts'
import { type Regime, type Report, type ReportRow, regimes, type Speedup } from '../../kernels/report.ts'
import type { Section, View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

const rowColumns: readonly Column<ReportRow>[] = [
  { key: 'kernel', title: 'kernel', value: (r) => r.kernel },
  { key: 'shape', title: 'shape', value: (r) => shapeText(r.shape), wraps: true },
  { key: 'regime', title: 'regime', value: (r) => r.regime },
  { key: 'term', value: (r) => r.term },
  {
    key: 'bound_s',
    title: 'bound',
    value: (r) => r.bound_s,
    text: (r) => units.duration(r.bound_s),
    align: 'right',
    spare: 2,
  },
  {
    key: 'expected_s',
    title: 'expected',
    value: (r) => r.expected_s,
    text: (r) => units.duration(r.expected_s),
    align: 'right',
  },
  {
    key: 'median_s',
    title: 'measured',
    value: (r) => r.median_s,
    text: (r) => units.duration(r.median_s),
    align: 'right',
  },
  { key: 'spread_s', value: (r) => r.spread_s },
  { key: 'error', title: 'error', value: (r) => r.error, text: (r) => units.relativeError(r.error), align: 'right' },
  { key: 'beats_bound', value: (r) => r.beats_bound },
]

interface RegimeRow {
  readonly regime: string
  readonly rows: number
  readonly median_ape: number
  readonly p90_ape: number
  readonly bias: number
}

const regimeColumns: readonly Column<RegimeRow>[] = [
  { key: 'regime', title: 'regime', value: (r) => r.regime },
  { key: 'rows', title: 'rows', value: (r) => r.rows, align: 'right' },
  { key: 'bias', title: 'bias', value: (r) => r.bias, text: (r) => units.relativeError(r.bias), align: 'right' },
  {
    key: 'median_ape',
    title: 'median error',
    value: (r) => r.median_ape,
    text: (r) => units.percent(r.median_ape),
    align: 'right',
  },
  {
    key: 'p90_ape',
    title: '9 in 10 within',
    value: (r) => r.p90_ape,
    text: (r) => units.percent(r.p90_ape),
    align: 'right',
  },
]

const speedupColumns: readonly Column<Speedup>[] = [
  { key: 'method', title: 'method', value: (s) => s.method },
  { key: 'shape', title: 'shape', value: (s) => shapeText(s.shape), wraps: true },
  { key: 'baseline', title: 'over', value: (s) => s.baseline },
  {
    key: 'predicted',
    title: 'predicted',
    value: (s) => s.predicted,
    text: (s) => units.times(s.predicted),
    align: 'right',
  },
  {
    key: 'measured',
    title: 'measured',
    value: (s) => s.measured,
    text: (s) => units.times(s.measured),
    align: 'right',
  },
]

/** Errors of each regime that has rows, and of all. */
export function regimeRows(r: Report): RegimeRow[] {
  const { rows, median_ape, p90_ape, bias } = r
  return [
    ...regimes.flatMap((regime: Regime) => {
      const of = r.by_limit[regime]
      return of ? [{ regime, ...of }] : []
    }),
    { regime: 'all', rows: rows.length, median_ape, p90_ape, bias },
  ]
}

/** What is off in a row, in words. */
export function offText({ kernel, shape, error, term }: Report['worst'][number]): string {
  const way = error > 0 ? 'too long' : 'too short'
  return `${kernel} ${shapeText(shape)}: expected ${units.times(1 + error)} the measured time, its ${term} term is ${way}`
}

export function reportView(r: Report): View {
  const rows = table(rowColumns, r.rows)
  const { bytes_per_s, flops_per_s } = r.roofs
  const facts: [string, string][] = [
    ['device', `${r.device} (${r.driver}), ${r.backend}`],
    [
      'error',
      `${units.percent(r.median_ape)} in the median, bias ${units.relativeError(r.bias)}, over ${r.rows.length} rows`,
    ],
  ]
  if (bytes_per_s !== null && flops_per_s !== null) {
    facts.push(['roofs here', `${units.bandwidth(bytes_per_s)} read, ${units.flopRate(flops_per_s)} in fp32`])
  }
  facts.push(['protocol', r.protocol])
  const sections: Section[] = [
    { kind: 'title', text: `Predicted against measured on ${r.machine}`, under: r.date },
    { kind: 'facts', rows: facts },
    { kind: 'table', title: 'Error by regime', table: table(regimeColumns, regimeRows(r)) },
    { kind: 'table', title: 'By kernel and shape', table: rows },
    { kind: 'notes', lines: ['Farthest off:', ...r.worst.map((w) => `- ${offText(w)}`)] },
    ...(r.speedups.length > 0
      ? [
          {
            kind: 'table',
            title: 'Speedup of each method over its baseline',
            table: table(speedupColumns, r.speedups),
          } as const,
        ]
      : []),
    {
      kind: 'warnings',
      lines: [...r.skipped.map((s) => `${s.kernel} ${shapeText(s.shape)}: ${s.why}`), ...r.warnings],
    },
  ]
  return { table: rows, sections }
}
