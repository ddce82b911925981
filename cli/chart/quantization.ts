// Error against bits: a line for each method from 2 to 4 bits, the lower and the further left the better.
import type { ChartDataset, Plugin } from 'chart.js'
import type { Quantization, SweepRow } from '../quantization.ts'
import * as units from '../units.ts'
import { logAxis, roundTicks } from './axes.ts'
import { type Context, draw, faint, ink, width } from './canvas.ts'
import { colour } from './palette.ts'
import { write } from './text.ts'

/** Draws the sweep of an answer into the file. */
export async function plotQuantization(path: string, q: Quantization): Promise<void> {
  const rows = q.sweep ?? []
  const attention = rows.every((r) => r.attention_error !== null)
  // An error of nothing has no place on a logarithmic axis.
  const errorOf = (r: SweepRow) => Math.max(1e-9, (attention ? r.attention_error : null) ?? r.relative_error)
  const names = [...new Set(rows.map((r) => r.method))]
  const errors = rows.map(errorOf)
  const bits = rows.map((r) => r.bits_per_element)
  const [low, high] = [Math.min(...errors) / 1.3, Math.max(...errors) * 1.3]
  const y = attention ? 'relative error of the attention output' : 'relative error of keys and values'
  await draw(path, {
    type: 'scatter',
    data: {
      datasets: names.map((name, i) =>
        line(
          rows.filter((r) => r.method === name),
          errorOf,
          colour(i),
        ),
      ),
    },
    options: {
      layout: { padding: { left: 16, top: 92, right: 280, bottom: 24 } },
      scales: {
        x: bitsAxis(Math.min(...bits), Math.max(...bits)),
        y: logAxis(y, low, high, percent, roundTicks(low, high)),
      },
    },
    plugins: [captions(q, names, attention)],
  })
}

function percent(value: number): string {
  return `${units.digits(value * 100)} %`.replace(/\.0+ %$/, ' %').replace(/(\.\d*?)0+ %$/, '$1 %')
}

function bitsAxis(low: number, high: number) {
  return {
    type: 'linear' as const,
    min: Math.floor(low * 2 - 0.2) / 2,
    max: Math.ceil(high * 2 + 0.2) / 2,
    title: { display: true, text: 'bits per element, all overheads counted', color: ink, font: { size: 15 } },
    grid: { color: '#e8e8e8', tickColor: faint },
    border: { color: faint },
    ticks: { color: ink, stepSize: 0.5 },
  }
}

function line(rows: readonly SweepRow[], errorOf: (r: SweepRow) => number, hue: string): ChartDataset<'scatter'> {
  return {
    type: 'scatter',
    data: rows.map((r) => ({ x: r.bits_per_element, y: errorOf(r) })),
    showLine: true,
    borderColor: hue,
    borderWidth: 2.5,
    pointRadius: 5,
    pointBackgroundColor: hue,
    pointBorderColor: '#ffffff',
  }
}

function captions(q: Quantization, names: readonly string[], attention: boolean): Plugin<'scatter'> {
  return {
    id: 'captions',
    afterDatasetsDraw: (chart) => {
      const ctx = chart.ctx as unknown as Context
      const { source, shape: s, queries } = q
      ctx.save()
      write(ctx, `Error against bits: ${source}`, 24, 34, { size: 22, bold: true, most: width - 48 })
      const of = attention ? `; attention of the last ${queries} queries, mean of all heads` : '; no queries'
      const shape = `${s.layers} layers, ${s.tokens} tokens, ${s.heads} heads of ${s.head_dim}`
      const sample = q.calibration === null || q.calibration.in_sample ? 'in-sample' : 'on other tensors'
      write(ctx, `${shape}${of}; calibrated ${sample}. Points: 2, 3 and 4 bits.`, 24, 64, {
        size: 13,
        colour: '#666666',
      })
      names.forEach((name, i) => {
        const y = chart.chartArea.top + 10 + 26 * i
        ctx.strokeStyle = colour(i)
        ctx.lineWidth = 3
        ctx.beginPath()
        ctx.moveTo(width - 262, y)
        ctx.lineTo(width - 236, y)
        ctx.stroke()
        write(ctx, name, width - 228, y, { size: 14, most: 210 })
      })
      ctx.restore()
    },
  }
}
