// A panel of years against a logarithmic figure, drawn by hand: several with axes of their own stand side by side on one
// picture, which axes of chart.js cannot.
import { powersOfTen } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import type { Box } from './place.ts'
import { write } from './text.ts'

export interface Range {
  readonly from: number
  readonly to: number
  readonly low: number
  readonly high: number
}

export interface Panel {
  readonly ctx: Context
  readonly area: Box
  x(year: number): number
  y(value: number): number
}

/** Draws the axes into `area` and returns where things stand. */
export function panel(
  ctx: Context,
  area: Box,
  { from, to, low, high }: Range,
  label: (value: number) => string,
): Panel {
  const { left, right, top, bottom } = area
  const x = (year: number) => left + ((year - from) / (to - from)) * (right - left)
  const y = (value: number) => bottom - (Math.log(value / low) / Math.log(high / low)) * (bottom - top)
  ctx.save()
  ctx.lineWidth = 1
  for (const value of powersOfTen(low, high)) {
    line(ctx, left, y(value), right, y(value), '#e8e8e8')
    write(ctx, label(value), left - 8, y(value), { size: 12, align: 'right' })
  }
  for (const year of yearTicks(from, to)) {
    line(ctx, x(year), bottom, x(year), bottom + 5, faint)
    write(ctx, String(year), x(year), bottom + 16, { size: 12, align: 'center' })
  }
  line(ctx, left, bottom, right, bottom, faint)
  line(ctx, left, top, left, bottom, faint)
  ctx.restore()
  return { ctx, area, x, y }
}

function yearTicks(from: number, to: number): number[] {
  const every = to - from > 16 ? 5 : to - from > 6 ? 2 : 1
  const first = Math.ceil(from / every) * every
  return Array.from({ length: Math.floor((to - first) / every) + 1 }, (_, i) => first + i * every)
}

export function line(
  ctx: Context,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  hue: string,
  dash: readonly number[] = [],
): void {
  ctx.save()
  ctx.strokeStyle = hue
  ctx.setLineDash([...dash])
  ctx.beginPath()
  ctx.moveTo(x0, y0)
  ctx.lineTo(x1, y1)
  ctx.stroke()
  ctx.restore()
}

/** A ring, or a dot where it is filled with its own colour. */
export function dot(ctx: Context, x: number, y: number, radius: number, hue: string, fill: string): void {
  ctx.save()
  ctx.beginPath()
  ctx.arc(x, y, radius, 0, 2 * Math.PI)
  ctx.fillStyle = fill
  ctx.fill()
  ctx.strokeStyle = hue
  ctx.lineWidth = 1.8
  ctx.stroke()
  ctx.restore()
}

/** A picture with a title and what `body` draws. */
export async function picture(path: string, title: string, under: string, body: (ctx: Context) => void): Promise<void> {
  await draw(path, {
    type: 'scatter',
    data: { datasets: [] },
    options: { scales: { x: { display: false }, y: { display: false } } },
    plugins: [
      {
        id: 'picture',
        afterDraw: (chart) => {
          const ctx = chart.ctx as unknown as Context
          write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48, colour: ink })
          write(ctx, under, 24, 64, { size: 14, colour: '#555555', most: width - 48 })
          body(ctx)
        },
      },
    ],
  })
}
