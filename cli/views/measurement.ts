// Measurements as people read them: one row for each kernel and shape, beside its bound and what was expected.
import type { ComparedRow } from '../../kernels/comparison.ts'
import { shapeText } from '../../kernels/measure.ts'
import type { SuiteRow } from '../../kernels/suite.ts'
import type { Section, View } from '../answer.ts'
import type { Measured } from '../measure.ts'
import { type Column, table } from '../table.ts'
import { bandwidth, duration, flopRate, percent } from '../units.ts'

const seconds = (value: number | null) => (value === null ? '' : duration(value))

const columns: readonly Column<SuiteRow>[] = [
  { key: 'kernel', title: 'kernel', value: (r) => r.kernel },
  { key: 'shape', title: 'shape', value: (r) => shapeText(r.shape), wraps: true },
  { key: 'variant', title: 'variant', value: (r) => r.variant, wraps: true, spare: 1 },
  { key: 'checked', title: 'right', value: (r) => r.checked, text: (r) => (r.checked ? 'yes' : 'NO'), spare: 4 },
  { key: 'max_error', value: (r) => r.max_error },
  { key: 'tolerance', value: (r) => r.tolerance },
  { key: 'median_s', title: 'median', value: (r) => r.median_s, text: (r) => seconds(r.median_s), align: 'right' },
  {
    key: 'spread_s',
    title: 'spread',
    value: (r) => r.spread_s,
    text: (r) => seconds(r.spread_s),
    align: 'right',
    spare: 3,
  },
  {
    key: 'bytes_per_s',
    title: 'bytes',
    value: (r) => r.bytes_per_s,
    text: (r) => (r.bytes_per_s === null ? '' : bandwidth(r.bytes_per_s)),
    align: 'right',
  },
  {
    key: 'flops_per_s',
    title: 'FLOPs',
    value: (r) => r.flops_per_s,
    text: (r) => (r.flops_per_s === null ? '' : flopRate(r.flops_per_s)),
    align: 'right',
    spare: 2,
  },
  {
    key: 'roof_fraction',
    title: 'of roof',
    value: (r) => r.roof_fraction,
    text: (r) => (r.roof_fraction === null ? '' : percent(r.roof_fraction)),
    align: 'right',
  },
  { key: 'bound_s', title: 'bound', value: (r) => r.bound_s, text: (r) => seconds(r.bound_s), align: 'right' },
  {
    key: 'expected_s',
    title: 'expected',
    value: (r) => r.expected_s,
    text: (r) => seconds(r.expected_s),
    align: 'right',
  },
  { key: 'beats_bound', value: (r) => r.beats_bound },
]

const comparedColumns: readonly Column<ComparedRow>[] = [
  { key: 'kernel', title: 'kernel', value: (r) => r.kernel },
  { key: 'shape', title: 'shape', value: (r) => shapeText(r.shape), wraps: true },
  { key: 'variant', title: 'variant', value: (r) => r.variant, wraps: true, spare: 2 },
  { key: 'median_s', title: 'here', value: (r) => r.median_s, text: (r) => seconds(r.median_s), align: 'right' },
  { key: 'against_s', title: 'there', value: (r) => r.against_s, text: (r) => seconds(r.against_s), align: 'right' },
  {
    key: 'against_bits',
    title: 'there in',
    value: (r) => r.against_shape.bits ?? null,
    text: (r) => (r.against_shape.bits === undefined ? '' : `fp${r.against_shape.bits}`),
  },
  {
    key: 'ratio',
    title: 'times as fast',
    value: (r) => r.ratio,
    text: (r) => `${r.ratio.toPrecision(3)}×`,
    align: 'right',
  },
]

function comparisonSections({ against }: Measured): Section[] {
  if (!against) return []
  return [
    { kind: 'facts', rows: [['compared with', `${against.device} (${against.driver}), ${against.backend}`]] },
    { kind: 'table', table: table(comparedColumns, against.rows) },
    { kind: 'warnings', lines: against.failed.map((f) => `${against.backend}: ${f.why}`) },
  ]
}

export function measurementView(m: Measured): View {
  const rows = table(columns, m.rows)
  const faults = m.rows.filter((r) => r.fault !== null).map((r) => `${r.kernel} ${shapeText(r.shape)}: ${r.fault}`)
  const failed = m.failed.map((f) => `${f.kernel} ${shapeText(f.shape)}: ${f.why}`)
  const { bytes_per_s, flops_per_s } = m.roofs
  const facts: [string, string][] = [['device', `${m.device} (${m.driver}), ${m.backend}`]]
  if (bytes_per_s !== null && flops_per_s !== null) {
    facts.push(['roofs here', `${bandwidth(bytes_per_s)} read, ${flopRate(flops_per_s)} in fp32`])
  }
  facts.push(['protocol', m.protocol])
  const sections: Section[] = [
    { kind: 'title', text: `Kernels on ${m.machine}` },
    { kind: 'facts', rows: facts },
    { kind: 'table', table: rows },
    ...comparisonSections(m),
    { kind: 'warnings', lines: [...faults, ...failed, ...m.warnings] },
  ]
  // The comparison is what was asked for where there is one; its columns hold the times of both.
  return { table: m.against ? table(comparedColumns, m.against.rows) : rows, sections }
}
