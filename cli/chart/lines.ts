// The metric over one number, a line for each combination of the other axes, named at its end. Of a ratio, the line at 1
// and where each crosses it.
import type { ChartDataset, Plugin } from 'chart.js'
import type { Axis } from '../../simulate/whatif/plan.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
import * as units from '../units.ts'
import { logAxis } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { gridOf, listed, numeric } from './grid.ts'
import { colour } from './palette.ts'
import { apart, place } from './place.ts'
import { placeAxis, type ValueScale, valueScale } from './scale.ts'
import { fixedText, titleOf } from './sweep.ts'
import { measure, write } from './text.ts'
import { valueLabel } from './value-label.ts'

interface Line {
  readonly name: string
  readonly colour: string
  readonly dash: number[]
  /** Values by the index on the x axis; null where there is none. */
  readonly values: readonly (number | null)[]
  /** Whether the model fits there. */
  readonly fits: readonly (boolean | null)[]
}

export async function plotLines(path: string, sweep: Sweep, outcome: Outcome): Promise<void> {
  const axis = sweep.plan.axes.find(numeric) as Axis
  const x = valueScale(axis.name, listed(axis) as number[])
  const lines = linesOf(sweep, outcome, axis)
  const all = lines.flatMap((l) => l.values.filter((v) => v !== null))
  const metric = sweep.ask.metric?.text ?? ''
  const ratio = metric.includes('speedup')
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const edge = ((x.edges.at(-1) as number) - (x.edges[0] as number)) * 0.02
  const [from, to] = [x.place(x.values[0] as number) - edge, x.place(x.values.at(-1) as number) + edge]
  const logarithmic = low > 0 && high / low > 20
  const datasets: ChartDataset<'scatter' | 'bubble'>[] = [
    ...(ratio ? [levelLine(from, to)] : []),
    ...lines.map((l) => dataset(l, x)),
  ]
  await draw(path, {
    type: 'scatter',
    data: { datasets },
    options: {
      layout: { padding: { left: 16, top: 92, right: 250, bottom: 24 } },
      scales: {
        x: placeAxis(axis.name, x, from, to),
        y: logarithmic
          ? logAxis(metric, low / 1.3, high * 1.3, units.plain)
          : {
              type: 'linear',
              // A ratio is read against 1, not against nothing.
              min: ratio ? Math.min(low, 1) * 0.96 : Math.min(0, low),
              max: (ratio ? Math.max(high, 1) : high) * 1.06,
              title: { display: true, text: metric, color: ink, font: { size: 15 } },
              grid: { color: '#e8e8e8', tickColor: faint },
              ticks: { color: ink, includeBounds: false },
            },
      },
    },
    plugins: [captions(titleOf(sweep, metric), fixedText(sweep), axis.name, x, lines, ratio)],
  })
}

function linesOf(sweep: Sweep, outcome: Outcome, axis: Axis): Line[] {
  const grid = gridOf(sweep, outcome)
  const others = sweep.plan.axes.filter((a) => a !== axis)
  const combinations = others.reduce<number[][]>(
    (all, a) => all.flatMap((c) => Array.from({ length: a.values.count }, (_, i) => [...c, i])),
    [[]],
  )
  return combinations.map((combination, n) => {
    const cells = Array.from({ length: axis.values.count }, (_, i) => {
      let k = 0
      return grid.at(sweep.plan.axes.map((a) => (a === axis ? i : (combination[k++] as number))))
    })
    const names = others.map((a, k) => nameOf(a, combination[k] as number, others.length))
    return {
      name: names.join(', '),
      colour: colour(n),
      dash: n >= 8 ? [7, 5] : [],
      values: cells.map((c) => c.value),
      fits: cells.map((c) => c.fits),
    }
  })
}

function nameOf({ name, values }: Axis, i: number, of: number): string {
  const value = values.at(i)
  const text = valueLabel(name, value)
  return typeof value === 'number' || (of > 1 && !['variant', 'machine', 'model'].includes(name))
    ? `${name} ${text}`
    : text
}

