// Predicted against measured seconds, row by row: on the diagonal they are equal, and the band holds what is within 20 %.
import type { ChartDataset, Plugin } from 'chart.js'
import type { Outcome } from '../../simulate/accuracy/score.ts'
import type { Accuracy } from '../accuracy.ts'
import * as units from '../units.ts'
import { logAxis } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour, palette, translucent } from './palette.ts'
import { write } from './text.ts'

/** Points drawn at most, evenly taken from the rows: more would hide each other. */
const mostPoints = 12_000
/** Half the band, as a factor. */
const band = 1.2

type Dataset = ChartDataset<'scatter'>

interface Group {
  readonly name: string
  readonly colour: string
  readonly outcomes: readonly Outcome[]
}

/** Draws the outcomes into the file, coloured by the first key that they are grouped by. */
export async function plotAccuracy(path: string, { outcomes, group_by, expected }: Accuracy): Promise<void> {
  const groups = groupsOf(outcomes, group_by[0] ?? 'kind')
  const every = Math.max(1, Math.ceil(outcomes.length / mostPoints))
  const values = outcomes.flatMap((o) => [o.measured, o.expected])
  const low = values.reduce((a, b) => Math.min(a, b), 1) / 2
  const high = values.reduce((a, b) => Math.max(a, b), 1e-6) * 2
  const error = expected === null ? 'no rows' : `MAPE ${units.percent(expected.mape)}`
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: [
        ...[band, 1, 1 / band].map((factor) => line(low, high, factor)),
        ...groups.map((g) => points(g, every)),
      ],
    },
    options: {
      layout: { padding: { left: 16, top: 84, right: 330, bottom: 40 } },
      scales: {
        x: logAxis('measured', low, high, units.duration),
        y: logAxis('expected', low, high, units.duration),
      },
    },
    plugins: [captions(`${outcomes.length} measured rows, ${error}`, groups, group_by[0] ?? 'kind', every)],
  })
}

function groupsOf(outcomes: readonly Outcome[], key: string): Group[] {
  const byName = new Map<string, Outcome[]>()
  for (const o of outcomes) {
    const name = o.keys[key] || '-'
    const group = byName.get(name)
    if (group) group.push(o)
    else byName.set(name, [o])
  }
  const sorted = [...byName].sort(([, a], [, b]) => b.length - a.length)
  const most = sorted.length > palette.length ? palette.length - 1 : palette.length
  const named = sorted.slice(0, most).map(([name, of], i): Group => ({ name, outcomes: of, colour: colour(i) }))
  const rest = sorted.slice(most)
  if (rest.length === 0) return named
  const others = {
    name: `${rest.length} others`,
    outcomes: rest.flatMap(([, of]) => of),
    colour: palette.at(-1) as string,
  }
  return [...named, others]
}

function points({ outcomes, colour: hue }: Group, every: number): Dataset {
  return {
    type: 'scatter',
    data: outcomes.filter((_, i) => i % every === 0).map((o) => ({ x: o.measured, y: o.expected })),
    pointRadius: outcomes.length > 2000 ? 1.6 : 3,
    pointBackgroundColor: translucent(hue, 0.5),
    pointBorderWidth: 0,
  }
}

function line(low: number, high: number, factor: number): Dataset {
  const [from, to] = [Math.max(low, low / factor), Math.min(high, high / factor)]
  return {
    type: 'scatter',
    showLine: true,
    pointRadius: 0,
    order: -1,
    borderWidth: factor === 1 ? 2 : 1,
    borderDash: factor === 1 ? [] : [6, 4],
    borderColor: factor === 1 ? ink : faint,
    data: [
      { x: from, y: from * factor },
      { x: to, y: to * factor },
    ],
  }
}

function captions(title: string, groups: readonly Group[], key: string, every: number): Plugin<'scatter'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      ctx.save()
      write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48 })
      const under = `Solid: equal. Dashed: 20 % off.${every > 1 ? ` Every ${ordinal(every)} row is drawn.` : ''}`
      write(ctx, under, 24, 62, { size: 13, colour: '#666666' })
      const left = width - 306
      let y = chart.chartArea.top + 8
      write(ctx, key, left, y, { size: 14, bold: true })
      write(ctx, 'rows', width - 24, y, { size: 14, bold: true, align: 'right' })
      for (const g of groups) {
        y += 24
        ctx.fillStyle = g.colour
        ctx.fillRect(left, y - 6, 12, 12)
        write(ctx, g.name, left + 20, y, { size: 13, most: 210 })
        write(ctx, String(g.outcomes.length), width - 24, y, { size: 13, align: 'right' })
      }
      ctx.restore()
    },
  }
}

function ordinal(n: number): string {
  return n === 2 ? '2nd' : n === 3 ? '3rd' : `${n}th`
}
