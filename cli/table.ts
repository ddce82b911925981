// One description of a table, printed three ways: aligned text that fits the terminal, Markdown, CSV with raw numbers.
import type { Styles } from './terminal.ts'

export type Value = string | number | boolean | null

export interface Column<Row> {
  /** Header in CSV: stable, with the unit (`bound_s`). */
  readonly key: string
  /** Header in text and Markdown; absent for columns that only CSV has. */
  readonly title?: string
  /** The raw value; absent for columns that only text and Markdown have. */
  readonly value?: (row: Row) => Value
  /** The value as people read it. */
  readonly text?: (row: Row) => string
  readonly align?: 'right'
  /** Narrowed first where the table is too wide: its cells wrap. */
  readonly wraps?: true
  /** Left out of text, in this order, where nothing else makes the table fit. */
  readonly spare?: number
  /** Only in text, or only in documents (Markdown and CSV), where text has headings between rows instead. */
  readonly only?: 'text' | 'document'
}

interface Cell {
  readonly value: Value
  readonly text: string
}

export interface TableColumn {
  readonly key: string
  readonly title: string | undefined
  readonly raw: boolean
  readonly align: 'left' | 'right'
  readonly wraps: boolean
  readonly spare: number | undefined
  readonly only: 'text' | 'document' | undefined
}

export interface Table {
  readonly columns: readonly TableColumn[]
  readonly rows: readonly (readonly Cell[])[]
  /** For each row the heading that it stands under in text; empty where under none. */
  readonly headings: readonly string[]
  /** Rows of text and Markdown only, after the others: sums. */
  readonly sums: readonly (readonly string[])[]
}

interface Extras<Row> {
  /** The heading that a row stands under in text. */
  readonly heading?: (row: Row) => string
  /** Rows below the others in text and Markdown: texts by column key. */
  readonly sums?: readonly Readonly<Record<string, string>>[]
}

/** A table of `rows`. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { heading = () => '', sums = [] }: Extras<Row> = {},
): Table {
  return {
    columns: columns.map((c) => ({
      key: c.key,
      title: c.title,
      raw: c.value !== undefined,
      align: c.align ?? 'left',
      wraps: c.wraps ?? false,
      spare: c.spare,
      only: c.only,
    })),
    rows: rows.map((row) => columns.map((c) => cell(c, row))),
    headings: rows.map(heading),
    sums: sums.map((sum) => columns.map((c) => sum[c.key] ?? '')),
  }
}

function cell<Row>(column: Column<Row>, row: Row): Cell {
  const value = column.value?.(row) ?? null
  return { value, text: column.text?.(row) ?? (value === null ? '' : String(value)) }
}

/** RFC 4180, raw numbers, nothing for null. */
export function csv({ columns, rows }: Table): string {
  const kept = columns.flatMap((c, i) => (c.raw && c.only !== 'text' ? [i] : []))
  const line = (values: Value[]) => `${values.map(quoted).join(',')}\n`
  const header = line(kept.map((i) => columns[i]?.key ?? ''))
  return header + rows.map((row) => line(kept.map((i) => row[i]?.value ?? null))).join('')
}

