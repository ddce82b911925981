// Which chart a sweep makes: a map of two numbers (of the metric, or of which variant is best), lines over one number,
// bars of machines or models, or a Pareto front.

import { usualBest } from '../../simulate/whatif/pareto.ts'
import type { Axis } from '../../simulate/whatif/plan.ts'
import { UsageError } from '../errors.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
import { numeric } from './grid.ts'
import { valueLabel } from './value-label.ts'

/** Lines or bars that are still told apart. */
const mostSeries = 12

type Kind = 'pareto' | 'winners' | 'heat' | 'lines' | 'bars'

/** Throws UsageError where the axes make no chart. */
export function checkDrawable(sweep: Sweep): void {
  kindOf(sweep)
}

function kindOf(sweep: Sweep): Kind {
  const { axes } = sweep.plan
  if (sweep.objectives) return 'pareto'
  const numbers = axes.filter(numeric)
  const words = axes.filter((a) => !numeric(a))
  const series = (of: readonly Axis[]) => of.reduce((n, a) => n * a.values.count, 1)
  if (numbers.length === 2 && words.length === 1 && words[0]?.name === 'variant') {
    if (best(sweep) === undefined) {
      throw new UsageError(
        `--metric: expected :least or :most after ${sweep.ask.metric?.text}, so that there is a best variant`,
      )
    }
    return 'winners'
  }
  if (numbers.length === 2 && words.length === 0) return 'heat'
  if (numbers.length === 1 && series(words) <= mostSeries) return 'lines'
  if (numbers.length === 0 && words.length === 1 && series(words) <= 40) return 'bars'
  throw new UsageError(
    `--plot: expected two swept numbers (a map, with --versus of which is best), one with up to ${mostSeries} combinations of ` +
      `the rest (lines), or one list of names (bars), got ${axes.map((a) => `${a.values.count} of ${a.name}`).join(', ') || 'one point'}`,
  )
}

/** Which way the metric is better: as said, or as its name says. */
export function best({ best: said, ask }: Sweep) {
  return said ?? usualBest(ask.metric?.text ?? '')
}

/** Draws the sweep into the file. */
export async function plotSweep(path: string, sweep: Sweep, outcome: Outcome): Promise<void> {
  const kind = kindOf(sweep)
  if (kind === 'pareto') return (await import('./pareto.ts')).plotPareto(path, sweep, outcome)
  if (kind === 'lines') return (await import('./lines.ts')).plotLines(path, sweep, outcome)
  if (kind === 'bars') return (await import('./bars.ts')).plotBars(path, sweep, outcome)
  const maps = await import('./map.ts')
  return kind === 'heat' ? maps.plotHeat(path, sweep, outcome) : maps.plotWinners(path, sweep, outcome)
}

/** What is the same at all points: models, machines, settings. */
export function fixedText({ plan, spec }: Sweep): string {
  const { request } = spec
  const swept = new Set(plan.axes.map((a) => a.name))
  const one = (name: string, text: string) => (swept.has(name.replaceAll('-', '_')) ? [] : [text])
  return [
    ...(plan.models.length === 1 ? [plan.models[0]?.name ?? ''] : []),
    ...(plan.machines.length === 1 ? [`on ${plan.machines[0]?.title ?? plan.machines[0]?.name}`] : []),
    ...Object.entries(request.settings).flatMap(([name, text]) =>
      one(name, `${name} ${valueLabel(name.replaceAll('-', '_'), number(text))}`),
    ),
    ...request.weights.flatMap((text) => one('weights', `weights ${text}`)),
    ...request.figures.flatMap((text) => one(text.split('=')[0] ?? '', text)),
    ...request.methods,
  ].join(', ')
}

function number(text: string): number | string {
  const value = Number(text)
  return Number.isNaN(value) ? text : value
}

/** The title of the chart: as asked, else this. */
export function titleOf({ spec }: Sweep, usual: string): string {
  return spec.title ?? usual
}
