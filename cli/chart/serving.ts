// Serving: latency over load where there are several rates, else one run over time.
import { UsageError } from '../errors.ts'
import type { Config, Run } from '../serving/runs.ts'
import * as units from '../units.ts'
import { title } from '../views/serving.ts'
import { type PanelSeries, plotPanels } from './panels.ts'

export async function plotServing(path: string, config: Config, runs: readonly Run[]): Promise<void> {
  const [only] = runs
  if (runs.length === 1 && only) await overTime(path, config, only)
  else await overLoad(path, config, runs)
}

async function overLoad(path: string, config: Config, runs: readonly Run[]): Promise<void> {
  const known = runs.filter((r) => r.answer.e2e_s !== null)
  if (known.length < 2) throw new UsageError('--plot: expected two rates that do not saturate, got fewer')
  const saturated = runs.filter((r) => r.answer.e2e_s === null).map((r) => units.digits(r.point.rate ?? 0))
  const series = (['p50', 'p90', 'p99'] as const).map(
    (p): PanelSeries => ({
      name: `end to end ${p}`,
      points: known.map((r) => ({ x: r.point.rate ?? 0, y: r.answer.e2e_s?.[p] ?? 0 })),
    }),
  )
  const first = known.flatMap((r) =>
    r.answer.ttft_s === null ? [] : [{ x: r.point.rate ?? 0, y: r.answer.ttft_s.p99 }],
  )
  await plotPanels(path, {
    title: 'Serving: latency over arrivals',
    under: `${title(config)}${saturated.length > 0 ? ` Saturated at ${saturated.join(', ')}.` : ''}`,
    y: 'latency (s)',
    label: (y) => String(Number(y.toPrecision(3))),
    zero: true,
    panels: [
      {
        x: 'requests per second',
        label: (x) => String(Number(x.toPrecision(3))),
        series: [...series, ...(first.length > 0 ? [{ name: 'TTFT p99', points: first }] : [])],
      },
    ],
  })
}

async function overTime(path: string, config: Config, { answer }: Run): Promise<void> {
  const { rows } = answer.timeline
  if (rows.length < 2) throw new UsageError('--plot: expected a run of some steps to draw, got one instant')
  const line = (name: string, of: (r: (typeof rows)[number]) => number): PanelSeries => ({
    name,
    theory: true,
    points: rows.map((r) => ({ x: r.time_s, y: of(r) })),
  })
  await plotPanels(path, {
    title: 'Serving: requests in the system over time',
    under: title(config),
    y: 'requests',
    label: (y) => String(Number(y.toPrecision(3))),
    zero: true,
    panels: [
      {
        x: 'time (s)',
        label: (x) => String(Number(x.toPrecision(3))),
        series: [line('waiting', (r) => r.waiting), line('running', (r) => r.running)],
      },
    ],
  })
}
