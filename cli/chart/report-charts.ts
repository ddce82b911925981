// The report's charts as plain data, which chart.js draws the same on paper and in a browser: predicted against measured
// seconds, the measured points under the roofs, and what methods gain. Nothing here draws.
import type { ChartConfiguration } from 'chart.js'
import { shapeText } from '../../kernels/measure.ts'
import { type Regime, type Report, type ReportRow, regimes } from '../../kernels/report.ts'
import { colour } from './palette.ts'

export type ReportChart = ChartConfiguration<'scatter' | 'bar'>

/** What tooltips show beside the numbers. */
export interface NamedPoint {
  readonly x: number
  readonly y: number
  readonly name: string
}

const micro = 1e6
const giga = 1e9
/** Half the band around the diagonal, as a factor. */
const band = 1.2
const grey = '#8a8a8a'

const nameOf = (r: ReportRow) => `${r.kernel} ${shapeText(r.shape)}`

/** The same colour in every chart. */
export function regimeColour(regime: Regime): string {
  return colour(regimes.indexOf(regime))
}

function line(points: readonly { x: number; y: number }[], label: string, dashed: boolean) {
  return {
    type: 'scatter' as const,
    label,
    data: [...points],
    showLine: true,
    pointStyle: 'line' as const,
    pointRadius: 0,
    pointHitRadius: 0,
    borderWidth: dashed ? 1 : 1.5,
    borderColor: grey,
    borderDash: dashed ? [6, 4] : [],
  }
}

function pointsOf(rows: readonly ReportRow[], at: (r: ReportRow) => { x: number; y: number }) {
  return regimes
    .map((regime) => ({ regime, of: rows.filter((r) => r.regime === regime) }))
    .filter(({ of }) => of.length > 0)
    .map(({ regime, of }) => ({
      type: 'scatter' as const,
      label: regime,
      data: of.map((r): NamedPoint => ({ ...at(r), name: nameOf(r) })),
      pointRadius: 5,
      backgroundColor: `${regimeColour(regime)}b0`,
      borderColor: regimeColour(regime),
    }))
}

function logAxis(text: string, low: number, high: number) {
  return {
    type: 'logarithmic' as const,
    min: 10 ** Math.floor(Math.log10(low)),
    max: 10 ** Math.ceil(Math.log10(high)),
    title: { display: true, text },
    grid: { color: '#e8e8e8' },
    ticks: { format: { notation: 'compact' as const } },
  }
}

function captions(text: string) {
  return {
    title: { display: true, text, font: { size: 15, weight: 'bold' as const }, align: 'start' as const },
    legend: { position: 'bottom' as const, labels: { usePointStyle: true, boxHeight: 7 } },
  }
}

const layout = { padding: { left: 8, right: 16, top: 8, bottom: 8 } }

export function scatterChart({ rows }: Report): ReportChart {
  const seconds = rows.flatMap((r) => [r.median_s, r.expected_s])
  const [low, high] = [Math.min(...seconds) * micro, Math.max(...seconds) * micro]
  const ends = [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high))]
  const along = (factor: number) => ends.map((x) => ({ x, y: x * factor }))
  return {
    type: 'scatter',
    data: {
      datasets: [
        ...pointsOf(rows, (r) => ({ x: r.median_s * micro, y: r.expected_s * micro })),
        line(along(1), 'equal', false),
        line(along(band), '20 % more', true),
        line(along(1 / band), '20 % less', true),
      ],
    },
    options: {
      layout,
      maintainAspectRatio: false,
      plugins: captions('Expected against measured, microseconds'),
      scales: { x: logAxis('measured (us)', low, high), y: logAxis('expected (us)', low, high) },
    },
  } as ReportChart
}

/** The measured points under the roofs; undefined where no one pair of roofs is known or nothing computes. */
export function rooflineChart({ rows, roofs }: Report): ReportChart | undefined {
  const { bytes_per_s, flops_per_s } = roofs
  const shown = rows.filter((r) => r.flops > 0 && r.bytes > 0)
  if (bytes_per_s === null || flops_per_s === null || shown.length === 0) return undefined
  const intensities = shown.map((r) => r.flops / r.bytes)
  const ridge = flops_per_s / bytes_per_s
  const low = Math.min(...intensities, ridge / 10)
  const high = Math.max(...intensities, ridge * 10)
  const roof = [low, ridge, high].map((x) => ({ x, y: Math.min(flops_per_s, x * bytes_per_s) / giga }))
  const rates = shown.map((r) => r.flops / r.median_s / giga)
  return {
    type: 'scatter',
    data: {
      datasets: [
        ...pointsOf(shown, (r) => ({ x: r.flops / r.bytes, y: r.flops / r.median_s / giga })),
        line(roof, 'roofs of this run: read, multiply-adds', false),
      ],
    },
    options: {
      layout,
      maintainAspectRatio: false,
      plugins: captions('Measured points under the roofs'),
      scales: {
        x: logAxis('FLOP/byte', low, high),
        y: logAxis('GFLOP/s', Math.min(...rates), Math.max(...rates, flops_per_s / giga)),
      },
    },
  } as ReportChart
}

/** What each method gains, predicted and measured; undefined where no method was measured beside its baseline. */
export function speedupChart({ speedups }: Report): ReportChart | undefined {
  if (speedups.length === 0) return undefined
  const bars = (label: string, of: (s: Report['speedups'][number]) => number, hue: string) => ({
    type: 'bar' as const,
    label,
    data: speedups.map(of),
    backgroundColor: hue,
  })
  return {
    type: 'bar',
    data: {
      labels: speedups.map((s) => [s.method, sizesShown(s.shape)]),
      datasets: [bars('predicted', (s) => s.predicted, colour(0)), bars('measured', (s) => s.measured, colour(1))],
    },
    options: {
      layout,
      indexAxis: 'y',
      maintainAspectRatio: false,
      plugins: captions('Times as fast as the baseline'),
      scales: { x: { min: 0, title: { display: true, text: 'baseline = 1' }, grid: { color: '#e8e8e8' } } },
    },
  } as ReportChart
}

/** Leaves a logarithmic axis its powers of ten: what both painters call for each. A browser gets its source. */
export function decades(axis: { min: number; max: number; ticks: { value: number }[] }): void {
  const first = Math.ceil(Math.log10(axis.min) - 1e-9)
  const last = Math.floor(Math.log10(axis.max) + 1e-9)
  axis.ticks = Array.from({ length: last - first + 1 }, (_, i) => ({ value: 10 ** (first + i) }))
}

/** The sizes that tell most, of many. */
function sizesShown(shape: Report['speedups'][number]['shape']): string {
  const names = ['m', 'n', 'k', 'kv-heads', 'tokens', 'query', 'batch', 'leaves'].filter((n) => shape[n] !== undefined)
  return names
    .filter((n) => n !== 'batch' || shape[n] !== 1)
    .map((n) => `${n} ${shape[n]}`)
    .join(', ')
}
