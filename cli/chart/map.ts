// Two numbers span a plane: each cell is coloured by the metric, with lines where the limit changes and where a ratio
// crosses 1; or by which variant is best there.
import type { Plugin } from 'chart.js'
import type { Axis } from '../../simulate/whatif/plan.ts'
import type { Outcome } from '../sweep/run.ts'
import type { Sweep } from '../sweep/spec.ts'
import * as units from '../units.ts'
import { type Context, draw, faint, height, ink, width } from './canvas.ts'
import { rampColour } from './colours.ts'
import { type Cell, type Grid, gridOf, listed, numeric } from './grid.ts'
import { colour, paler } from './palette.ts'
import { placeAxis, type ValueScale, valueScale } from './scale.ts'
import { best, fixedText, titleOf } from './sweep.ts'
import { write, writeLines } from './text.ts'

interface Plane {
  readonly x: ValueScale
  readonly y: ValueScale
  readonly xAxis: Axis
  readonly yAxis: Axis
  /** Indices on all axes of the cell in a column and row; `more` those of other axes. */
  indices(column: number, row: number, more?: readonly number[]): number[]
}

function planeOf({ plan }: Sweep): Plane {
  const numbers = plan.axes.filter(numeric)
  const xAxis = numbers.find((a) => a.name === 'context') ?? (numbers[0] as Axis)
  const yAxis = numbers.find((a) => a !== xAxis) as Axis
  const scale = (axis: Axis) => valueScale(axis.name, listed(axis) as number[])
  return {
    xAxis,
    yAxis,
    x: scale(xAxis),
    y: scale(yAxis),
    indices: (column, row, more = []) => {
      let other = 0
      return plan.axes.map((a) => (a === xAxis ? column : a === yAxis ? row : (more[other++] ?? 0)))
    },
  }
}

interface Scale {
  getPixelForValue(value: number): number
}

interface Pixels {
  readonly ctx: Context
  /** Left, top, width and height of a cell. */
  box(column: number, row: number): readonly [number, number, number, number]
  /** The middle of a cell, at fractions too. */
  x(column: number): number
  y(row: number): number
}

function pixels(chart: { ctx: unknown; scales: unknown }, { x, y }: Plane): Pixels {
  const scales = chart.scales as { x: Scale; y: Scale }
  const at = (edges: readonly number[], i: number, scale: Scale) => scale.getPixelForValue(edges[i] as number)
  const middle = (values: ValueScale, i: number, scale: Scale) => {
    const [low, high] = [Math.floor(i), Math.ceil(i)]
    const [a, b] = [low, high].map((k) => values.place(values.values[k] as number)) as [number, number]
    return scale.getPixelForValue(a + (b - a) * (i - low))
  }
  return {
    ctx: chart.ctx as Context,
    box: (column, row) => {
      const [left, right] = [at(x.edges, column, scales.x), at(x.edges, column + 1, scales.x)]
      const [bottom, top] = [at(y.edges, row, scales.y), at(y.edges, row + 1, scales.y)]
      // Whole pixels, so that no seam shows between cells.
      const [l, t, r, b] = [left, top, right, bottom].map(Math.round) as [number, number, number, number]
      return [l, t, r - l, b - t]
    },
    x: (column) => middle(x, column, scales.x),
    y: (row) => middle(y, row, scales.y),
  }
}

const panelLeft = width - 290

async function drawPlane(
  path: string,
  plane: Plane,
  title: string,
  under: string,
  plugin: Omit<Plugin<'scatter' | 'bubble'>, 'id'>,
) {
  const { x, y, xAxis, yAxis } = plane
  await draw(path, {
    type: 'scatter',
    data: { datasets: [] },
    options: {
      layout: { padding: { left: 16, top: 92, right: 310, bottom: 24 } },
      scales: {
        x: placeAxis(xAxis.name, x, x.edges[0] as number, x.edges.at(-1) as number),
        y: placeAxis(yAxis.name, y, y.edges[0] as number, y.edges.at(-1) as number),
      },
    },
    plugins: [
      {
        id: 'plane',
        ...plugin,
        beforeInit: () => {},
        afterDraw: (chart) => {
          const ctx = chart.ctx as unknown as Context
          write(ctx, title, 24, 34, { size: 22, bold: true, most: width - 48 })
          write(ctx, under, 24, 64, { size: 15, colour: '#555555', most: width - 48 })
        },
      },
    ],
  })
}

