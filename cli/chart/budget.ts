// Attention lost over budget: one line for each way of choosing keys, from the same tensors.
import type { ChartDataset, Plugin } from 'chart.js'
import type { ClusterAnswer } from '../cluster.ts'
import * as units from '../units.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour } from './palette.ts'
import { write, writeLines } from './text.ts'

type Point = ClusterAnswer['curve'][number]

const titles: Readonly<Record<Point['selection'], string>> = {
  clusters: 'clusters',
  hierarchy: 'clusters in two levels',
  random: 'random keys',
  recency: 'the first and recent keys',
}

/** Draws the curves into the file. */
export async function plotBudget(path: string, answer: ClusterAnswer): Promise<void> {
  const { curve } = answer
  const names = [...new Set(curve.map((p) => p.selection))]
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: names.map((name, i) =>
        line(
          curve.filter((p) => p.selection === name),
          answer,
          colour(i),
        ),
      ),
    },
    options: {
      layout: { padding: { left: 16, top: 96, right: 300, bottom: 40 } },
      scales: {
        x: axis('budget: share of the KV bytes that is read', curve, 'budget'),
        y: axis('attention lost', curve, 'lost_mass'),
      },
    },
    plugins: [captions(answer, names)],
  })
}

function line(points: readonly Point[], { options }: ClusterAnswer, hue: string): ChartDataset<'scatter'> {
  const asked = points.map((p) => p.sparsity === options.sparsity)
  return {
    type: 'scatter',
    data: points.map((p) => ({ x: p.budget, y: p.lost_mass })),
    showLine: true,
    borderColor: hue,
    borderWidth: 2.5,
    pointRadius: asked.map((own) => (own ? 8 : 4)),
    pointBackgroundColor: asked.map((own) => (own ? '#ffffff' : hue)),
    pointBorderColor: hue,
    pointBorderWidth: 2.5,
  }
}

function axis(title: string, curve: readonly Point[], of: 'budget' | 'lost_mass') {
  const most = Math.max(...curve.map((p) => p[of]), 0.01)
  return {
    type: 'linear' as const,
    min: 0,
    suggestedMax: most * 1.05,
    title: { display: true, text: title, color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    border: { color: faint },
    ticks: {
      color: ink,
      callback: (value: string | number) => (Number(value) === 0 ? '0' : units.percent(Number(value))),
    },
  }
}

function captions({ input, options }: ClusterAnswer, names: readonly Point['selection'][]): Plugin<'scatter'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      ctx.save()
      const without = input.without.length === 0 ? '' : ` without ${input.without.join(', ')}`
      write(ctx, `Attention lost on ${input.name}${without}`, 24, 34, { size: 22, bold: true, most: width - 48 })
      const coarse = options.coarse === null ? '' : `, ${units.percent(options.coarse)} coarse`
      const under = `${input.heads} heads, ${input.tokens - options.input} tokens of context, ${options.input} of the user; clusters ${units.percent(options.clusters)} of the keys${coarse}`
      write(ctx, under, 24, 62, { size: 13, colour: '#666666', most: width - 48 })
      const left = width - 276
      let y = chart.chartArea.top + 8
      write(ctx, 'keys kept by', left, y, { size: 14, bold: true })
      names.forEach((name, i) => {
        y += 24
        ctx.fillStyle = colour(i)
        ctx.fillRect(left, y - 6, 12, 12)
        write(ctx, titles[name], left + 20, y, { size: 13, most: 240 })
      })
      const note = `Circles: sparsity ${options.sparsity}, as asked. All keep the last ${options.window} tokens of the context.`
      writeLines(ctx, note, left, y + 74, 252, { size: 13, colour: '#666666' })
      ctx.restore()
    },
  }
}
