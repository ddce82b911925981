// Panels side by side over one vertical axis, all linear: what a simulation's sweep shows.
import type { ChartDataset, Plugin } from 'chart.js'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour } from './palette.ts'
import { write } from './text.ts'

export interface PanelPoint {
  readonly x: number
  readonly y: number
  /** Ends of a bar through the point. */
  readonly range?: readonly [low: number, high: number] | undefined
}

export interface PanelSeries {
  readonly name: string
  readonly points: readonly PanelPoint[]
  /** A line without points, behind the others: what theory says. */
  readonly theory?: true
}

export interface Panel {
  readonly x: string
  readonly label: (x: number) => string
  readonly series: readonly PanelSeries[]
}

export interface Panels {
  readonly title: string
  readonly under: string
  readonly y: string
  readonly label: (y: number) => string
  readonly panels: readonly Panel[]
  /** Whether the vertical axis begins at 0. */
  readonly zero?: true
}

type Dataset = ChartDataset<'scatter' | 'bubble'>

/** Draws the panels into the file. Series of one name share a colour. */
export async function plotPanels(path: string, p: Panels): Promise<void> {
  const names = [...new Set(p.panels.flatMap((panel) => panel.series.map((s) => s.name)))]
  const ys = p.panels.flatMap((panel) => panel.series.flatMap((s) => s.points.flatMap(({ y, range }) => range ?? [y])))
  const [low, high] = padded(Math.min(...ys, ...(p.zero ? [0] : [])), Math.max(...ys))
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: p.panels.flatMap((panel, i) =>
        panel.series.flatMap((s) => datasets(s, `x${i}`, colour(names.indexOf(s.name)))),
      ),
    },
    options: {
      layout: { padding: { left: 16, top: 124, right: 32, bottom: 24 } },
      scales: {
        ...Object.fromEntries(p.panels.map((panel, i) => [`x${i}`, xAxis(panel)])),
        y: axis(p.y, p.zero ? 0 : low, high, p.label),
      },
    },
    plugins: [captions(p, names)],
  })
}

/** Some air around the values, none below 0. */
function padded(low: number, high: number): readonly [number, number] {
  const air = (high - low || high || 1) * 0.08
  return [low >= 0 ? Math.max(0, low - air) : low - air, high + air]
}

function axis(title: string, min: number, max: number, label: (value: number) => string) {
  return {
    type: 'linear' as const,
    min,
    max,
    title: { display: true, text: title, color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    border: { color: faint },
    ticks: { color: ink, includeBounds: false, callback: (value: string | number) => label(Number(value)) },
  }
}

function xAxis({ x, label, series }: Panel) {
  const xs = series.flatMap((s) => s.points.map((point) => point.x))
  const [low, high] = padded(Math.min(...xs), Math.max(...xs))
  return { ...axis(x, low, high, label), position: 'bottom' as const, stack: 'panels', stackWeight: 1 }
}

function datasets({ points, theory }: PanelSeries, xAxisID: string, hue: string): Dataset[] {
  const sorted = [...points].sort((a, b) => a.x - b.x)
  const line: Dataset = {
    type: 'scatter',
    xAxisID,
    data: sorted.map(({ x, y }) => ({ x, y })),
    showLine: true,
    borderColor: hue,
    borderWidth: theory ? 2 : 1.5,
    borderDash: theory ? [6, 4] : [],
    pointRadius: theory ? 0 : 4.5,
    pointBackgroundColor: hue,
    pointBorderWidth: 0,
    order: theory ? 2 : 1,
  }
  const bars = sorted.flatMap(({ x, range }): Dataset[] =>
    range === undefined
      ? []
      : [
          {
            type: 'scatter',
            xAxisID,
            data: range.map((y) => ({ x, y })),
            showLine: true,
            borderColor: hue,
            borderWidth: 2,
            pointRadius: 0,
          },
        ],
  )
  return [line, ...bars]
}

function captions(p: Panels, names: readonly string[]): Plugin<'scatter' | 'bubble'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      ctx.save()
      write(ctx, p.title, 24, 34, { size: 22, bold: true, most: width - 48 })
      write(ctx, p.under, 24, 62, { size: 13, colour: '#666666', most: width - 48 })
      legend(ctx, p, names)
      for (const i of p.panels.keys()) if (i > 0) divider(ctx, chart.scales[`x${i}`]?.left ?? 0, chart.chartArea)
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

function legend(ctx: Context, { panels }: Panels, names: readonly string[]): void {
  let x = 24
  const y = 96
  for (const [i, name] of names.entries()) {
    const theory = panels.some((panel) => panel.series.some((s) => s.name === name && s.theory))
    ctx.strokeStyle = colour(i)
    ctx.lineWidth = 3
    ctx.setLineDash(theory ? [6, 4] : [])
    ctx.beginPath()
    ctx.moveTo(x, y)
    ctx.lineTo(x + 26, y)
    ctx.stroke()
    ctx.setLineDash([])
    x += 34 + write(ctx, name, x + 34, y, { size: 14 }) + 28
  }
}