function forCells(plane: Plane, visit: (column: number, row: number) => void): void {
  plane.x.values.forEach((_, column) => {
    plane.y.values.forEach((_, row) => {
      visit(column, row)
    })
  })
}

// Heat

export async function plotHeat(path: string, sweep: Sweep, outcome: Outcome): Promise<void> {
  const plane = planeOf(sweep)
  const grid = gridOf(sweep, outcome)
  const cell = (column: number, row: number) => grid.at(plane.indices(column, row))
  const values: number[] = []
  forCells(plane, (column, row) => {
    const { value } = cell(column, row)
    if (value !== null) values.push(value)
  })
  const range = rangeOf(values)
  const metric = sweep.ask.metric?.text ?? ''
  const ratio = metric.includes('speedup')
  await drawPlane(path, plane, titleOf(sweep, metric), fixedText(sweep), {
    beforeDatasetsDraw: (chart) => {
      const p = pixels(chart, plane)
      forCells(plane, (column, row) => fillHeat(p, plane, cell(column, row), column, row, range))
      borders(p, plane, cell)
      if (ratio) contour(p, plane, (column, row) => cell(column, row).value, 1)
      heatLegend(p.ctx, range, ratio)
    },
  })
}

interface Range {
  readonly low: number
  readonly high: number
  share(value: number): number
}

/** Shares by the logarithm where the values span a factor of 20. */
function rangeOf(values: readonly number[]): Range {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const place = low > 0 && high / low > 20 ? Math.log : (v: number) => v
  return { low, high, share: (v) => (high > low ? (place(v) - place(low)) / (place(high) - place(low)) : 0.5) }
}

function fillHeat(
  { ctx, box }: Pixels,
  _: Plane,
  { value, fits }: Cell,
  column: number,
  row: number,
  range: Range,
): void {
  const [left, top, w, h] = box(column, row)
  ctx.fillStyle = value === null ? '#f2f2f2' : rampColour(range.share(value))
  ctx.fillRect(left, top, w, h)
  if (fits === false) hatch(ctx, left, top, w, h, 'rgba(255,255,255,0.75)')
}

function hatch(ctx: Context, left: number, top: number, w: number, h: number, style: string): void {
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, top, w, h)
  ctx.clip()
  ctx.strokeStyle = style
  ctx.lineWidth = 1
  ctx.beginPath()
  // Lines of one family over the whole chart, whichever cell draws them.
  const every = 9
  const first = Math.ceil((left - (top + h)) / every) * every
  for (let c = first; c < left + w - top; c += every) {
    ctx.moveTo(c + top, top)
    ctx.lineTo(c + top + h, top + h)
  }
  for (let c = Math.ceil((left + top - h) / every) * every; c <= left + w - top; c += every) {
    ctx.moveTo(c + top, top)
    ctx.lineTo(c + top + h, top + h)
  }
  ctx.stroke()
  ctx.restore()
}

/** Lines between neighbouring cells of another limit. */
function borders({ ctx, box }: Pixels, plane: Plane, cell: (column: number, row: number) => Cell): void {
  const differ = (a: Cell, b: Cell) => a.limit !== null && b.limit !== null && a.limit !== b.limit
  ctx.save()
  ctx.strokeStyle = ink
  ctx.lineWidth = 2.5
  ctx.beginPath()
  forCells(plane, (column, row) => {
    const [left, top, w, h] = box(column, row)
    if (column + 1 < plane.x.values.length && differ(cell(column, row), cell(column + 1, row))) {
      ctx.moveTo(left + w, top)
      ctx.lineTo(left + w, top + h)
    }
    if (row + 1 < plane.y.values.length && differ(cell(column, row), cell(column, row + 1))) {
      ctx.moveTo(left, top)
      ctx.lineTo(left + w, top)
    }
  })
  ctx.stroke()
  ctx.restore()
}

