// Curves of a paper, one panel each: points are what was published, lines are ours. Both axes are logarithmic.
import type { Chart, ChartDataset, Plugin } from 'chart.js'
import type { Curve, Series } from '../../simulate/reproduce.ts'
import * as units from '../units.ts'
import { logAxis, powersOfTen, roundTicks } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour } from './palette.ts'
import { write, writeLines } from './text.ts'

type Dataset = ChartDataset<'scatter' | 'bubble'>

/** Draws the curves, which share what they measure, side by side into the file. */
export async function plotCurves(path: string, title: string, curves: readonly Curve[]): Promise<void> {
  const names = [...new Set(curves.flatMap((c) => c.series.map((s) => s.name)))]
  const ys = curves.flatMap((c) => c.series.flatMap((s) => s.points.map(([, y]) => y)))
  const [low, high] = [Math.min(...ys) / 1.6, Math.max(...ys) * 1.6]
  const yTitle = [...new Set(curves.map((c) => c.y))].join('; ')
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: curves.flatMap((c, i) => c.series.map((s) => dataset(s, `x${i}`, colour(names.indexOf(s.name))))),
    },
    options: {
      layout: { padding: { left: 16, top: 168, right: 32, bottom: 24 + 20 * curves.length } },
      scales: {
        ...Object.fromEntries(curves.map((c, i) => [`x${i}`, xAxis(c)])),
        y: logAxis(yTitle, low, high, units.plain, roundTicks(low, high)),
      },
    },
    plugins: [captions(title, curves, names)],
  })
}

/** Panels stand side by side: their axes are stacked. */
function xAxis({ x, series, ticks }: Curve) {
  const values = [...new Set(series.flatMap((s) => s.points.map(([at]) => at)))].sort((a, b) => a - b)
  const [low, high] = [values[0] ?? 1, values.at(-1) ?? 10]
  const marked = ticks ?? (values.length <= 8 ? values : powersOfTen(low, high))
  // Less room beside points that are close together.
  const room = Math.min(1.4, (high / low) ** 0.15)
  return {
    ...logAxis(x, low / room, high * room, units.plain, marked),
    position: 'bottom' as const,
    stack: 'panels',
    stackWeight: 1,
  }
}

function dataset({ evidence, points, labels }: Series, xAxisID: string, hue: string): Dataset {
  const published = evidence === 'published'
  return {
    type: 'scatter',
    xAxisID,
    data: points.map(([x, y]) => ({ x, y })),
    showLine: !published,
    borderColor: hue,
    borderWidth: 2.5,
    pointRadius: published ? 7 : labels ? 5 : 0,
    pointBackgroundColor: '#ffffff',
    pointBorderColor: hue,
    pointBorderWidth: 2.5,
    order: published ? 0 : 1,
  }
}

interface Axis {
  getPixelForValue(value: number): number
}

/** Names in one row of the legend. */
const mostInRow = 5

interface Scale {
  readonly left: number
  readonly right: number
}

/** Title, legend, what each panel shows and where it comes from. */
function captions(title: string, curves: readonly Curve[], names: readonly string[]): Plugin<'scatter' | 'bubble'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      const marked = curves.some((c) => c.series.some((s) => s.evidence === 'published'))
      ctx.save()
      write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48 })
      pointLabels(chart as unknown as Chart, curves, names)
      legend(ctx, names, marked)
      curves.forEach((curve, i) => {
        const { left, right } = chart.scales[`x${i}`] as unknown as Scale
        write(ctx, curve.name, left + 12, chart.chartArea.top - 56, { size: 15, bold: true })
        writeLines(ctx, curve.title, left + 12, chart.chartArea.top - 16, right - left - 24, { size: 13 })
        if (i > 0) divider(ctx, left, chart.chartArea)
        write(ctx, `${curve.name}: ${curve.source}`, 24, chart.height - 20 * (curves.length - i) + 6, {
          size: 12,
          colour: '#666666',
          most: width - 48,
        })
      })
      ctx.restore()
    },
  }
}

function divider(ctx: Context, x: number, { top, bottom }: { top: number; bottom: number }): void {
  ctx.strokeStyle = faint
  ctx.lineWidth = 1
  ctx.beginPath()
  ctx.moveTo(x, top)
  ctx.lineTo(x, bottom)
  ctx.stroke()
}

/** What each point is, above it to the right: series fall. */
function pointLabels(chart: Chart, curves: readonly Curve[], names: readonly string[]): void {
  const ctx = chart.ctx as unknown as Context
  const y = chart.scales.y as unknown as Axis
  curves.forEach((curve, i) => {
    const x = chart.scales[`x${i}`] as unknown as Axis
    for (const { name, points, labels } of curve.series) {
      labels?.forEach((label, at) => {
        const [px, py] = points[at] as readonly [number, number]
        const style = { size: 12, rim: true, colour: colour(names.indexOf(name)) } as const
        write(ctx, label, x.getPixelForValue(px) + 8, y.getPixelForValue(py) - 10, style)
      })
    }
  })
}

function legend(ctx: Context, names: readonly string[], marked: boolean): void {
  let x = 24
  let y = names.length > mostInRow ? 62 : 72
  for (const [i, name] of names.entries()) {
    if (i > 0 && i % mostInRow === 0) {
      x = 24
      y += 22
    }
    line(ctx, x, y, colour(i))
    x += 34 + write(ctx, name, x + 34, y, { size: 14 }) + 28
  }
  if (!marked) return
  ring(ctx, x + 8, y)
  x += 22 + write(ctx, 'published', x + 22, y, { size: 14 }) + 28
  line(ctx, x, y, ink)
  write(ctx, 'computed', x + 34, y, { size: 14 })
}

function line(ctx: Context, x: number, y: number, hue: string): void {
  ctx.strokeStyle = hue
  ctx.lineWidth = 3
  ctx.beginPath()
  ctx.moveTo(x, y)
  ctx.lineTo(x + 26, y)
  ctx.stroke()
}

function ring(ctx: Context, x: number, y: number): void {
  ctx.strokeStyle = ink
  ctx.lineWidth = 2.5
  ctx.beginPath()
  ctx.arc(x, y, 6, 0, 2 * Math.PI)
  ctx.stroke()
}
