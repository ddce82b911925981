// Every point of a sweep by two figures, and the front of those that no other beats in both, named by their axes.
import type { Plugin } from 'chart.js'
import type { Candidate } from '../sweep/chunk.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
import * as units from '../units.ts'
import { logAxis } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour, translucent } from './palette.ts'
import { place } from './place.ts'
import { fixedText, titleOf } from './sweep.ts'
import { measure, write } from './text.ts'
import { valueLabel } from './value-label.ts'

/** Points drawn at most, evenly taken. */
const mostPoints = 8000
/** Names drawn at most. */
const mostNames = 24

export async function plotPareto(path: string, sweep: Sweep, { front, drawn }: Outcome): Promise<void> {
  const [x, y] = sweep.objectives as NonNullable<Sweep['objectives']>
  const every = Math.max(1, Math.ceil(sweep.plan.count / mostPoints))
  const points: { x: number; y: number }[] = []
  for (let i = 0; i < sweep.plan.count; i += every) {
    const [a, b] = [drawn?.first[i] ?? Number.NaN, drawn?.second[i] ?? Number.NaN]
    if (Number.isFinite(a) && Number.isFinite(b)) points.push({ x: a, y: b })
  }
  const all = [...points, ...front]
  const title = (o: typeof x) => `${o.expression.text} (${o.best === 'least' ? 'less' : 'more'} is better)`
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: [
        {
          type: 'scatter',
          data: front.map((c) => ({ x: c.x, y: c.y })),
          showLine: true,
          borderColor: colour(1),
          borderWidth: 2,
          pointRadius: 5,
          pointBackgroundColor: colour(1),
        },
        {
          type: 'scatter',
          data: points,
          pointRadius: points.length > 2000 ? 1.6 : 3,
          pointBackgroundColor: translucent(colour(0), 0.35),
          pointBorderWidth: 0,
        },
      ],
    },
    options: {
      layout: { padding: { left: 16, top: 92, right: 40, bottom: 24 } },
      scales: {
        x: axis(
          title(x),
          all.map((p) => p.x),
        ),
        y: axis(
          title(y),
          all.map((p) => p.y),
        ),
      },
    },
    plugins: [
      names(
        front,
        titleOf(sweep, `${front.length} of ${sweep.plan.count} points that no other beats`),
        fixedText(sweep),
      ),
    ],
  })
}

function axis(title: string, values: readonly number[]) {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  if (low > 0 && high / low > 20) return logAxis(title, low / 1.3, high * 1.3, units.plain)
  return {
    type: 'linear' as const,
    min: low >= 0 ? 0 : low,
    max: high * 1.08,
    title: { display: true, text: title, color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    ticks: { color: ink },
  }
}

interface Scale {
  getPixelForValue(value: number): number
}

function names(front: readonly Candidate[], title: string, under: string): Plugin<'scatter' | 'bubble'> {
  return {
    id: 'names',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      const { x, y } = chart.scales as unknown as { x: Scale; y: Scale }
      write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48 })
      write(ctx, under, 24, 64, { size: 15, colour: '#555555', most: width - 48 })
      const every = Math.max(1, Math.ceil(front.length / mostNames))
      const shown = front.filter((_, i) => i % every === 0 || i === front.length - 1)
      const circles = front.map((c) => ({ x: x.getPixelForValue(c.x), y: y.getPixelForValue(c.y), r: 5 }))
      const labels = shown.map((c) => {
        const text = Object.entries(c.point)
          .map(([name, value]) => named(name, value))
          .join(', ')
        const at = { x: x.getPixelForValue(c.x), y: y.getPixelForValue(c.y), r: 5 }
        return { text, at, width: measure(ctx, text, { size: 12 }) + 4, height: 15 }
      })
      place(labels, circles, chart.chartArea).forEach(({ box, leader }, i) => {
        const { text, at } = labels[i] as (typeof labels)[number]
        const [cx, cy] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
        if (leader) {
          ctx.strokeStyle = faint
          ctx.lineWidth = 1
          ctx.beginPath()
          ctx.moveTo(at.x, at.y)
          ctx.lineTo(cx, cy)
          ctx.stroke()
        }
        write(ctx, text, cx, cy, { size: 12, align: 'center', rim: true })
      })
    },
  }
}

function named(name: string, value: number | string): string {
  return typeof value === 'string' ? value : `${name} ${valueLabel(name, value)}`
}
