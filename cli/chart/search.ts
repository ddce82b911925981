// What strategies keep of the right paths, over the cache that they need; or what lambda leaves of a tree.
import type { Point } from '../commands/simulate/search.ts'
import { UsageError } from '../errors.ts'
import * as units from '../units.ts'
import { palette } from './palette.ts'
import { type Panel, type PanelSeries, plotPanels } from './panels.ts'

/** Draws the points of a sweep: of λ_b or λ_d where it has several, else of strategies and widths. */
export async function plotSearch(path: string, title: string, points: readonly Point[]): Promise<void> {
  const along = lambdaOf(points)
  await (along === undefined ? plotCoverage(path, title, points) : plotLambda(path, title, points, along))
}

type Lambda = 'budget' | 'diversity'

function lambdaOf(points: readonly Point[]): Lambda | undefined {
  const solved = points.filter((p) => p.settings.strategy.startsWith('ets'))
  return (['budget', 'diversity'] as const).find(
    (key) =>
      new Set(solved.filter((p) => p.settings.strategy === 'ets').map((p) => p.settings[key])).size > 1 ||
      (key === 'budget' && new Set(solved.map((p) => p.settings.budget)).size > 1),
  )
}

async function plotCoverage(path: string, title: string, points: readonly Point[]): Promise<void> {
  if (points.some((p) => p.outcome.coverage === undefined)) {
    throw new UsageError('--plot: expected problems with a known truth, whose right paths can be counted')
  }
  const names = checked([...new Set(points.map((p) => p.settings.strategy))])
  const over = (of: (p: Point) => number, range: (p: Point) => readonly [number, number] | undefined): PanelSeries[] =>
    names.map((name) => ({
      name,
      points: points
        .filter((p) => p.settings.strategy === name)
        .map((p) => ({ x: p.outcome.kv.mean, y: of(p), range: range(p) })),
    }))
  const panels: Panel[] = [
    {
      x: 'KV tokens: right paths',
      label: tokens,
      series: over(
        (p) => p.outcome.coverage ?? 0,
        (p) => p.outcome.coverageInterval,
      ),
    },
  ]
  if (points.every((p) => p.outcome.approaches !== undefined)) {
    panels.push({
      x: 'KV tokens: their approaches',
      label: tokens,
      series: over(
        (p) => p.outcome.approaches ?? 0,
        () => undefined,
      ),
    })
  }
  const widths = [...new Set(points.map((p) => p.settings.width))].sort((a, b) => a - b).join(', ')
  await plotPanels(path, {
    title: 'Tree search: what goes on over the cache that it takes',
    under: `${title}. Widths ${widths} along each line; bars: 95 % confidence over problems.`,
    y: 'share that goes on',
    label: units.percent,
    panels,
    zero: true,
  })
}

async function plotLambda(path: string, title: string, points: readonly Point[], along: Lambda): Promise<void> {
  const solved = points.filter((p) => p.settings.strategy.startsWith('ets'))
  const other = along === 'budget' ? 'diversity' : 'budget'
  const sign = along === 'budget' ? 'lambda-d' : 'lambda-b'
  const label = ({ settings: s }: Point) =>
    s.strategy === 'ets' ? `${sign} ${s[other]}, width ${s.width}` : `no coverage, width ${s.width}`
  const names = checked([...new Set(solved.map(label))])
  const over = (of: (p: Point) => number): PanelSeries[] => [
    ...names.map((name) => ({
      name,
      points: solved.filter((p) => label(p) === name).map((p) => ({ x: p.settings[along], y: of(p) })),
    })),
    ...(along === 'budget' ? [boundary] : []),
  ]
  const x = along === 'budget' ? 'lambda-b' : 'lambda-d'
  await plotPanels(path, {
    title: `Tree search: what ${x} leaves of a tree`,
    under: `${title}. At lambda-b 1 keeping all is worth as much as its tree costs.`,
    y: 'share',
    label: units.percent,
    panels: [
      { x: `${x}: candidates that go on`, label: String, series: over((p) => p.outcome.going) },
      { x: `${x}: KV tokens over REBASE's`, label: String, series: over((p) => 1 / (p.gain?.kv?.value ?? 1)) },
    ],
    zero: true,
  })
}

const boundary: PanelSeries = {
  name: 'lambda-b 1',
  theory: true,
  points: [
    { x: 1, y: 0 },
    { x: 1, y: 1 },
  ],
}

function tokens(x: number): string {
  return x >= 1000 ? `${x / 1000}k` : String(x)
}

function checked<T extends string>(names: T[]): T[] {
  if (names.length <= palette.length) return names
  throw new UsageError(`--plot: expected at most ${palette.length} lines to tell apart, got ${names.length}`)
}