function dataset(l: Line, x: ValueScale): ChartDataset<'scatter' | 'bubble'> {
  const few = l.values.length <= 24
  return {
    type: 'scatter',
    showLine: true,
    spanGaps: false,
    data: l.values.map((y, i) => ({ x: x.place(x.values[i] as number), y: y ?? Number.NaN })),
    borderColor: l.colour,
    borderWidth: 2.5,
    borderDash: l.dash,
    segment: { borderDash: ({ p1DataIndex }) => (l.fits[p1DataIndex] === false ? [2, 5] : undefined) },
    pointRadius: few ? 3.5 : 0,
    pointBackgroundColor: l.fits.map((f) => (f === false ? '#ffffff' : l.colour)),
    pointBorderColor: l.colour,
    pointBorderWidth: 1.5,
  }
}

function levelLine(from: number, to: number): ChartDataset<'scatter' | 'bubble'> {
  const data = [from, to].map((x) => ({ x, y: 1 }))
  return {
    type: 'scatter',
    showLine: true,
    data,
    borderColor: faint,
    borderWidth: 1.5,
    borderDash: [6, 4],
    pointRadius: 0,
  }
}

interface Scale {
  getPixelForValue(value: number): number
}

function captions(
  title: string,
  under: string,
  axisName: string,
  x: ValueScale,
  lines: readonly Line[],
  ratio: boolean,
): Plugin<'scatter' | 'bubble'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      const scales = chart.scales as unknown as { x: Scale; y: Scale }
      write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48 })
      const hollow = lines.some((l) => l.fits.includes(false)) ? '; dotted: does not fit in memory' : ''
      write(ctx, under + hollow, 24, 64, { size: 15, colour: '#555555', most: width - 48 })
      endNames(ctx, scales, chart.chartArea, x, lines)
      if (ratio) crossings(ctx, scales, chart.chartArea, axisName, x, lines)
    },
  }
}

interface Area {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Each line's name at its end, moved apart where they would touch; a line without values has no end. */
function endNames(ctx: Context, { y }: { y: Scale }, area: Area, _: ValueScale, lines: readonly Line[]): void {
  const ends = lines
    .flatMap((l) => {
      const last = l.values.findLast((v) => v !== null)
      return typeof last === 'number' ? [{ l, at: y.getPixelForValue(last) }] : []
    })
    .sort((a, b) => a.at - b.at)
  apart(
    ends.map((e) => e.at),
    18,
    area.bottom,
  ).forEach((at, i) => {
    const { l } = ends[i] as (typeof ends)[number]
    write(ctx, l.name, area.right + 10, at, { size: 13, colour: l.colour, most: width - area.right - 20 })
  })
}

/** A ring where a line crosses 1, with the value there, by the logarithm of both between its neighbours. */
function crossings(
  ctx: Context,
  { x: sx, y: sy }: { x: Scale; y: Scale },
  area: Area,
  axisName: string,
  x: ValueScale,
  lines: readonly Line[],
): void {
  const found = lines.flatMap((l) =>
    l.values.flatMap((b, i) => {
      const a = l.values[i - 1]
      if (i === 0 || a === null || a === undefined || b === null || a >= 1 === b >= 1) return []
      const [from, to] = [x.place(x.values[i - 1] as number), x.place(x.values[i] as number)]
      const at = from + (to - from) * (Math.log(a) / (Math.log(a) - Math.log(b)))
      const value = valueAt(x, at)
      return [{ l, px: sx.getPixelForValue(at), text: approximate(axisName, value) }]
    }),
  )
  const labels = found.map(({ px, text }) => ({
    at: { x: px, y: sy.getPixelForValue(1), r: 6 },
    width: measure(ctx, text, { size: 12 }) + 4,
    height: 15,
  }))
  const circles = labels.map((l) => l.at)
  place(labels, circles, area).forEach(({ box }, i) => {
    const { l, text, px } = found[i] as (typeof found)[number]
    ctx.strokeStyle = l.colour
    ctx.lineWidth = 2
    ctx.fillStyle = '#ffffff'
    ctx.beginPath()
    ctx.arc(px, sy.getPixelForValue(1), 5, 0, 2 * Math.PI)
    ctx.fill()
    ctx.stroke()
    write(ctx, text, (box.left + box.right) / 2, (box.top + box.bottom) / 2, {
      size: 12,
      colour: l.colour,
      align: 'center',
      rim: true,
    })
  })
}

function valueAt(x: ValueScale, at: number): number {
  return x.place(4) === 2 ? 2 ** at : at
}

function approximate(name: string, value: number): string {
  if (name === 'context' && value >= 1024) return `${units.digits(value / 1024)}k`
  return units.plain(Math.round(value))
}
