// Growth over time on logarithmic axes, each series with its points, its line and its slope: the paper's chart, continued
// by the shipped machines; and the ridge point over time.
import { type Growth, growth, valueAt, yearOf } from '../../hardware/trends/fit.ts'
import type { Point } from '../../hardware/trends/points.ts'
import type { Ridge, Trend } from '../../hardware/trends/trends.ts'
import type { WorkloadYear } from '../commands/trends.ts'
import * as units from '../units.ts'
import { type Context, faint, ink } from './canvas.ts'
import { colour } from './palette.ts'
import { dot, line, type Panel, panel, picture, type Range } from './panel.ts'
import { type Box, type Circle, place } from './place.ts'
import { measure, write } from './text.ts'

interface Group {
  readonly title: string
  readonly series: readonly Trend[]
  /** What values are divided by: the first point of each series, or one figure for all. */
  base(t: Trend): number
  readonly left: number
  readonly right: number
  readonly label: (value: number) => string
}

/** Bytes of memory for each parameter, by which the paper draws memory beside models. */
const bytesPerParameter = 6

function groupsOf(series: readonly Trend[]): Group[] {
  const of = (...names: string[]) => series.filter((t) => names.includes(t.name))
  const times = (value: number) => `${units.quantity(value)}x`.replace(' ', '')
  return [
    {
      title: 'Hardware, over the first point',
      series: of('compute', 'dram-bandwidth', 'interconnect'),
      base: (t) => t.points[0]?.value ?? 1,
      left: 82,
      right: 540,
      label: times,
    },
    {
      title: `Parameters, and memory at ${bytesPerParameter} bytes each`,
      series: of('parameters', 'memory'),
      base: (t) => (t.name === 'memory' ? bytesPerParameter : 1),
      left: 616,
      right: 886,
      label: (value) => units.parameterCount(value * 1e9),
    },
    {
      title: 'Training compute',
      series: of('training-compute'),
      base: () => 1,
      left: 976,
      right: 1180,
      label: (value) => units.quantity(value * 1e15, 'FLOP'),
    },
  ]
}

/** Draws the six series in three panels. */
export async function plotTrends(path: string, series: readonly Trend[]): Promise<void> {
  const under =
    'Rings and lines: AI and Memory Wall, with growth in two years. Dots and dashes: the best shipped accelerator of each later year, and the fit of both.'
  await picture(path, 'The memory wall', under, (ctx) => {
    for (const group of groupsOf(series)) drawGroup(ctx, group, series)
  })
}

function pointsOf(t: Trend): readonly Point[] {
  return [...t.points, ...(t.extended?.points ?? [])]
}

function rangeOf({ series, base }: Group): Range {
  const years = series.flatMap((t) => pointsOf(t).map((p) => yearOf(p.date)))
  const values = series.flatMap((t) => pointsOf(t).map((p) => p.value / base(t)))
  return {
    from: Math.min(...years) - 0.6,
    to: Math.max(...years) + 0.6,
    low: Math.min(...values) / 3,
    high: Math.max(...values) * 4,
  }
}

function drawGroup(ctx: Context, group: Group, all: readonly Trend[]): void {
  const area: Box = { left: group.left, right: group.right, top: 126, bottom: 750 }
  write(ctx, group.title, area.left, 102, { size: 14, bold: true, most: area.right - area.left + 20 })
  const range = rangeOf(group)
  const at = panel(ctx, area, range, group.label)
  const circles: Circle[] = []
  const named: { text: string; at: Circle; hue: string }[] = []
  for (const t of group.series) {
    const hue = colour(all.indexOf(t))
    const base = group.base(t)
    fitLine(at, growth(t.points), t.points, base, hue)
    if (t.extended) fitLine(at, growth(pointsOf(t)), pointsOf(t), base, hue, [6, 4])
    const mark = (p: Point, fill: string) => {
      const circle = { x: at.x(yearOf(p.date)), y: at.y(p.value / base), r: 5 }
      dot(ctx, circle.x, circle.y, 4.5, hue, fill)
      circles.push(circle)
      if (p.name !== undefined) named.push({ text: p.name, at: circle, hue })
    }
    for (const p of t.points) mark(p, '#ffffff')
    for (const p of t.extended?.points ?? []) mark(p, hue)
  }
  const legend = legendOf(ctx, group, area, all)
  const labels = named.map((n) => ({ ...n, width: measure(ctx, n.text, { size: 11 }) + 4, height: 13 }))
  place(labels, circles, area, legend).forEach(({ box, leader }, i) => {
    const { text, hue, at: circle } = labels[i] as (typeof labels)[number]
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    ctx.lineWidth = 1
    if (leader) line(ctx, circle.x, circle.y, x, y, faint)
    write(ctx, text, x, y, { size: 11, colour: hue, align: 'center', rim: true })
  })
}