/** The line on which the value is `level`, by marching squares between the middles of cells. */
function contour(
  { ctx, x, y }: Pixels,
  plane: Plane,
  value: (column: number, row: number) => number | null,
  level: number,
): void {
  ctx.save()
  ctx.strokeStyle = '#ffffff'
  ctx.lineWidth = 3
  ctx.setLineDash([10, 5])
  ctx.beginPath()
  for (let column = 0; column + 1 < plane.x.values.length; column++) {
    for (let row = 0; row + 1 < plane.y.values.length; row++) {
      const corners = [
        [column, row],
        [column + 1, row],
        [column + 1, row + 1],
        [column, row + 1],
      ] as const
      const heights = corners.map(([c, r]) => value(c, r))
      if (heights.some((v) => v === null)) continue
      const crossings = corners.flatMap(([c, r], i) => {
        const next = corners[(i + 1) % 4] as readonly [number, number]
        const [a, b] = [(heights[i] as number) - level, (heights[(i + 1) % 4] as number) - level]
        if (a > 0 === b > 0) return []
        const t = a / (a - b)
        return [[c + (next[0] - c) * t, r + (next[1] - r) * t] as const]
      })
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const [from, to] = [crossings[i], crossings[i + 1]] as [readonly [number, number], readonly [number, number]]
        ctx.moveTo(x(from[0]), y(from[1]))
        ctx.lineTo(x(to[0]), y(to[1]))
      }
    }
  }
  ctx.stroke()
  ctx.restore()
}

function heatLegend(ctx: Context, range: Range, ratio: boolean): void {
  const [top, tall] = [120, 320]
  for (let i = 0; i < tall; i++) {
    ctx.fillStyle = rampColour(1 - i / tall)
    ctx.fillRect(panelLeft, top + i, 28, 1.5)
  }
  const middle =
    range.low * range.high > 0 && range.share(Math.sqrt(range.low * range.high)) - 0.5 < 1e-6
      ? Math.sqrt(range.low * range.high)
      : (range.low + range.high) / 2
  for (const value of [range.low, middle, range.high]) {
    write(ctx, units.plain(value), panelLeft + 40, top + tall * (1 - range.share(value)), { size: 13 })
  }
  let y = top + tall + 36
  line(ctx, panelLeft, y, ink, [])
  write(ctx, 'the limit changes', panelLeft + 40, y, { size: 13 })
  if (ratio) {
    y += 26
    ctx.fillStyle = '#3b528b'
    ctx.fillRect(panelLeft - 2, y - 9, 32, 18)
    line(ctx, panelLeft, y, '#ffffff', [10, 5])
    write(ctx, 'crosses 1', panelLeft + 40, y, { size: 13 })
  }
  y += 26
  ctx.fillStyle = '#2c728e'
  ctx.fillRect(panelLeft, y - 9, 28, 18)
  hatch(ctx, panelLeft, y - 9, 28, 18, 'rgba(255,255,255,0.75)')
  write(ctx, 'does not fit in memory', panelLeft + 40, y, { size: 13 })
}

function line(ctx: Context, x: number, y: number, hue: string, dash: number[]): void {
  ctx.save()
  ctx.strokeStyle = hue
  ctx.lineWidth = 2.5
  ctx.setLineDash(dash)
  ctx.beginPath()
  ctx.moveTo(x, y)
  ctx.lineTo(x + 28, y)
  ctx.stroke()
  ctx.restore()
}

// Winners