function quoted(value: Value): string {
  const text = value === null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

interface Visible {
  readonly shown: readonly TableColumn[]
  readonly header: readonly string[]
  readonly body: readonly (readonly string[])[]
  readonly sums: readonly (readonly string[])[]
}

/** The columns that people see, as texts. */
function visible({ columns, rows, sums }: Table, see: (column: TableColumn) => boolean): Visible {
  const kept = columns.flatMap((c, i) => (c.title !== undefined && see(c) ? [i] : []))
  const pick = <T>(cells: readonly T[]) => kept.map((i) => cells[i] as T)
  const shown = pick(columns)
  const body = rows.map((row) => pick(row).map((c) => c.text))
  return { shown, header: shown.map((c) => c.title ?? ''), body, sums: sums.map(pick) }
}

/** A GitHub table. */
export function markdown(t: Table): string {
  const { shown, header, body, sums } = visible(t, (c) => c.only !== 'text')
  const row = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |\n`
  const rule = row(shown.map((c) => (c.align === 'right' ? '---:' : '---')))
  return row(header) + rule + [...body, ...sums].map(row).join('')
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

const gap = 2
const indent = '  '
const narrowest = 14

/** Aligned columns, no wider than `width` wherever cells can wrap. */
export async function text(t: Table, width: number, styles: Styles): Promise<string> {
  const { shown, header, body, sums } = visible(t, (c) => c.only !== 'document')
  const indented = body.map(([first = '', ...more], i) => [t.headings[i] ? indent + first : first, ...more])
  const { kept, widths } = fitted(shown, [header, ...indented, ...sums], width)
  const { default: CliTable } = await import('cli-table3')
  const out = new CliTable({
    chars: borderless,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: kept.map((i) => widths[i] as number),
    colAligns: kept.map((i) => shown[i]?.align ?? 'left'),
  })
  const push = (cells: readonly string[], style = same) => out.push(kept.map((i) => fill(cells[i], widths[i], style)))
  push(header, styles.dim)
  body.forEach((cells, i) => {
    const heading = t.headings[i]
    if (heading && heading !== t.headings[i - 1]) out.push([{ content: styles.dim(heading), colSpan: kept.length }])
    push(heading ? [hang(cells[0], widths[0]), ...cells.slice(1)] : cells)
  })
  for (const cells of sums) push(cells, styles.bold)
  return out
    .toString()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

function same(line: string): string {
  return line
}

/** A cell's lines, each styled by itself so that no style runs into the next column. */
function fill(cell = '', width = 0, style: (line: string) => string): string {
  return cell
    .split('\n')
    .flatMap((line) => wrap(line, width))
    .map(style)
    .join('\n')
}

/** A first cell below a heading, indented in all its lines. */
function hang(cell = '', width = 0): string {
  return wrap(cell, width - indent.length)
    .map((line) => indent + line)
    .join('\n')
}

const edges = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
] as const
const inner = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'] as const
const borderless = { ...Object.fromEntries([...edges, ...inner].map((name) => [name, ''])), middle: ' '.repeat(gap) }

/** Lines of at most `width`: broken at spaces, else after signs within words, else anywhere. */
export function wrap(value: string, width: number): string[] {
  const lines: string[] = []
  let rest = value
  while (rest.length > width) {
    const part = rest.slice(0, width + 1)
    const space = part.trimStart().includes(' ') ? part.lastIndexOf(' ') : -1
    const sign = Math.max(...['-', '/', ',', ';'].map((s) => part.lastIndexOf(s, width - 1)))
    const end = space > 0 ? space : sign > 0 ? sign + 1 : width
    lines.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}

/** Which columns stay and how wide they are: wrapping ones give way first, then spare ones go. */
function fitted(
  columns: readonly TableColumn[],
  lines: readonly (readonly string[])[],
  width: number,
): { kept: number[]; widths: number[] } {
  const natural = columns.map((_, i) => Math.max(1, ...lines.map((cells) => (cells[i] ?? '').length)))
  const order = columns.flatMap((c, i) => (c.spare === undefined ? [] : [{ i, spare: c.spare }]))
  order.sort((a, b) => a.spare - b.spare)
  const kept = new Set(columns.keys())
  for (;;) {
    const widths = narrowed(columns, natural, kept, width)
    const total = sum([...kept].map((i) => widths[i] as number)) + gap * (kept.size - 1)
    const next = order.shift()
    if (total <= width || next === undefined) return { kept: [...kept], widths }
    kept.delete(next.i)
  }
}

function narrowed(
  columns: readonly TableColumn[],
  natural: readonly number[],
  kept: ReadonlySet<number>,
  width: number,
): number[] {
  const widths = [...natural]
  let over = sum([...kept].map((i) => widths[i] as number)) + gap * (kept.size - 1) - width
  while (over > 0) {
    const widest = [...kept]
      .filter((i) => columns[i]?.wraps && (widths[i] as number) > narrowest)
      .sort((a, b) => (widths[b] as number) - (widths[a] as number))[0]
    if (widest === undefined) break
    widths[widest] = (widths[widest] as number) - 1
    over--
  }
  return widths
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}
