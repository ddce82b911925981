// Latency of big little decoding over how often it falls back and how often it rolls back.
import type { Point } from '../commands/simulate/bild.ts'
import { UsageError } from '../errors.ts'
import * as units from '../units.ts'
import { palette } from './palette.ts'
import { type PanelSeries, plotPanels } from './panels.ts'

/** Draws the points of a sweep; each line holds those that differ in what its panel shows. */
export async function plotBild(path: string, title: string, points: readonly Point[]): Promise<void> {
  if (points.length < 2) throw new UsageError('--plot: expected several thresholds or windows to draw, got one of each')
  // A line joins the points that differ in the threshold of which there are most.
  const [, along] = (['fallback', 'rollback'] as const)
    .map((name) => [new Set(points.map((p) => p[name])).size, name] as const)
    .reduce((a, b) => (b[0] > a[0] ? b : a))
  const across = along === 'fallback' ? 'rollback' : 'fallback'
  const several = new Set(points.map((p) => p.window)).size > 1
  const label = (p: Point) => `${across} ${p[across]}${several ? `, window ${p.window}` : ''}`
  const names = [...new Set(points.map(label))]
  if (names.length > palette.length) {
    throw new UsageError(
      `--plot: expected at most ${palette.length} pairs of ${across} and window to tell apart, got ${names.length}`,
    )
  }
  const over = (x: (p: Point) => number): PanelSeries[] =>
    names.map((name) => ({
      name,
      points: points
        .filter((p) => label(p) === name)
        .map((p) => ({ x: x(p), y: p.outcome.latency, range: p.outcome.interval?.latency })),
    }))
  await plotPanels(path, {
    title: 'Big little decoding: latency of a text',
    under: `${title}. Bars: 95 % confidence. Points of a line differ in the ${along} threshold.`,
    y: 'mean latency of a text',
    label: units.duration,
    panels: [
      { x: 'fallbacks / iterations', label: percent, series: over((p) => p.outcome.shares.fallback) },
      { x: 'rollbacks / iterations', label: percent, series: over((p) => p.outcome.shares.rollback) },
    ],
  })
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
