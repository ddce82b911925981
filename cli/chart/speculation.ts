// Speedup of speculative decoding over gamma: simulated, and in closed form.
import type { Point } from '../commands/simulate/speculate.ts'
import { UsageError } from '../errors.ts'
import { plotPanels } from './panels.ts'

export async function plotSpeculation(path: string, title: string, points: readonly Point[]): Promise<void> {
  if (points.length < 2) throw new UsageError('--plot: expected several gammas to draw, got one')
  await plotPanels(path, {
    title: 'Speculative decoding: speedup over the target alone',
    under: `${title}. Bars: 95 % confidence.`,
    y: 'speedup',
    label: (y) => `${Number(y.toPrecision(3))}x`,
    zero: true,
    panels: [
      {
        x: 'drafted tokens a round (gamma)',
        label: String,
        series: [
          {
            name: 'simulated',
            points: points.map((p) => ({ x: p.gamma, y: p.outcome.speedup, range: p.outcome.interval?.speedup })),
          },
          { name: 'closed form', points: points.map((p) => ({ x: p.gamma, y: p.closed.speedup })), theory: true },
        ],
      },
    ],
  })
}
