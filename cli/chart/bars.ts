// The metric of each of a list of names, best first, as bars with their values.
import { priceOf } from '../../simulate/cost.ts'
import type { Axis } from '../../simulate/whatif/plan.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
import * as units from '../units.ts'
import { type Context, draw, faint, width } from './canvas.ts'
import { gridOf, listed } from './grid.ts'
import { colour } from './palette.ts'
import { best, fixedText, titleOf } from './sweep.ts'
import { measure, write } from './text.ts'

interface Bar {
  readonly name: string
  readonly value: number | null
  readonly fits: boolean | null
}

export async function plotBars(path: string, sweep: Sweep, outcome: Outcome): Promise<void> {
  const [axis] = sweep.plan.axes as readonly [Axis]
  const grid = gridOf(sweep, outcome)
  const sign = best(sweep) === 'least' ? 1 : -1
  const bars = listed(axis).map((name, i): Bar => ({ name: labelOf(sweep, axis, String(name)), ...grid.at([i]) }))
  const order = (b: Bar) => (b.value === null || b.fits === false ? Number.POSITIVE_INFINITY : sign * b.value)
  bars.sort((a, b) => compare(order(a), order(b)))
  const metric = sweep.ask.metric?.text ?? ''
  await draw(path, {
    type: 'scatter',
    data: { datasets: [] },
    options: { scales: { x: { display: false }, y: { display: false } } },
    plugins: [
      {
        id: 'bars',
        afterDraw: (chart) => {
          const ctx = chart.ctx as unknown as Context
          write(ctx, titleOf(sweep, metric), 24, 34, { size: 22, bold: true, most: width - 48 })
          write(ctx, fixedText(sweep), 24, 64, { size: 15, colour: '#555555', most: width - 48 })
          drawBars(ctx, bars)
        },
      },
    ],
  })
}

/** With the price that was given, where costs are compared by machine. */
function labelOf({ spec, ask }: Sweep, { name }: Axis, text: string): string {
  const costs = ask.metric?.names.some((n) => n === 'price_per_hour' || n === 'cost_per_million_tokens')
  const price = name === 'machine' && costs ? priceOf(spec.prices, text) : undefined
  return price === undefined ? text : `${text}, $${price.toFixed(2)}/h`
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b
}

function drawBars(ctx: Context, bars: readonly Bar[]): void {
  const [top, bottom] = [104, 776]
  const tall = Math.min(52, (bottom - top) / bars.length)
  const name = { size: Math.min(15, tall * 0.6) }
  const left = 36 + Math.max(...bars.map((b) => measure(ctx, b.name, name)))
  const able = bars.filter((b) => b.fits !== false && b.value !== null)
  const longest = Math.max(...able.map((b) => b.value as number), 0)
  const room = width - left - 150
  bars.forEach(({ name: text, value, fits }, i) => {
    const y = top + tall * (i + 0.5)
    write(ctx, text, left - 10, y, { ...name, align: 'right' })
    const missing = value === null ? 'no value' : fits === false ? 'does not fit in memory' : undefined
    if (missing !== undefined) {
      write(ctx, missing, left + 6, y, { ...name, colour: faint })
      return
    }
    const long = longest > 0 ? ((value as number) / longest) * room : 0
    ctx.fillStyle = colour(0)
    ctx.fillRect(left, y - tall * 0.34, Math.max(1, long), tall * 0.68)
    write(ctx, units.plain(value as number), left + long + 8, y, name)
  })
}
