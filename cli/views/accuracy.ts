// Errors by group, bound beside expected, and what could not be scored.
import type { Errors, GroupScore, Score } from '../../simulate/accuracy/score.ts'
import type { Accuracy } from '../accuracy.ts'
import type { Section, View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

type Figure = 'mape' | 'median_ape' | 'p90_ape' | 'bias'

/** Percent without its sign: 4.1, 35. */
function percent(share: number): string {
  const value = share * 100
  return Math.abs(value) < 9.95 ? value.toFixed(1) : value.toFixed(0)
}

function both(of: Pick<Score, 'bound' | 'expected'>, figure: Figure): string {
  return `${percent(of.bound[figure])} / ${percent(of.expected[figure])}`
}

const share = (value: number | null) => (value === null ? '-' : percent(value))

const titles: Readonly<Record<Figure, string>> = { mape: 'MAPE', median_ape: 'median', p90_ape: 'p90', bias: 'bias' }
const figures = Object.keys(titles) as Figure[]

/** Parts of a key that text shows in the row; those before them are the heading above it. */
function label({ key }: GroupScore, heads: boolean): string {
  return heads ? key.split('/').slice(1).join('/') : key
}

function columns(heads: boolean): Column<GroupScore>[] {
  return [
    { key: 'key', title: 'group', value: (g) => g.key, only: 'document' },
    { key: 'group', title: 'group', text: (g) => label(g, heads), wraps: true, only: 'text' },
    { key: 'rows', title: 'rows', value: (g) => g.rows, align: 'right' },
    ...figures.map((f): Column<GroupScore> => ({ key: f, title: titles[f], text: (g) => both(g, f), align: 'right' })),
    ...figures.map((f): Column<GroupScore> => ({ key: `bound_${f}`, value: (g) => g.bound[f] })),
    ...figures.map((f): Column<GroupScore> => ({ key: `expected_${f}`, value: (g) => g.expected[f] })),
    {
      key: 'coverage',
      title: 'inside',
      value: (g) => g.expected.coverage,
      text: (g) => share(g.expected.coverage),
      align: 'right',
    },
    { key: 'relative_width', value: (g) => g.expected.relative_width },
  ]
}

export function accuracyView(answer: Accuracy): View {
  const { groups, group_by, bound, expected, rows } = answer
  const heads = group_by.length > 1
  const heading = heads ? (g: GroupScore) => g.key.split('/')[0] ?? '' : () => ''
  const sorted = heads ? [...groups].sort((a, b) => firstOf(groups, a) - firstOf(groups, b)) : groups
  const sums =
    bound && expected && groups.length > 1
      ? [
          {
            key: 'all',
            group: 'all',
            rows: String(rows),
            coverage: share(expected.coverage),
            ...Object.fromEntries(figures.map((f) => [f, both({ bound, expected }, f)])),
          },
        ]
      : []
  const own = table(columns(heads), sorted, { heading, sums })
  const scored: Section[] = rows === 0 ? [] : [{ kind: 'table', table: own }]
  return { table: own, sections: [title(answer), ...scored, ...skippedSections(answer), ...notes(answer)] }
}

/** Where the heading of a group first appears. */
function firstOf(groups: readonly GroupScore[], { key }: GroupScore): number {
  const [head] = key.split('/')
  return groups.findIndex((g) => g.key.split('/')[0] === head)
}

function title({ rows, skipped, calibration, group_by }: Accuracy): Section {
  return {
    kind: 'title',
    text: `Predicted against ${rows} measured rows by ${group_by.join(', ')}; ${skipped.length} skipped`,
    under: `calibration ${calibration}; bound / expected, in percent of what was measured`,
  }
}

/** Reasons shown to people; JSON lists every row. */
const mostReasons = 24

interface Reason {
  readonly why: string
  readonly rows: number
  readonly first: string
}

function skippedSections({ skipped }: Accuracy): Section[] {
  if (skipped.length === 0) return []
  const reasons = reasonsOf(skipped)
  const shown = reasons.slice(0, mostReasons)
  const rest = reasons.slice(mostReasons)
  const left = rest.reduce((sum, r) => sum + r.rows, 0)
  const reasonColumns: Column<Reason>[] = [
    { key: 'why', title: 'skipped because', value: (r) => r.why, wraps: true },
    { key: 'rows', title: 'rows', value: (r) => r.rows, align: 'right' },
    { key: 'first', title: 'first', value: (r) => r.first, text: (r) => r.first.replace(/^.*\//, ''), wraps: true },
  ]
  return [
    { kind: 'table', table: table(reasonColumns, shown) },
    ...(rest.length === 0
      ? []
      : [{ kind: 'notes', lines: [`and ${left} rows for ${rest.length} other reasons; --json lists them`] } as const]),
  ]
}

/** Each reason once, the most frequent first. */
export function reasonsOf(skipped: Accuracy['skipped']): Reason[] {
  const reasons = new Map<string, { why: string; rows: number; first: string }>()
  for (const { row, why } of skipped) {
    const known = reasons.get(why)
    if (known) known.rows++
    else reasons.set(why, { why, rows: 1, first: row })
  }
  return [...reasons.values()].sort((a, b) => b.rows - a.rows)
}

function notes({ expected, simulation }: Accuracy): Section[] {
  if (!expected) return [{ kind: 'warnings', lines: ['no row could be scored'] }]
  const width = expected.relative_width
  const inside =
    width === null ? [] : [`inside: share within the 90 % interval, ${units.percent(width)} wide in the mean.`]
  const loop = simulation
    ? [
        `Clients simulated in a closed loop, engine ${simulation.engine}. One decode step in its place: ${signed(simulation.static)}.`,
        ...(simulation.ttft
          ? [`Time to first token, waiting for a start of all at once left out: ${signed(simulation.ttft)}.`]
          : []),
      ]
    : []
  const lines = [`bias: mean of predicted over measured, less one. ${inside.join('')}`.trim(), ...loop]
  return [{ kind: 'notes', lines }]
}

const signed = ({ mape, bias }: Pick<Errors, 'mape' | 'bias'>) => `MAPE ${percent(mape)} %, bias ${percent(bias)} %`
