// A row of a sweep as it is put out: a line of JSON, of CSV, or of text for people.
import type { Axis } from '../../simulate/whatif/plan.ts'
import { type Answered, type Row, refused } from '../../simulate/whatif/row.ts'
import type { Scalar } from '../../simulate/whatif/values.ts'
import * as units from '../units.ts'
import type { Sweep, SweepFormat } from './spec.ts'

export interface RowFormat {
  readonly header: string
  line(row: Row): string
}

export function rowFormat(format: SweepFormat, { plan, ask }: Pick<Sweep, 'plan' | 'ask'>): RowFormat {
  if (format === 'jsonl') return { header: '', line: (row) => `${JSON.stringify(row)}\n` }
  if (format === 'csv') return csvFormat(plan.axes)
  return textFormat(plan.axes, ask.metric !== undefined)
}

type Value = string | number | boolean | null
type Field = readonly [key: string, value: (row: Answered) => Value]

const fields: readonly Field[] = [
  ['model', (r) => r.model],
  ['machine', (r) => r.machine],
  ['phase', (r) => r.workload.phase],
  ['batch', (r) => r.workload.batch],
  ['context', (r) => r.workload.context],
  ['devices', (r) => r.workload.devices],
  ['weights', (r) => r.workload.formats.weights],
  ['activations', (r) => r.workload.formats.activations],
  ['kv', (r) => r.workload.formats.kv],
  ['bound_s', (r) => r.bound_s],
  ['floor_s', (r) => r.floor_s],
  ['expected_s', (r) => r.expected_s],
  ['interval_low_s', (r) => r.interval_s[0]],
  ['interval_high_s', (r) => r.interval_s[1]],
  ['tokens_per_round', (r) => r.tokens_per_round],
  ['tokens_per_s', (r) => r.tokens_per_s],
  ['time_per_output_token_s', (r) => r.time_per_output_token_s],
  ['time_to_first_token_s', (r) => r.time_to_first_token_s],
  ['real_time_factor', (r) => r.real_time_factor],
  ['flops', (r) => r.flops],
  ['bytes_total', (r) => r.bytes.total],
  ['arithmetic_intensity', (r) => r.arithmetic_intensity],
  ['limit', (r) => r.limit],
  ['memory_total', (r) => r.memory.total],
  ['memory_capacity', (r) => r.memory.capacity],
  ['fits', (r) => r.memory.fits],
  ['total_expected_s', (r) => r.total?.expected_s ?? null],
  ['speedup_bound', (r) => r.speedup?.bound ?? null],
  ['speedup_expected', (r) => r.speedup?.expected ?? null],
  ['price_per_hour', (r) => r.price_per_hour],
  ['cost_per_million_tokens', (r) => r.cost_per_million_tokens],
  ['joules_per_token', (r) => r.joules_per_token],
  ['metric', (r) => r.metric],
  ['warnings', (r) => r.warnings.join('; ')],
]

/** Axes first, those that are no field of their own, then the fields; what cannot be asked has its reason last. */
function csvFormat(axes: readonly Axis[]): RowFormat {
  const own = axes.filter((a) => !fields.some(([key]) => key === a.name))
  const names = [...own.map((a) => a.name), ...fields.map(([key]) => key), 'error']
  return {
    header: `${names.map(quoted).join(',')}\n`,
    line: (row) => {
      const why = refused(row) ? row.error : null
      // One string from its pieces: a list of cells for each row is what a sweep would mostly wait for.
      let line = ''
      for (const { name } of own) line += `${quoted(row.point[name] ?? null)},`
      for (const [key, value] of fields) line += `${quoted(refused(row) ? (row.point[key] ?? null) : value(row))},`
      return `${line}${quoted(why)}\n`
    },
  }
}

function quoted(value: Value): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

interface TextColumn {
  readonly title: string
  readonly width: number
  readonly right: boolean
  text(row: Answered): string
}

/** Widest column of an axis; longer names are cut. */
const widest = 28

function textFormat(axes: readonly Axis[], withMetric: boolean): RowFormat {
  const point = axes.map(axisColumn)
  const columns = [...point, ...(withMetric ? [metricColumn] : []), ...figureColumns]
  const join = (cells: readonly string[]) => `${cells.join('  ').trimEnd()}\n`
  return {
    header: join(columns.map((c) => padded(c.title, c))),
    line: (row) =>
      refused(row)
        ? join([...point.map((c) => padded(c.text(row as never), c)), row.error])
        : join(columns.map((c) => padded(c.text(row), c))),
  }
}

function padded(text: string, { width, right }: TextColumn): string {
  const shown = text.length > width ? `${text.slice(0, width - 1)}\u2026` : text
  return right ? shown.padStart(width) : shown.padEnd(width)
}

function axisColumn({ name, values }: Axis): TextColumn {
  const shown = Array.from({ length: Math.min(values.count, 1000) }, (_, i) => label(values.at(i)))
  const last = label(values.at(values.count - 1))
  const width = Math.min(widest, Math.max(name.length, last.length, ...shown.map((s) => s.length)))
  const right = typeof values.at(0) === 'number'
  return { title: name, width, right, text: (row) => label(row.point[name] ?? '') }
}

function label(value: Scalar): string {
  return String(value)
}

const metricColumn: TextColumn = {
  title: 'metric',
  width: 9,
  right: true,
  text: (r) => (r.metric === null ? '-' : units.plain(r.metric)),
}

const figureColumns: readonly TextColumn[] = [
  { title: 'expected', width: 8, right: true, text: (r) => units.duration(r.expected_s) },
  { title: 'tokens/s', width: 8, right: true, text: (r) => units.digits(r.tokens_per_s) },
  { title: 'GiB', width: 5, right: true, text: (r) => units.gibibytes(r.memory.total) },
  { title: 'fits', width: 4, right: false, text: (r) => fits(r.memory.fits) },
  { title: 'limit', width: 7, right: false, text: (r) => r.limit },
]

function fits(value: boolean | null): string {
  return value === null ? '?' : value ? 'yes' : 'NO'
}
