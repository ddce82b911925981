// What a fit prints: the figures against their targets, and the intervals' coverage.
import type { Interval, Intervals } from '../../hardware/interval.ts'
import { type Column, type Table, table } from '../table.ts'
import type { Coverage } from './coverage.ts'
import type { Figure } from './figures.ts'

const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`

export function status({ errors, target }: Figure): 'met' | 'missed' | '' {
  if (target === undefined) return ''
  return errors.mape <= target ? 'met' : 'missed'
}

const figureColumns: readonly Column<Figure>[] = [
  { key: 'figure', title: 'figure', value: (f) => f.name, text: (f) => (f.group === undefined ? f.name : '') },
  { key: 'scheme', title: 'scheme', value: (f) => f.scheme, text: (f) => (f.group === undefined ? f.scheme : '') },
  { key: 'group', title: 'group', value: (f) => f.group ?? null },
  { key: 'rows', title: 'rows', align: 'right', value: (f) => f.errors.rows },
  { key: 'mape', title: 'MAPE', align: 'right', value: (f) => f.errors.mape, text: (f) => percent(f.errors.mape) },
  {
    key: 'median',
    title: 'median',
    align: 'right',
    value: (f) => f.errors.median,
    text: (f) => percent(f.errors.median),
  },
  { key: 'p90', title: 'p90', align: 'right', value: (f) => f.errors.p90, text: (f) => percent(f.errors.p90) },
  { key: 'bias', title: 'bias', align: 'right', value: (f) => f.errors.bias, text: (f) => percent(f.errors.bias) },
  { key: 'fitted', title: 'constants', align: 'right', value: (f) => f.fitted },
  {
    key: 'target',
    title: 'target',
    align: 'right',
    value: (f) => f.target ?? null,
    text: (f) => (f.target === undefined ? '' : percent(f.target)),
  },
  { key: 'status', title: '', value: status },
]

export function figureTable(figures: readonly Figure[]): Table {
  return table(figureColumns, figures)
}

function shareColumn(key: string, title: string, of: (c: Coverage) => number, digits = 1): Column<Coverage> {
  return { key, title, align: 'right', value: of, text: (c) => percent(of(c), digits) }
}

const coverageColumns: readonly Column<Coverage>[] = [
  { key: 'group', title: 'rows of', value: (c) => c.group },
  { key: 'rows', title: 'rows', align: 'right', value: (c) => c.rows },
  shareColumn('shipped', 'inside', (c) => c.shipped.inside),
  shareColumn('width', 'mean width', (c) => c.shipped.width, 0),
  shareColumn('unseen', 'inside, held out', (c) => c.unseen.inside),
  shareColumn('unseen_width', 'mean width', (c) => c.unseen.width, 0),
  shareColumn('foreign', 'by machine', (c) => c.foreign, 0),
]

export function coverageTable(coverage: readonly Coverage[]): Table {
  return table(coverageColumns, coverage)
}

export function intervalTable({ operators, pass, serving, untuned }: Intervals): Table {
  const rows = [
    ...Object.entries(operators),
    ['pass', pass] as const,
    ['serving', serving] as const,
    ['llama.cpp prefill', untuned] as const,
  ] as readonly (readonly [string, Interval])[]
  return table(
    [
      { key: 'regime', title: 'regime', value: ([regime]) => regime },
      { key: 'low', title: 'low', align: 'right', value: ([, [low]]) => low, text: ([, [low]]) => low.toFixed(2) },
      {
        key: 'high',
        title: 'high',
        align: 'right',
        value: ([, [, high]]) => high,
        text: ([, [, high]]) => high.toFixed(2),
      },
    ],
    rows,
  )
}