function fitLine(
  { ctx, x, y }: Panel,
  fit: Growth,
  points: readonly Point[],
  base: number,
  hue: string,
  dash: number[] = [],
): void {
  const years = points.map((p) => yearOf(p.date))
  const [from, to] = [Math.min(...years), Math.max(...years)]
  ctx.lineWidth = 2
  line(ctx, x(from), y(valueAt(fit, from) / base), x(to), y(valueAt(fit, to) / base), hue, dash)
}

/** Names and slopes at the upper left, where growing series leave room; returns the boxes that they take. */
function legendOf(ctx: Context, { series }: Group, area: Box, all: readonly Trend[]): Box[] {
  return series.map((t, i) => {
    const y = area.top + 14 + i * 40
    const hue = colour(all.indexOf(t))
    const continued = t.extended ? `, continued ${t.extended.per_2_years.toPrecision(3)}x` : ''
    const slope = `${t.per_2_years.toPrecision(4)}x${continued}`
    const wide = Math.max(
      write(ctx, t.title, area.left + 12, y, { size: 13, bold: true, colour: hue, rim: true }),
      write(ctx, slope, area.left + 12, y + 17, { size: 13, colour: hue, rim: true }),
    )
    return { left: area.left, right: area.left + 16 + wide, top: y - 10, bottom: y + 28 }
  })
}

// The ridge point

/** The first year of the paper's points. */
const begin = 1997

/** Draws the ridge point over time, with the intensities of workloads across it. */
export async function plotRidge(path: string, over: Ridge, workloads: readonly WorkloadYear[]): Promise<void> {
  const today = Math.max(...over.machines.map((m) => yearOf(m.date))) + 0.5
  const values = [
    ...over.machines.map((m) => m.ridge),
    ...workloads.map((w) => w.intensity),
    valueAt(over.growth, begin),
  ]
  const range = { from: begin, to: today + 0.5, low: Math.min(...values) / 2, high: Math.max(...values) * 2 }
  const under = `FLOP that a chip can do for each byte it reads. Line: compute over DRAM bandwidth by the fits of AI and Memory Wall, ${over.per_2_years.toPrecision(3)}x in two years. Dots: shipped accelerators, 16 bits.`
  await picture(path, 'The ridge point over time', under, (ctx) => {
    const area: Box = { left: 82, right: 1176, top: 100, bottom: 750 }
    const at = panel(ctx, area, range, units.plain)
    ctx.lineWidth = 2.5
    // Before 2003-10 the bandwidth's points do not reach: that stretch continues its line backwards.
    const first = 2003.75
    line(
      ctx,
      at.x(begin),
      at.y(valueAt(over.growth, begin)),
      at.x(first),
      at.y(valueAt(over.growth, first)),
      colour(0),
      [7, 5],
    )
    line(ctx, at.x(first), at.y(valueAt(over.growth, first)), at.x(today), at.y(valueAt(over.growth, today)), colour(0))
    for (const [i, w] of workloads.entries()) workloadLine(at, w, colour(i + 2))
    machineDots(at, over)
  })
}

function workloadLine(
  { ctx, area, x, y }: Panel,
  { workload, intensity, memory_bound_since: since }: WorkloadYear,
  hue: string,
): void {
  ctx.lineWidth = 1.5
  line(ctx, area.left, y(intensity), area.right, y(intensity), hue, [3, 4])
  const year = `under the ridge since ${Math.floor(since)}`
  write(ctx, `${workload}: ${units.digits(intensity)} FLOP/byte, ${year}`, area.left + 10, y(intensity) - 11, {
    size: 13,
    colour: hue,
    rim: true,
  })
  if (x(since) >= area.left && x(since) <= area.right) dot(ctx, x(since), y(intensity), 5.5, hue, '#ffffff')
}

/** The lowest and the highest of each year have names. */
function machineDots({ ctx, area, x, y }: Panel, { machines }: Ridge): void {
  const circles = machines.map((m) => ({ x: x(yearOf(m.date)), y: y(m.ridge), r: 4 }))
  circles.forEach((c) => {
    dot(ctx, c.x, c.y, 3.5, colour(1), colour(1))
  })
  const named = machines.flatMap((m, i) => {
    const year = machines.filter((other) => other.date === m.date).map((other) => other.ridge)
    const outermost = m.ridge === Math.max(...year) || m.ridge === Math.min(...year)
    return outermost ? [{ text: m.name, at: circles[i] as Circle }] : []
  })
  const labels = named.map((n) => ({ ...n, width: measure(ctx, n.text, { size: 11 }) + 4, height: 13 }))
  place(labels, circles, area).forEach(({ box, leader }, i) => {
    const { text, at } = labels[i] as (typeof labels)[number]
    const [cx, cy] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    ctx.lineWidth = 1
    if (leader) line(ctx, at.x, at.y, cx, cy, faint)
    write(ctx, text, cx, cy, { size: 11, colour: ink, align: 'center', rim: true })
  })
}
