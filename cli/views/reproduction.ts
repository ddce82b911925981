// A paper's figures beside ours, one table for each of the paper's, and the count of what became of them.
import { agrees, type Row, statuses, summary } from '../../simulate/reproduce.ts'
import type { Section, View } from '../answer.ts'
import { type Column, table } from '../table.ts'
import * as units from '../units.ts'

const number = (value: number | null) => (value === null ? '-' : units.quantity(value))

/** Parts of a path that text shows in the row; those before them are the heading above it. */
const shownParts = 2

const columns: readonly Column<Row>[] = [
  { key: 'paper', value: (r) => r.paper },
  { key: 'table', value: (r) => r.table },
  { key: 'item', title: 'item', value: (r) => r.item, only: 'document' },
  {
    key: 'figure',
    title: 'figure',
    text: (r) => r.item.split('/').slice(-shownParts).join('/'),
    wraps: true,
    only: 'text',
  },
  { key: 'published', title: 'published', value: (r) => r.published, text: (r) => number(r.published), align: 'right' },
  { key: 'computed', title: 'computed', value: (r) => r.computed, text: (r) => number(r.computed), align: 'right' },
  {
    key: 'relative_error',
    title: 'error',
    value: (r) => r.relative_error,
    text: (r) => (r.relative_error === null ? '' : units.relativeError(r.relative_error)),
    align: 'right',
  },
  { key: 'tolerance', value: (r) => r.tolerance },
  { key: 'status', title: 'status', value: (r) => r.status, text: verdict },
  { key: 'evidence', title: 'evidence', value: (r) => r.evidence, only: 'document' },
  { key: 'fitted_parameters', value: (r) => r.fitted_parameters },
  { key: 'why', value: (r) => r.why },
  { key: 'source', value: (r) => r.source },
]

function heading({ item }: Row): string {
  return item.split('/').slice(0, -shownParts).join('/')
}

export function reproductionView(rows: readonly Row[]): View {
  return {
    table: table(columns, rows),
    sections: [...grouped(rows).flatMap(tableSections), { kind: 'notes', lines: [counts(rows)] }],
  }
}

interface Group {
  readonly name: string
  readonly rows: readonly Row[]
}

function grouped(rows: readonly Row[]): Group[] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const name = `${row.paper}: ${row.table}`
    groups.set(name, [...(groups.get(name) ?? []), row])
  }
  return [...groups].map(([name, own]) => ({ name, rows: own }))
}

function tableSections({ name, rows }: Group): Section[] {
  const sources = [...new Set(rows.map((r) => r.source))]
  return [
    { kind: 'table', title: name, table: table(columns, rows, { heading }) },
    { kind: 'notes', lines: [...reasons(rows), ...sources.map((s) => `Source: ${s}`)] },
  ]
}

/** The status, in words that do not make agreement by construction sound like a miss. */
function verdict(r: Row): string {
  return r.evidence === 'fitted' && agrees(r) ? 'fitted, agrees' : r.status
}

/** Why rows are not reproduced, each reason once, with the rows that it holds for. */
function reasons(rows: readonly Row[]): string[] {
  const items = new Map<string, string[]>()
  for (const row of rows) {
    const { why, item } = row
    if (why === null) continue
    const reason = `${verdict(row)}: ${why}`
    items.set(reason, [...(items.get(reason) ?? []), item])
  }
  return [...items].map(([reason, own]) => `${reason} (${own.length > 3 ? `${own.length} rows` : own.join(', ')})`)
}

function counts(rows: readonly Row[]): string {
  const s = summary(rows)
  const parts = statuses.map((status) => `${rows.filter((r) => r.status === status).length} ${status}`)
  const fitted = s.fitted.rows > 0 ? `; of ${s.fitted.rows} fitted rows ${s.fitted.agree} agree, by construction` : ''
  return `${rows.length} figures: ${parts.join(', ')}${fitted}.`
}