interface Win {
  /** Index of the variant; null where none fits or has a figure. */
  readonly variant: number | null
  /** Whether the next best is less than 5 % behind. */
  readonly close: boolean
}

/** A lead of less than this is drawn paler. */
const clear = 0.05

/** Which of the variants at one cell is best, of those that fit. */
export function winner(cells: readonly Cell[], better: 'least' | 'most'): Win {
  const sign = better === 'most' ? -1 : 1
  const able = cells.flatMap(({ value, fits }, variant) =>
    value === null || fits === false ? [] : [{ value, variant }],
  )
  able.sort((a, b) => sign * (a.value - b.value))
  const [first, second] = able
  if (first === undefined) return { variant: null, close: false }
  const lead = second === undefined ? Number.POSITIVE_INFINITY : Math.abs(second.value / first.value - 1)
  return { variant: first.variant, close: lead < clear }
}

export async function plotWinners(path: string, sweep: Sweep, outcome: Outcome): Promise<void> {
  const plane = planeOf(sweep)
  const grid = gridOf(sweep, outcome)
  const better = best(sweep) ?? 'most'
  const wins = new Map<string, Win>()
  const counts = new Map<number | null, number>()
  forCells(plane, (column, row) => {
    const win = winner(variantCells(grid, plane, sweep.plan.variants.length, column, row), better)
    wins.set(`${column} ${row}`, win)
    counts.set(win.variant, (counts.get(win.variant) ?? 0) + 1)
  })
  const metric = sweep.ask.metric?.text ?? ''
  await drawPlane(path, plane, titleOf(sweep, `Which gives the ${better} ${metric}`), fixedText(sweep), {
    beforeDatasetsDraw: (chart) => {
      const { ctx, box } = pixels(chart, plane)
      forCells(plane, (column, row) => {
        const { variant, close } = wins.get(`${column} ${row}`) as Win
        const [left, top, w, h] = box(column, row)
        ctx.fillStyle = variant === null ? '#ffffff' : close ? paler(colour(variant), 0.5) : colour(variant)
        ctx.fillRect(left, top, w, h)
        if (variant === null) hatch(ctx, left, top, w, h, faint)
      })
      winnerLegend(ctx, sweep.plan.variants, counts)
    },
  })
}

function variantCells(grid: Grid, plane: Plane, variants: number, column: number, row: number): Cell[] {
  return Array.from({ length: variants }, (_, v) => grid.at(plane.indices(column, row, [v])))
}

function winnerLegend(ctx: Context, variants: readonly string[], counts: ReadonlyMap<number | null, number>): void {
  const total = [...counts.values()].reduce((a, b) => a + b, 0)
  let y = 128
  const entry = (text: string, n: number, swatch: () => void) => {
    swatch()
    write(ctx, units.percent(n / total), width - 24, y, { size: 13, align: 'right' })
    const lines = Math.max(1, Math.ceil(text.length / 26))
    writeLines(ctx, text, panelLeft + 30, y + (lines - 1) * 18, 180, { size: 13 })
    y += 16 + 20 * lines
  }
  variants.forEach((name, i) => {
    entry(spaced(name), counts.get(i) ?? 0, () => {
      ctx.fillStyle = colour(i)
      ctx.fillRect(panelLeft, y - 9, 20, 18)
    })
  })
  const none = counts.get(null) ?? 0
  if (none > 0) {
    entry('none fits in memory', none, () => {
      hatch(ctx, panelLeft, y - 9, 20, 18, faint)
      ctx.strokeStyle = faint
      ctx.strokeRect(panelLeft, y - 9, 20, 18)
    })
  }
  writeLines(
    ctx,
    'Paler: less than 5 % ahead of the next. Shares are of the cells.',
    panelLeft,
    Math.min(height - 40, y + 40),
    250,
    {
      size: 12,
      colour: '#666666',
    },
  )
}

/** With places where a line may end. */
function spaced(name: string): string {
  return name.replace(/([,;:])(?=\S)/g, '$1 ')
}
